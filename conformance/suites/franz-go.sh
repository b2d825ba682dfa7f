#!/usr/bin/env bash
# The tests of franz-go's client that talk to a broker, through the Go module proxy. A process a test.
set -euo pipefail
. "$(dirname "$0")/go.inc"
verb=$1 dir=$2
shift 2
version=v1.22.2
files="client_test.go consumer_test.go group_test.go produce_request_test.go share_test.go txn_test.go"

prepare() {
  [ -e "$dir/ready-$version" ] && return
  local module
  module=$(cd "$dir" && GOFLAGS=-mod=mod go mod download -json "github.com/twmb/franz-go@$version" |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  rm -rf "$dir/franz-go"
  cp -r "$module" "$dir/franz-go"
  chmod -R u+w "$dir/franz-go"
  (cd "$dir/franz-go/pkg/kgo" && go test -c -o "$dir/kgo.test" .)
  touch "$dir/ready-$version"
}

# Tests whose body asks for a client of the brokers under test.
tests() {
  cd "$dir/franz-go/pkg/kgo"
  awk '/^func Test/ { name = $2; sub(/\(.*/, "", name) }
       /newTestClient|testClientOpts|getSeedBrokers|tmpTopic/ && name != "" { print name; name = "" }
       /^}/ { name = "" }' $files
}

run() {
  local address=$1 test
  shift
  mkdir -p "$dir/logs"
  export KGO_SEEDS=$address KGO_TEST_RF=1 KGO_TEST_RECORDS=${RECORDS:-20000} KGO_LOG_LEVEL=none
  for test in $(tests); do
    [ $# = 0 ] || [[ " $* " == *" $test "* ]] || continue
    (cd "$dir/franz-go/pkg/kgo" && go_test "$test" "$dir/logs/$test.log" "$dir/kgo.test")
  done
}

"$verb" "$@"
