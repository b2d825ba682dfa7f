#!/usr/bin/env bash
# kafka-python's integration tests, from its source distribution. That leaves test/service.py out, which starts
# brokers; a stand-in says that the broker is there already. Tests that start brokers of their own skip themselves.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
verb=$1 dir=$2
shift 2
version=3.0.12
src=$dir/kafka_python-$version

prepare() {
  [ -e "$dir/ready-$version" ] && return
  python3 -m venv "$dir/venv"
  "$dir/venv/bin/pip" install -q pytest==8.4.2 pytest-timeout==2.4.0 pytest-mock==3.15.1 \
    lz4 zstandard python-snappy crc32c
  "$dir/venv/bin/pip" download -q --no-binary :all: --no-deps -d "$dir" "kafka-python==$version"
  tar xzf "$dir/kafka_python-$version.tar.gz" -C "$dir"
  touch "$src/test/__init__.py" "$dir/ready-$version"
  cat >"$src/test/service.py" <<'PY'
class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port

    def open(self):
        pass

    dump_logs = stop = close = open


class SpawnedService:
    def __init__(self, *args, **kwargs):
        raise RuntimeError("no broker is started here")
PY
}

run() {
  local address=$1 status=0
  shift
  local select=()
  [ $# -gt 0 ] && select=(-k "$(printf '%s or ' "$@" | sed 's/ or $//')")
  cd "$src"
  # The newest version this client tells apart; the fixtures want a folder where Kafka would be.
  KAFKA_VERSION=4.3.0 KAFKA_URI=kafka://$address KAFKA_ROOT=$dir PYTHONPATH=$here \
    "$dir/venv/bin/python" -m pytest -p pytest_lines -p no:cacheprovider -o addopts= -q --tb=short \
    --log-level=WARNING --timeout=90 --timeout-method=signal "${select[@]}" test/integration \
    3>&1 >"$dir/last.log" 2>&1 || status=$?
  # 1 says that tests failed, which the lines say as well.
  [ "$status" -le 1 ]
}

"$verb" "$@"
