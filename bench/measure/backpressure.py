"""Back-pressure: more than the disk takes, consumers that never read, thousands of connections, all at once.

Memory must stay within what is stated, and a client that behaves must still be served.
"""
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import threading
import time

import brokers
import machine
import raw

IDLE, ACTIVE, DEAF = 5_000, 500, 20


def fetch_all(topic, partitions):
    """A fetch of 50 MiB from the beginning, in version 4."""
    parts = b"".join(struct.pack(">iqi", p, 0, 50 << 20) for p in range(partitions))
    body = struct.pack(">iiiibi", -1, 500, 1, 50 << 20, 0, 1) + raw.string(topic) + struct.pack(">i", partitions) + parts
    return raw.frame(1, 4, body)


def latency(flags, broker, topic, seconds):
    done = subprocess.run([flags.generator, "latency", "--bootstrap", broker.address, "--pid", str(broker.pid), "--topic", topic,
                           "--rate", "100", "--seconds", str(seconds), "--warm-up", "1", "-o", "json"], capture_output=True, text=True)
    if done.returncode:
        return {"failed": done.stderr.strip()}
    found = json.loads(done.stdout)["acknowledged"]
    return {key: found[key] / 1e3 for key in ("p50_us", "p99_us", "max_us")} | {"unit": "ms", "count": found["count"]}


def idle_connections(broker, count):
    """Connections that said who they are once, and then nothing."""
    held = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", broker.port))
        raw.call(sock, 18, 0, b"")
        held.append(sock)
    return held


def deaf_consumers(broker, topic, partitions, count):
    """Each asks for megabytes again and again, and reads no answer."""
    held = []
    request = fetch_all(topic, partitions) * 50
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", broker.port))
        sock.setblocking(False)
        try:
            sock.send(request)
        except BlockingIOError:
            pass
        held.append(sock)
    return held


def producers(flags, broker, topic, connections, batch, seconds):
    return subprocess.Popen([flags.generator, "produce", "--bootstrap", broker.address, "--topic", topic, "--partitions", "20",
                             "--connections", str(connections), "--in-flight", "5", "--batch-bytes", str(batch), "--record-bytes", "1000",
                             "--seconds", str(seconds), "--warm-up", "0", "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(flags):
    folder = pathlib.Path(flags.data or "target/measure").resolve() / f"backpressure-{os.getpid()}"
    broker = brokers.Ottla("W", folder / "W", flags.port, flags.ottla, "wal")
    found = {"idle_connections": IDLE, "active_connections": ACTIVE, "deaf_consumers": DEAF, "seconds": flags.seconds,
             "machine": machine.describe(), "memory_mib": []}
    try:
        broker.start()
        measure(flags, broker, found)
    finally:
        broker.remove()
        shutil.rmtree(folder, ignore_errors=True)
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    flags.out.write_text(json.dumps(found, indent=1) + "\n")
    show(found)


def measure(flags, broker, found):
    mib = lambda: round(broker.held()["rss"] / 1048576, 1)
    found["rss_idle_mib"] = mib()
    found["healthy_alone"] = latency(flags, broker, "healthy", 10)
    held = idle_connections(broker, IDLE)
    found["rss_with_idle_connections_mib"] = mib()
    # Something for the deaf to ask for.
    first = producers(flags, broker, "load", 4, 1 << 20, 3)
    first.communicate(timeout=120)
    found["rss_after_first_load_mib"] = mib()
    held += deaf_consumers(broker, "load", 20, DEAF)
    big = producers(flags, broker, "load", 20, 1 << 20, flags.seconds)
    many = producers(flags, broker, "many", ACTIVE, 16_384, flags.seconds)
    begin = time.monotonic()
    beside = {}
    time.sleep(2)
    healthy = threading.Thread(target=lambda: beside.update(latency(flags, broker, "healthy", max(flags.seconds - 10, 2))))
    healthy.start()
    while time.monotonic() - begin < flags.seconds and broker.alive():
        found["memory_mib"].append([round(time.monotonic() - begin, 1), mib()])
        time.sleep(0.5)
    healthy.join(180)
    for process, name in ((big, "big"), (many, "many")):
        out, err = process.communicate(timeout=180)
        found[name] = {"mb_per_s": json.loads(out)["mb_per_s"], "verified": json.loads(out)["verified"]} if process.returncode == 0 else {"failed": err.strip()}
    found["healthy_beside"] = beside
    found["alive"] = broker.alive()
    if broker.alive():
        status = broker.held()
        found["rss_peak_mib"], found["files"] = round(status["peak"] / 1048576, 1), status["files"]
    for sock in held:
        sock.close()
    time.sleep(5)
    if broker.alive():
        found["rss_afterwards_mib"] = mib()


def show(found):
    for key, value in found.items():
        if key not in ("machine", "memory_mib"):
            print(f"{key:<32} {value if not isinstance(value, dict) else json.dumps(value)}")
    if found["memory_mib"]:
        print(f"{'memory during it, MiB':<32} {min(m for _, m in found['memory_mib'])} to {max(m for _, m in found['memory_mib'])}")
