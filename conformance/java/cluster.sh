#!/usr/bin/env bash
# Apache Kafka's tools for clusters, against the three nodes at $BOOTSTRAP and the files of one of them in $DATA_DIR, with
# Kafka's jars in $KAFKA_LIBS: one `ok` or `not ok` line a check.
set -u
b=${BOOTSTRAP:-127.0.0.1:9092}
n=$$-$(date +%s)
failures=0
conf=$(mktemp --suffix .properties)
plan=$(mktemp --suffix .json)
trap 'rm -f "$conf" "$plan"' EXIT
printf 'rootLogger.level=error\nappender.c.type=Console\nappender.c.name=c\nappender.c.target=SYSTEM_ERR\nappender.c.layout.type=PatternLayout\nappender.c.layout.pattern=%%p %%m%%n\nrootLogger.appenderRef.c.ref=c\n' >"$conf"
run() { timeout 60 java -Xmx256m -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$conf" -cp "$KAFKA_LIBS/*" "$@"; }
t=org.apache.kafka.tools
check() { # name, pattern the output must have, command...
  local name=$1 pattern=$2; shift 2
  local out
  if out=$("$@" 2>&1) && grep -qE "$pattern" <<<"$out"; then echo "ok $name"; else
    failures=$((failures + 1)); echo "not ok $name: $(grep -v '^$' <<<"$out" | tail -n 1 | cut -c 1-200)"; fi
}
count() { # how many lines have the pattern, command...
  local pattern=$1; shift
  local out
  out=$("$@" 2>&1) || { echo "$out" | tail -n 1; return 1; }
  echo "$(grep -cE "$pattern" <<<"$out") lines"
}
topics() { run $t.TopicCommand --bootstrap-server "$b" "$@"; }
quorum() { run $t.MetadataQuorumCommand --bootstrap-server "$b" describe "$@"; }
reassign() { run $t.reassign.ReassignPartitionsCommand --bootstrap-server "$b" --reassignment-json-file "$plan" "$@"; }
moved() { # until the move is over
  local out
  for _ in $(seq 1 30); do
    out=$(reassign --verify 2>&1)
    grep -q "is completed" <<<"$out" && break
    sleep 0.5
  done
  echo "$out"
}
elect() { run $t.LeaderElectionCommand --bootstrap-server "$b" --election-type "$1" --topic "$2" --partition 0; }
produce() { seq 1 500 | run $t.ConsoleProducer --bootstrap-server "$b" --topic "$1" --command-property acks=all && echo produced; }

check "metadata-quorum describe --status" "LeaderId: +[1-9]" quorum --status
check "metadata-quorum describe --status: three voters" '(CurrentVoters:.*){1}([{ "]id"?: ?[123].*){3}|CurrentVoters: +\[1, ?2, ?3\]' quorum --status
check "metadata-quorum describe --replication: one leader" "^1 lines" count "[[:space:]]Leader" quorum --replication
check "metadata-quorum describe --replication: two followers" "^2 lines" count "[[:space:]]Follower" quorum --replication
check "features describe" "metadata.version.*FinalizedVersionLevel: " run $t.FeatureCommand --bootstrap-server "$b" describe
check "topics --create with three replicas" "Created topic" topics --create --topic "three-$n" --partitions 6 --replication-factor 3
check "topics --describe: three replicas" "ReplicationFactor: 3" topics --describe --topic "three-$n"
check "topics --describe: all in sync" "^6 lines" count "Isr: [123],[123],[123]" topics --describe --topic "three-$n"
check "topics --describe: leaders on all nodes" "^3$" bash -c "$(declare -f run topics); conf=$conf KAFKA_LIBS=$KAFKA_LIBS b=$b t=$t; topics --describe --topic three-$n | grep -oE 'Leader: [123]' | sort -u | wc -l"
check "topics --describe --under-replicated-partitions" "^0 lines" count "three-$n" topics --describe --under-replicated-partitions
check "console-producer, acks=all" "produced" produce "three-$n"
check "console-consumer" "Processed a total of 500 messages" run $t.consumer.ConsoleConsumer --bootstrap-server "$b" --topic "three-$n" --from-beginning --max-messages 500 --group "cluster-$n" --timeout-ms 20000

check "topics --create with chosen replicas" "Created topic" topics --create --topic "moved-$n" --replica-assignment 1:2
check "console-producer to what will be moved" "produced" produce "moved-$n"
echo "{\"version\":1,\"partitions\":[{\"topic\":\"moved-$n\",\"partition\":0,\"replicas\":[3,1]}]}" >"$plan"
check "reassign-partitions --execute" "Successfully started partition reassignment" reassign --execute --throttle 50000000
check "reassign-partitions --verify" "is completed" moved
check "topics --describe after the move" "Replicas: 3,1" topics --describe --topic "moved-$n"
check "leader-election --election-type preferred" "Successfully completed|Valid replica already elected" elect preferred "moved-$n"
check "topics --describe after the election" "Leader: 3" topics --describe --topic "moved-$n"
check "console-consumer of what was moved" "Processed a total of 500 messages" run $t.consumer.ConsoleConsumer --bootstrap-server "$b" --topic "moved-$n" --from-beginning --max-messages 500 --timeout-ms 20000
check "reassign-partitions --list" "No partition reassignments found" run $t.reassign.ReassignPartitionsCommand --bootstrap-server "$b" --list
check "replica-verification of the log end offsets" "three-$n:[0-5]:" run $t.GetOffsetShell --bootstrap-server "$b" --topic "three-$n"
check "cluster list-endpoints" "^3 lines" count "PLAINTEXT|127.0.0.1" run $t.ClusterTool list-endpoints --bootstrap-server "$b"

# From here on the log says who votes (KIP-853): the quorum is not stopped for it.
features() { run $t.FeatureCommand --bootstrap-server "$b" "$@"; }
check "features upgrade --feature kraft.version=1" "kraft.version was upgraded to 1" features upgrade --feature kraft.version=1
check "features describe after that" "kraft.version.*FinalizedVersionLevel: 1" features describe
check "metadata-quorum describe --status: voters with their directories" '("directoryId"|directoryId).*[A-Za-z0-9_-]{22}.*(directoryId).*[A-Za-z0-9_-]{22}' quorum --status
refused() { features downgrade --feature kraft.version=0 && return 1 || return 0; }
check "features downgrade --feature kraft.version=0 is refused" "Can't downgrade" refused

# The files of one node.
if [ -n "${DATA_DIR:-}" ]; then
  m=$DATA_DIR/__cluster_metadata-0
  logs() { find "$m" -name '*.log' | sort | paste -sd,; }
  check "dump-log --cluster-metadata-decoder" "TOPIC_RECORD.*three-$n" run $t.DumpLogSegments --cluster-metadata-decoder --files "$(logs)"
  check "dump-log: the voters are in the log" "KRaftVoters" run $t.DumpLogSegments --cluster-metadata-decoder --files "$(logs)"
  check "dump-log: every batch is valid" "^0 lines" count "isvalid: false" run $t.DumpLogSegments --cluster-metadata-decoder --files "$(logs)"
  # It locks the directory, which is the node's while that runs.
  copy=$(mktemp -d); cp "$m"/*.log "$copy"
  shell() { timeout 60 java -Xmx256m -Dlog4j2.configurationFile="$conf" -cp "$KAFKA_LIBS/*" org.apache.kafka.shell.MetadataShell --snapshot "$(find "$copy" -name '*.log' | sort | head -n 1)" "$@"; }
  # It reads the file beside the command, and may be asked before it has come to its end: on a busy machine it shows less.
  shown() { # how many lines, pattern, command...
    local wanted=$1 pattern=$2; shift 2
    for _ in $(seq 1 8); do
      [ "$(shell "$@" 2>/dev/null | grep -cE "$pattern")" = "$wanted" ] && echo "$wanted shown" && return 0
    done
    return 1
  }
  check "metadata-shell: the brokers" "3 shown" shown 3 "^[123]$" ls /image/cluster/brokers
  check "metadata-shell: a topic" "1 shown" shown 1 "three-$n" ls /image/topics/byName
  rm -rf "$copy"
fi
exit $((failures > 0))
