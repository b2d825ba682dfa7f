"""Three nodes of Ottla beside three of Apache Kafka: what replication costs, and how long a record takes.

Both clusters run at once, one is loaded at a time. Topics have three replicas and min.insync.replicas=2; every
producer waits for acks=all. CPU is that of all three processes.
"""
import pathlib
import statistics
import subprocess
import time

import brokers
import cells
import machine
import raw

NODES = 3
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
CELLS = ["librdkafka_1k", "lean_64k", "latency_100", "latency_1000"]
NAMES = {"K": "Apache Kafka", "W": "Ottla, flush=wal (durable)", "N": "Ottla, flush=none"}
REPLICAS = [("min.insync.replicas", "2")]


def settings(node, folder, first_port):
    """What each of the nodes is told; the same words for both programs."""
    client = lambda id: first_port + 2 * (id - 1)
    return {
        "node.id": node, "process.roles": "broker,controller",
        "listeners": f"PLAINTEXT://127.0.0.1:{client(node)},CONTROLLER://127.0.0.1:{client(node) + 1}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{client(node)}", "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(f"{id}@127.0.0.1:{client(id) + 1}" for id in range(1, NODES + 1)),
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "log.dirs": folder / "data",
    }


class OttlaNode(brokers.Ottla):
    def __init__(self, node, folder, first_port, binary, flush):
        super().__init__(f"{node}", folder, first_port + 2 * (node - 1), binary, flush)
        self.words = {**settings(node, self.folder, first_port), "ottla.cluster.id": CLUSTER_ID, "ottla.flush": flush}

    def command(self):
        return [self.binary, "server"] + [word for key, value in self.words.items() for word in ("--set", f"{key}={value}")]


class KafkaNode(brokers.Kafka):
    def __init__(self, node, folder, first_port, libs):
        super().__init__(f"{node}", folder, first_port + 2 * (node - 1), libs)
        self.words = settings(node, self.folder, first_port)

    def settings(self):
        return self.words


class Cluster:
    """Three nodes, to be looked at like one broker."""

    def __init__(self, nodes):
        self.nodes = nodes

    def start(self):
        for node in self.nodes:
            node.prepare()
            node.launch()
        for node in self.nodes:
            node.connect().close()
        self.until_all_are_there()
        return self

    def until_all_are_there(self, limit=120):
        """A topic with three replicas can be made."""
        begin = time.monotonic()
        while True:
            with self.nodes[0].connect() as sock:
                code = raw.create_topic(sock, "ready", 1, REPLICAS, replicas=NODES)
            if code in (0, 36):
                return
            if time.monotonic() - begin > limit:
                raise RuntimeError(f"no topic with {NODES} replicas: error {code}")
            time.sleep(0.2)

    @property
    def pids(self):
        return [node.pid for node in self.nodes]

    @property
    def addresses(self):
        return ",".join(node.address for node in self.nodes)

    def topic(self, name, partitions):
        """Makes it, and waits until all leaders take records. The node that leads its first partition."""
        with self.nodes[0].connect() as sock:
            code = raw.create_topic(sock, name, partitions, REPLICAS, replicas=NODES)
            if code:
                raise RuntimeError(f"topic {name}: error {code}")
        begin = time.monotonic()
        while True:
            led = {}
            for node in self.nodes:
                with node.connect() as sock:
                    led |= {index: node for index in range(partitions) if raw.produce(sock, name, (index,)) == 0}
            if len(led) == partitions:
                return led[0]
            if time.monotonic() - begin > 60:
                raise RuntimeError(f"topic {name}: leaders of {sorted(led)} alone take records")
            time.sleep(0.1)

    def count(self, name, partitions):
        """All records of a topic, each partition asked where it is led."""
        found = {}
        for node in self.nodes:
            with node.connect() as sock:
                for index in range(partitions):
                    offset = raw.end_offset(sock, name, index)
                    found |= {} if offset is None else {index: offset}
        return sum(found.values()) if len(found) == partitions else None

    def drop(self, name):
        with self.nodes[0].connect() as sock:
            raw.delete_topic(sock, name)

    def remove(self):
        for node in self.nodes:
            node.kill()
        for node in self.nodes:
            node.remove()


def librdkafka_1k(bench, cluster):
    topic, partitions, count, size = bench.topic("rdk"), 6, int(500_000 * bench.scale), 1024
    cluster.topic(topic, partitions)
    try:
        before = cluster.count(topic, partitions)
        window = machine.Window(*cluster.pids)
        done = subprocess.run([bench.librdkafka, "-b", cluster.addresses, "-c", str(count), "-X", "log_level=3", "-P", "-t", topic,
                               "-s", str(size), "-a", "-1"], capture_output=True, text=True, timeout=600)
        used = window.end()
        if done.returncode:
            raise RuntimeError(f"rdkafka_performance: {(done.stdout + done.stderr)[-300:]}")
        there = cluster.count(topic, partitions)
        if there is None or there - before != count:
            raise RuntimeError(f"{count} records were sent, {there} less {before} are there")
    finally:
        cluster.drop(topic)
    return costs(used, count * size)


def lean_64k(bench, cluster):
    topic, seconds = bench.topic("lean"), bench.seconds(6)
    leader = cluster.topic(topic, 1)
    try:
        window = machine.Window(*cluster.pids)
        found = bench.lean(leader, "produce", "--topic", topic, "--partitions", "1", "--batch-bytes", "65536", "--record-bytes", "1000",
                           seconds=seconds, warm_up=0)
        used = window.end()
    finally:
        cluster.drop(topic)
    return {**costs(used, found["measured"]["bytes"]), "verified": found.get("verified")}


def costs(used, size):
    gigabytes = size / 1e9
    return {"cpu_s_per_gb": used["broker_cpu_s"] / gigabytes, "mb_per_s": gigabytes * 1e3 / used["seconds"],
            "client_cpu_s_per_gb": used["client_cpu_s"] / gigabytes, "system_cpu_s_per_gb": used["system_cpu_s"] / gigabytes,
            "foreign_share": used["foreign_share"], "stolen_share": used["stolen_share"]}


def latency(bench, cluster, rate):
    topic = bench.topic("latency")
    leader = cluster.topic(topic, 1)
    try:
        window = machine.Window(*cluster.pids)
        found = bench.lean(leader, "latency", "--topic", topic, "--rate", str(rate), "--record-bytes", "1024",
                           seconds=bench.seconds(10), warm_up=2)
        used = window.end()
    finally:
        cluster.drop(topic)
    done = found["acknowledged"]
    return {"p50_ms": done["p50_us"] / 1e3, "p99_ms": done["p99_us"] / 1e3, "p999_ms": done["p999_us"] / 1e3,
            "max_ms": done["max_us"] / 1e3, "cpu_us_per_record": used["broker_cpu_s"] / (rate * (bench.seconds(10) + 2)) * 1e6,
            "foreign_share": used["foreign_share"], "stolen_share": used["stolen_share"]}


def latency_100(bench, cluster):
    return latency(bench, cluster, 100)


def latency_1000(bench, cluster):
    return latency(bench, cluster, 1_000)


def warm_up(bench, cluster, seconds):
    """The JVM compiles what it runs often; Ottla gets the same load."""
    for words in (["--batch-bytes", "65536"], ["--batch-bytes", "100"]):
        topic = bench.topic("warm")
        leader = cluster.topic(topic, 1)
        bench.lean(leader, "produce", "--topic", topic, "--partitions", "1", *words, seconds=seconds / 2, warm_up=0)
        cluster.drop(topic)


def make(run, variant, index):
    """The nodes of one program, on ten ports of their own."""
    first, folder = run.flags.port + 10 * index, run.folder / f"cluster-{variant}"
    node = {"K": lambda id: KafkaNode(id, folder / f"{id}", first, run.libs),
            "W": lambda id: OttlaNode(id, folder / f"{id}", first, run.flags.ottla, "wal"),
            "N": lambda id: OttlaNode(id, folder / f"{id}", first, run.flags.ottla, "none")}[variant]
    return Cluster([node(id) for id in range(1, NODES + 1)])


def run(run):
    running = {variant: make(run, variant, index) for index, variant in enumerate(run.flags.variants)}
    try:
        for cluster in running.values():
            cluster.start()
            warm_up(run.bench, cluster, 4 if run.flags.quick else 16)
        for cell in (cell for cell in CELLS if cell in run.flags.cells):
            for number in range(run.flags.rounds):
                order = run.flags.variants if number % 2 == 0 else run.flags.variants[::-1]
                for variant in order:
                    run.take(cell, variant, number, lambda: globals()[cell](run.bench, running[variant]))
        for variant, cluster in running.items():
            held = [node.held() for node in cluster.nodes]
            run.data["samples"].append({"cell": "load", "variant": variant, "round": 0, "values": {
                "rss_mib": sum(one["rss"] for one in held) / 1048576, "peak_mib": sum(one["peak"] for one in held) / 1048576}})
    finally:
        for cluster in running.values():
            cluster.remove()


def page(data, stem):
    """The page of a run, as Markdown."""
    host = data["machine"]
    out = [f"# Three nodes of Ottla beside three of Apache Kafka {data['kafka_version']}, {data['date']}", "",
           f"All six processes and the clients on one machine: {host['processors']} processors ({host['cpu']}), {host['memory_gib']} GiB, kernel "
           f"{host['kernel']}, {data['filesystem']}; {data['versions']}. Three replicas, min.insync.replicas=2, acks=all. CPU is that of the three "
           f"processes of a cluster. {data['rounds']} rounds a cell; medians, with the least and the most in brackets. Ottla's acknowledged records are on "
           f"stable storage of all replicas in sync, Kafka's in their memory. Raw data: [{stem}.json]({stem}.json). Command:", "",
           "```", data["command"], "```", ""]
    out += [f"- {note}" for note in data["notes"]]
    variants = [variant for variant in NAMES if any(sample["variant"] == variant for sample in data["samples"])]
    out += ["| measure | " + " | ".join(NAMES[variant] for variant in variants) + " |", "|--|" + "--:|" * len(variants)]
    for label, cell, key, form in ROWS:
        out.append(f"| {label} | " + " | ".join(shown(data, cell, variant, key, form) for variant in variants) + " |")
    failed = [sample for sample in data["samples"] if "failed" in sample]
    out += ["", "## What disturbed it", ""]
    out += [f"- {sample['cell']} of {NAMES[sample['variant']]}, round {sample['round']}, failed: {sample['failed']}" for sample in failed] or ["- nothing"]
    return "\n".join(out) + "\n"


ROWS = [
    ("produce 1 KiB, librdkafka, 6 partitions: CPU-s/GB", "librdkafka_1k", "cpu_s_per_gb", "{:.2f}"),
    ("produce 1 KiB, librdkafka, 6 partitions: MB/s", "librdkafka_1k", "mb_per_s", "{:.0f}"),
    ("64 KiB batches, lean client, 1 partition: CPU-s/GB", "lean_64k", "cpu_s_per_gb", "{:.2f}"),
    ("64 KiB batches, lean client, 1 partition: MB/s", "lean_64k", "mb_per_s", "{:.0f}"),
    ("latency of 1 KiB at 100/s, p50 ms", "latency_100", "p50_ms", "{:.3f}"),
    ("latency of 1 KiB at 100/s, p99 ms", "latency_100", "p99_ms", "{:.3f}"),
    ("latency of 1 KiB at 1,000/s, p50 ms", "latency_1000", "p50_ms", "{:.3f}"),
    ("latency of 1 KiB at 1,000/s, p99 ms", "latency_1000", "p99_ms", "{:.3f}"),
    ("CPU a record at 1,000/s, us", "latency_1000", "cpu_us_per_record", "{:.0f}"),
    ("memory of the three processes at most, MiB", "load", "peak_mib", "{:.0f}"),
]


def shown(data, cell, variant, key, form):
    found = [sample["values"][key] for sample in data["samples"]
             if sample["cell"] == cell and sample["variant"] == variant and key in sample.get("values", {})]
    if not found:
        return "-"
    middle = form.format(statistics.median(found))
    return middle if len(found) == 1 else f"{middle} ({form.format(min(found))}-{form.format(max(found))})"


def write(data, file):
    file = pathlib.Path(file)
    file.with_suffix(".md").write_text(page(data, file.stem))
