"""What is measured, a function a cell. Each returns numbers by name; none decides what is good."""
import json
import re
import subprocess
import time

import machine
import raw


class Bench:
    """The tools and lengths of a run."""

    def __init__(self, generator, librdkafka, scale=1.0):
        self.generator, self.librdkafka, self.scale = generator, librdkafka, scale
        self.topics = 0

    def topic(self, kind):
        self.topics += 1
        return f"{kind}-{self.topics}"

    def seconds(self, full):
        return max(1.0, full * self.scale)

    def lean(self, broker, *words, seconds, warm_up=1.5):
        """One run of the lean generator against a broker that runs."""
        done = subprocess.run([self.generator, *words, "--bootstrap", broker.address, "--pid", str(broker.pid), "--seconds",
                               str(seconds), "--warm-up", str(warm_up), "-o", "json"],
                              capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise RuntimeError(done.stderr.strip() or f"the generator ended with {done.returncode}")
        return json.loads(done.stdout)


def drop(broker, topic):
    with broker.connect() as sock:
        raw.delete_topic(sock, topic)


def of_lean(found):
    """The figures of one run of the lean generator."""
    measured = found["measured"]
    if not measured["bytes"]:
        raise RuntimeError("nothing was acknowledged in the measured part")
    gigabytes = measured["bytes"] / 1e9
    return {"cpu_s_per_gb": found["broker_cpu_s_per_gb"], "us_per_request": found["broker_us_per_request"],
            "mb_per_s": found["mb_per_s"], "records_per_s": measured["records"] / measured["seconds"],
            "client_cpu_s_per_gb": measured["client_cpu_s"] / gigabytes,
            "system_cpu_s_per_gb": measured["system_cpu_s"] / gigabytes,
            "rss_peak": measured["broker"]["rss_peak_bytes"], "files": measured["broker"]["files"],
            "foreign_share": measured["foreign_share"], "stolen_share": measured["stolen_share"],
            "verified": found.get("verified")}


def lean_produce(bench, broker, *words, warm_up=1.5):
    topic = bench.topic("lean")
    try:
        return of_lean(bench.lean(broker, "produce", "--topic", topic, *words, seconds=bench.seconds(5), warm_up=warm_up))
    finally:
        drop(broker, topic)


def lean_64k(bench, broker):
    return lean_produce(bench, broker, "--batch-bytes", "65536", "--record-bytes", "100")


def lean_100x1k(bench, broker):
    return lean_produce(bench, broker, "--batch-bytes", "1100", "--record-bytes", "1000", "--partitions-per-request", "100",
                        warm_up=4)  # the first write to a partition makes its files


def lean_one(bench, broker):
    return lean_produce(bench, broker, "--batch-bytes", "100", "--record-bytes", "100")


def librdkafka_run(bench, broker, count, size, words):
    """One run of rdkafka_performance, with the window around the whole process."""
    window = machine.Window(broker.pid)
    done = subprocess.run([bench.librdkafka, "-b", broker.address, "-c", str(count), "-X", "log_level=3", *words],
                          capture_output=True, text=True, timeout=600)
    used = window.end()
    text = done.stdout + done.stderr
    if done.returncode:
        raise RuntimeError(f"rdkafka_performance: {text[-300:]}")
    gigabytes = count * size / 1e9
    # What it says last is of the whole run, its own start not in it.
    lines = "\n".join(line for line in text.splitlines() if "INTERVAL" not in line)
    told = re.findall(r"in (\d+)ms: +\d+ msgs/s (?:and |\()([\d.]+) ?[Mm][Bb]/s", lines)
    return {"cpu_s_per_gb": used["broker_cpu_s"] / gigabytes, "us_per_record": used["broker_cpu_s"] / count * 1e6,
            "mb_per_s": float(told[-1][1]) if told else gigabytes * 1e3 / used["seconds"],
            "wall_mb_per_s": gigabytes * 1e3 / used["seconds"],
            "client_cpu_s_per_gb": used["client_cpu_s"] / gigabytes, "system_cpu_s_per_gb": used["system_cpu_s"] / gigabytes,
            "rss_peak": broker.held()["peak"], "foreign_share": used["foreign_share"], "stolen_share": used["stolen_share"],
            "told": text.strip().splitlines()[-1:] }


def librdkafka_produce(bench, broker, count, size):
    topic, partitions = bench.topic("rdk"), 6
    count = int(count * bench.scale)
    try:
        with broker.connect() as sock:
            raw.create_topic(sock, topic, partitions)
            found = librdkafka_run(bench, broker, count, size, ["-P", "-t", topic, "-s", str(size), "-a", "-1"])
            there = sum(raw.end_offsets(sock, topic, partitions).values())
        if there != count:
            raise RuntimeError(f"{count} records were sent, {there} are there")
        return found
    finally:
        drop(broker, topic)


def librdkafka_1k(bench, broker):
    return librdkafka_produce(bench, broker, 1_000_000, 1024)


def librdkafka_100(bench, broker):
    return librdkafka_produce(bench, broker, 4_000_000, 100)


def librdkafka_consume(bench, broker, partitions):
    """Reads a topic of 1 KiB records that was written once for all rounds."""
    name = f"read-{partitions}"
    with broker.connect() as sock:
        if raw.create_topic(sock, name, partitions) == 0:
            bench.lean(broker, "fetch", "--topic", name, "--partitions", str(partitions), "--batch-bytes", "65536",
                       "--record-bytes", "1024", "--consumers", "0", "--preload-mb", str(int(1_000 * bench.scale)),
                       seconds=0.1, warm_up=0)
            machine.wait_for_idle()
        count = sum(raw.end_offsets(sock, name, partitions).values())
    if partitions == 1:
        words = ["-C", "-t", name, "-p", "0", "-o", "beginning"]
    else:
        words = ["-G", bench.topic("group"), "-t", name, "-X", "auto.offset.reset=earliest"]
    return librdkafka_run(bench, broker, count, 1024, words)


def consume_1(bench, broker):
    return librdkafka_consume(bench, broker, 1)


def consume_6(bench, broker):
    return librdkafka_consume(bench, broker, 6)


def latency(bench, broker, rate, *words):
    topic = bench.topic("latency")
    try:
        found = bench.lean(broker, "latency", "--topic", topic, "--rate", str(rate), "--record-bytes", "1024", *words,
                           seconds=bench.seconds(10), warm_up=2)
    finally:
        drop(broker, topic)
    measured = found["measured"]
    done = found.get("consumed") or found["acknowledged"]
    return {"p50_ms": done["p50_us"] / 1e3, "p99_ms": done["p99_us"] / 1e3, "p999_ms": done["p999_us"] / 1e3,
            "max_ms": done["max_us"] / 1e3, "curve": done["curve"],
            "client_late_p99_ms": found["lateness"]["p99_us"] / 1e3,
            "cpu_us_per_record": (measured["broker"]["user_s"] + measured["broker"]["system_s"]) / max(measured["records"], 1) * 1e6,
            "foreign_share": measured["foreign_share"], "stolen_share": measured["stolen_share"]}


def latency_100(bench, broker):
    return latency(bench, broker, 100)


def end_to_end_200(bench, broker):
    return latency(bench, broker, 200, "--end-to-end")


def end_to_end_10k(bench, broker):
    return latency(bench, broker, 10_000, "--end-to-end")


def first_record(broker):
    """From exec on an empty folder to the first acknowledged record; then memory after some quiet."""
    broker.prepare()
    begin = time.monotonic()
    broker.launch()
    launched = time.monotonic() - begin
    found = raw.until_acknowledged(broker.port, "first", create=1, alive=broker.alive)
    time.sleep(5)
    held = broker.held()
    before = machine.cpu(broker.pid)
    time.sleep(5)
    return {"listens_ms": (launched + found["listens_s"]) * 1e3, "acknowledged_ms": (launched + found["acknowledged_s"]) * 1e3,
            "idle_rss": held["rss"], "idle_files": held["files"], "idle_threads": held["threads"],
            "idle_cpu_percent": (machine.cpu(broker.pid) - before) / 5 * 100}


def recovery(bench, broker, gigabytes, partitions=100):
    """Fills the partitions, kills, starts again; all that was acknowledged must be there."""
    broker.start()
    bench.lean(broker, "fetch", "--topic", "fill", "--partitions", str(partitions), "--batch-bytes", "65536", "--record-bytes",
               "1000", "--consumers", "0", "--preload-mb", str(int(gigabytes * 1000)), seconds=0.1, warm_up=0)
    with broker.connect() as sock:
        before = raw.end_offsets(sock, "fill", partitions)
    broker.kill()
    begin = time.monotonic()
    broker.launch()
    launched = time.monotonic() - begin
    found = raw.until_acknowledged(broker.port, "fill", partitions=tuple(range(partitions)), alive=broker.alive)
    cpu = machine.cpu(broker.pid)
    with broker.connect() as sock:
        after = raw.end_offsets(sock, "fill", partitions)
    lost = sum(max(before[p] - after[p], 0) for p in before)
    return {"gigabytes": gigabytes, "partitions": partitions, "acknowledged_s": launched + found["acknowledged_s"],
            "listens_s": launched + found["listens_s"], "cpu_s": cpu, "records": sum(before.values()), "lost": lost}


def partitions(broker, count):
    """What empty partitions cost: to make, to hold, to start with."""
    broker.start()
    with broker.connect() as sock:
        raw.create_topic(sock, "one", 1)
        raw.produce(sock, "one")
        time.sleep(3)
        before = broker.held()
        begin = time.monotonic()
        code = raw.create_topic(sock, "many", count)
        if code:
            raise RuntimeError(f"{count} partitions: error {code}")
        while raw.produce(sock, "many", (count - 1,)):
            if time.monotonic() - begin > 300:
                raise RuntimeError("the last partition takes no records")
            time.sleep(0.02)
    made = time.monotonic() - begin
    machine.wait_for_idle()
    cpu = machine.cpu(broker.pid)
    time.sleep(5)
    idle = (machine.cpu(broker.pid) - cpu) / 5 * 100
    # Idle partitions: what making them took has been given back by now, or never will be.
    after = broker.held()
    stopped = broker.stop()
    begin = time.monotonic()
    broker.launch()
    found = raw.until_acknowledged(broker.port, "many", partitions=(count - 1,), alive=broker.alive)
    time.sleep(5)
    restarted = broker.held()
    grown = lambda key: (after[key] - before[key]) / count
    return {"partitions": count, "made_s": made, "stop_s": stopped, "start_s": found["acknowledged_s"], "idle_cpu_percent": idle,
            "bytes_per_partition": grown("rss"), "anonymous_bytes_per_partition": grown("anonymous"),
            "files_per_partition": grown("files"), "bytes_per_partition_after_restart": (restarted["rss"] - before["rss"]) / count}
