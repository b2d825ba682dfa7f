#!/usr/bin/env bash
# kcat (Debian's, with an old librdkafka on purpose) against the broker at $BOOTSTRAP: one `ok` or `not ok` line a check.
set -u
b=${BOOTSTRAP:-127.0.0.1:9092}
n=$$-$(date +%s)
failures=0
check() { # name, command...
  local name=$1; shift
  local out
  if out=$(timeout 60 bash -c "$*" 2>&1); then echo "ok $name"; else
    failures=$((failures + 1)); echo "not ok $name: $(tail -n 1 <<<"$out")"; fi
}
export b n
echo "# $(kcat -V 2>&1 | grep -o 'librdkafka [0-9.]*' | head -1)"
check "metadata" 'kcat -b $b -L | grep -qE "[1-${NODES:-1}] brokers:"'
check "produce and consume lines" 'seq 1 1000 | kcat -b $b -P -t kc-$n && [ "$(kcat -b $b -C -t kc-$n -o beginning -e -q | sha1sum)" = "$(seq 1 1000 | sha1sum)" ]'
check "keys and headers" 'printf "k1:v1\nk2:v2\n" | kcat -b $b -P -t kck-$n -K : -H a=b && [ "$(kcat -b $b -C -t kck-$n -o beginning -e -q -f "%k=%s %h %o\n" | tr "\n" ,)" = "k1=v1 a=b 0,k2=v2 a=b 1," ]'
check "the last two" '[ "$(kcat -b $b -C -t kc-$n -o -2 -e -q | tr "\n" ,)" = "999,1000," ]'
check "query offsets by time" 'kcat -b $b -Q -t kc-$n:0:-1 | grep -q "offset 1000"'
check "a group" '[ "$(timeout 30 kcat -b $b -G kcg-$n -c 1000 -q -X auto.offset.reset=earliest kc-$n | wc -l)" = 1000 ]'
for codec in gzip snappy lz4 zstd; do
  export codec
  check "compression $codec" 'seq 1 5000 | kcat -b $b -P -t kc-$codec-$n -z $codec && [ "$(kcat -b $b -C -t kc-$codec-$n -o beginning -e -q | sha1sum)" = "$(seq 1 5000 | sha1sum)" ]'
done
check "idempotent" 'seq 1 100 | kcat -b $b -P -t kci-$n -X enable.idempotence=true && [ "$(kcat -b $b -C -t kci-$n -o beginning -e -q | wc -l)" = 100 ]'
exit $((failures > 0))
