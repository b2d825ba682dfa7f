#!/usr/bin/env bash
# Apache Kafka's own command-line tools against the broker at $BOOTSTRAP, with its jars in $KAFKA_LIBS: one `ok` or
# `not ok` line a check. With $DATA_DIR, the files of a topic are read by dump-log as well.
set -u
b=${BOOTSTRAP:-127.0.0.1:9092}
n=$$-$(date +%s)
failures=0
conf=$(mktemp --suffix .properties)
trap 'rm -f "$conf"' EXIT
printf 'rootLogger.level=error\nappender.c.type=Console\nappender.c.name=c\nappender.c.target=SYSTEM_ERR\nappender.c.layout.type=PatternLayout\nappender.c.layout.pattern=%%p %%m%%n\nrootLogger.appenderRef.c.ref=c\n' >"$conf"
run() { timeout 60 java -Xmx256m -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$conf" -cp "$KAFKA_LIBS/*" "$@"; }
t=org.apache.kafka.tools
check() { # name, pattern the output must have, command...
  local name=$1 pattern=$2; shift 2
  local out
  if out=$("$@" 2>&1) && grep -qE "$pattern" <<<"$out"; then echo "ok $name"; else
    failures=$((failures + 1)); echo "not ok $name: $(grep -v '^$' <<<"$out" | tail -n 1 | cut -c 1-200)"; fi
}
produce() { seq 1 500 | run $t.ConsoleProducer --bootstrap-server "$b" --topic "$1" && echo produced; }
check "topics --create" "Created topic tools-$n" run $t.TopicCommand --bootstrap-server "$b" --create --topic "tools-$n" --partitions 2 --config segment.bytes=1048576
check "topics --describe" "PartitionCount: 2.*segment.bytes=1048576" run $t.TopicCommand --bootstrap-server "$b" --describe --topic "tools-$n"
check "topics --alter" "" run $t.TopicCommand --bootstrap-server "$b" --alter --topic "tools-$n" --partitions 3
check "topics --list" "^tools-$n$" run $t.TopicCommand --bootstrap-server "$b" --list
check "console-producer" "produced" produce "tools-$n"
check "console-consumer in a group" "Processed a total of 500 messages" run $t.consumer.ConsoleConsumer --bootstrap-server "$b" --topic "tools-$n" --from-beginning --max-messages 500 --group "tools-g-$n" --timeout-ms 20000
check "consumer-groups --describe" "tools-g-$n +tools-$n +0 " run $t.consumer.group.ConsumerGroupCommand --bootstrap-server "$b" --describe --group "tools-g-$n"
check "consumer-groups --list" "tools-g-$n" run $t.consumer.group.ConsumerGroupCommand --bootstrap-server "$b" --list
check "consumer-groups --reset-offsets" "tools-$n" run $t.consumer.group.ConsumerGroupCommand --bootstrap-server "$b" --reset-offsets --to-earliest --execute --group "tools-g-$n" --topic "tools-$n"
check "consumer-groups --delete" "successful" run $t.consumer.group.ConsumerGroupCommand --bootstrap-server "$b" --delete --group "tools-g-$n"
check "get-offsets" "tools-$n:[0-2]:" run $t.GetOffsetShell --bootstrap-server "$b" --topic "tools-$n"
check "configs --alter" "Completed updating config" run kafka.admin.ConfigCommand --bootstrap-server "$b" --alter --entity-type topics --entity-name "tools-$n" --add-config retention.ms=999999
check "configs --describe" "retention.ms=999999" run kafka.admin.ConfigCommand --bootstrap-server "$b" --describe --entity-type topics --entity-name "tools-$n"
check "configs --describe of all broker keys" "log.segment.bytes=" run kafka.admin.ConfigCommand --bootstrap-server "$b" --describe --all --entity-type brokers --entity-name "${NODE_ID:-1}"
echo "{\"partitions\":[{\"topic\":\"tools-$n\",\"partition\":0,\"offset\":-1}],\"version\":1}" >"$conf.json"
check "delete-records" "low_watermark" run $t.DeleteRecordsCommand --bootstrap-server "$b" --offset-json-file "$conf.json"
rm -f "$conf.json"
check "log-dirs" "tools-$n" run $t.LogDirsCommand --bootstrap-server "$b" --describe --topic-list "tools-$n"
check "broker-api-versions" "Produce\(0\): " run $t.BrokerApiVersionsCommand --bootstrap-server "$b"
check "topics --create for the perf test" "Created topic" run $t.TopicCommand --bootstrap-server "$b" --create --topic "tools-perf-$n" --config segment.bytes=1048576
check "producer-perf-test" "50000 records sent" run $t.ProducerPerformance --topic "tools-perf-$n" --num-records 50000 --record-size 200 --throughput -1 --bootstrap-server "$b"
check "consumer-perf-test" "50000" run $t.ConsumerPerformance --topic "tools-perf-$n" --num-records 50000 --bootstrap-server "$b"
check "cluster cluster-id" "Cluster ID: " run $t.ClusterTool cluster-id --bootstrap-server "$b"

# The files, read by Kafka's own tool. Segments are written in the background, so the first one is awaited.
dump() { run $t.DumpLogSegments "$@" >"$conf.dump" 2>&1; local rc=$?; cut -c 1-300 "$conf.dump" | head -n 100000; rm -f "$conf.dump"; return $rc; }
sound() { # pattern of a fault, arguments of dump-log: prints `sound N lines`, or what is wrong
  local fault=$1; shift
  local out
  out=$(dump "$@") || { echo "$out" | tail -n 3; return 1; }
  if grep -qE "$fault" <<<"$out"; then grep -E "$fault" <<<"$out" | head -n 1; return 1; fi
  echo "sound $(wc -l <<<"$out") lines"
}
if [ -n "${DATA_DIR:-}" ]; then
  p=$DATA_DIR/tools-perf-$n-0
  for _ in $(seq 1 150); do [ -s "$p/00000000000000000000.index" ] && break; sleep 0.2; done
  logs=$(find "$p" -name '*.log' | sort | paste -sd,)
  sealed=$(find "$p" -name '*.log' | sort | sed '$d;s/log$/index/' | paste -sd,)
  times=$(find "$p" -name '*.log' | sort | sed '$d;s/log$/timeindex/' | paste -sd,)
  check "dump-log --deep-iteration of every segment" "sound [0-9]{5}" sound "isvalid: false|isValid: false|Exception|[Cc]orrupt" --deep-iteration --files "$logs"
  check "dump-log --index-sanity-check" "sound" sound "Exception|[Mm]ismatch|[Cc]orrupt|failed" --index-sanity-check --files "$sealed"
  check "dump-log --verify-index-only" "sound" sound "Exception|[Mm]ismatch|[Cc]orrupt|Found" --verify-index-only --files "$sealed,$times"
  check "dump-log --cluster-metadata-decoder" "sound" sound "Exception|isvalid: false|Error" --cluster-metadata-decoder --files "$(find "$DATA_DIR/__cluster_metadata-0" -name '*.log' | sort | paste -sd,)"
  offsets=$(find "$DATA_DIR" -path '*/__consumer_offsets-*' -name '*.log' -size +0 | sort | paste -sd,)
  check "dump-log --offsets-decoder" "sound" sound "Exception|isvalid: false|Error" --offsets-decoder --deep-iteration --files "$offsets"
fi
check "topics --delete" "" run $t.TopicCommand --bootstrap-server "$b" --delete --topic "tools-$n"
exit $((failures > 0))
