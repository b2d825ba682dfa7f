#!/usr/bin/env bash
# librdkafka's own tests, whose sources lie in the crate rdkafka-sys. Those that need no broker, and those that start
# brokers of their own (trivup), are left out. A process a test number, so that a hang costs no other test.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
verb=$1 dir=$2
shift 2
version=4.10.0+2.12.1
lib=$dir/rdkafka-sys-$version/librdkafka

prepare() {
  set -e
  [ -e "$dir/ready-$version" ] && return
  local crate
  # A package of nobody that depends on the crate: cargo fetches it and checks its sum.
  mkdir -p "$dir/fetch/src"
  : >"$dir/fetch/src/lib.rs"
  printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nrdkafka-sys = "=%s"\n[workspace]\n' \
    "$version" >"$dir/fetch/Cargo.toml"
  (cd "$dir/fetch" && cargo fetch --quiet)
  crate=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/cache" -name "rdkafka-sys-$version.crate" | head -1)
  tar xzf "$crate" -C "$dir"
  cd "$lib"
  ./configure --disable-gssapi --disable-curl --disable-zstd --disable-lz4-ext --CFLAGS=-O1
  make -j"$(nproc)" libs
  make -j"$(nproc)" -C tests test-runner
  tools
  touch "$dir/ready-$version"
}

# Some tests call Kafka's scripts; the tools behind them come from Maven Central.
tools() {
  mkdir -p "$dir/kafka/bin"
  mvn -q -B -f "$here/../java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$dir/kafka/libs" \
    -DincludeScope=runtime
  tool topics org.apache.kafka.tools.TopicCommand
  tool acls org.apache.kafka.tools.AclCommand
}
tool() {
  printf '#!/bin/sh\nexec java -Xmx256m -XX:TieredStopAtLevel=1 -cp "%s/kafka/libs/*" %s "$@"\n' "$dir" "$2" \
    >"$dir/kafka/bin/kafka-$1.sh"
  chmod +x "$dir/kafka/bin/kafka-$1.sh"
}

# The numbers of the tests that talk to a broker.
numbers() {
  awk '/^ +_TEST\(/ { row = "" } { row = row $0 } /\),$/ { if (row ~ /_TEST\([0-9]/) print row; row = "" }' "$lib/tests/test.c" |
    grep -vE 'TEST_F_(LOCAL|MANUAL)' | grep -oE '_TEST\([0-9]{4}' | grep -oE '[0-9]{4}' | sort -u
}

# One number: every test of it is a line.
one() {
  local number=$1 log=$dir/logs/$1.log status=0 seen=0 test state
  # The subshell keeps the shell's word about the abort that ends a failed test out of the lines.
  (TESTS=$number timeout --kill-after=5 "${TEST_SECONDS:-150}" ./test-runner -p1 -Q -L -K >"$log" 2>&1) 2>/dev/null ||
    status=$?
  while read -r test state; do
    seen=1
    case $state in
      PASSED) echo "ok $test" ;;
      SKIPPED) echo "skip $test: $(grep -aE 'SKIPPING|Skipping' "$log" | tail -1 | cut -c1-200)" ;;
      *) echo "not ok $test: $(grep -aE 'TEST FAILURE|[Tt]imed out' -A2 "$log" | tail -n +2 | head -2 | tr -s ' \n' ' ' | cut -c1-240)" ;;
    esac
  done < <(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -aoE "=+ Test ${number}_[a-z0-9_A-Z]+ (PASSED|FAILED|SKIPPED)" |
    awk '{print $3, $4}' | sort -u)
  if [ $seen = 0 ]; then
    test=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -aoE "Running test ${number}_[a-z0-9_A-Z]+" | tail -1 | awk '{print $3}') || true
    test=${test:-$number}
    if [ "$status" = 124 ]; then echo "not ok $test: no end within ${TEST_SECONDS:-150} s"
    elif [ "$status" = 0 ]; then echo "skip $test: nothing ran"
    else echo "not ok $test: $(grep -aE 'TEST FAILURE|Assert|ailed' -A1 "$log" | head -3 | tr -s ' \n' ' ' | cut -c1-240) (status $status)"; fi
  fi
}

run() {
  local address=$1
  shift
  mkdir -p "$dir/logs"
  cd "$lib/tests"
  printf 'bootstrap.servers=%s\ntest.topic.random=true\ntest.timeout.multiplier=2\nbroker.address.family=v4\n' \
    "$address" >"$dir/test.conf"
  export KAFKA_PATH=$dir/kafka BROKERS=$address RDKAFKA_TEST_CONF=$dir/test.conf \
    LD_LIBRARY_PATH=$lib/src:$lib/src-cpp TEST_KAFKA_VERSION=4.0.0
  local number
  for number in $(numbers); do
    [ $# = 0 ] || [[ " $* " == *" $number"* ]] || continue
    one "$number"
  done
}

"$verb" "$@"
