#!/usr/bin/env python3
"""Ottla beside Apache Kafka in one run, and what of it holds. Needs Python 3.9, Java 17 for Kafka, a C compiler for librdkafka.

usage: python3 bench/measure goals [--quick] [--cells a,b] [--rounds N] [--minutes M] [--out FILE.json] ...
       python3 bench/measure backpressure [--seconds 60] ...
       python3 bench/measure cluster [--quick] [--rounds N] ...    three nodes of each, three replicas
       python3 bench/measure render FILE.json       page and plots anew from the raw data

Kafka comes from --kafka DIR (a distribution or a folder of its jars; also $KAFKA_LIBS), else by name from Maven
Central. librdkafka's rdkafka_performance comes from --librdkafka PATH, else it is built from the sources in the
crate rdkafka-sys. Only loopback; ports --port and the next thirty.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import backpressure  # noqa: E402
import brokers  # noqa: E402
import cells  # noqa: E402
import clusters  # noqa: E402
import librdkafka  # noqa: E402
import machine  # noqa: E402
import render  # noqa: E402

LOAD = ["librdkafka_1k", "librdkafka_100", "lean_64k", "lean_100x1k", "lean_one", "consume_1", "consume_6",
        "latency_100", "end_to_end_200", "end_to_end_10k"]
ALONE = ["first_record", "recovery", "partitions"]


class Run:
    """One run: brokers, samples, and the file they go to after each cell."""

    def __init__(self, flags):
        self.flags, self.begin = flags, time.monotonic()
        self.folder = pathlib.Path(flags.data or ROOT / "target/measure").resolve() / f"run-{os.getpid()}"
        self.libs = brokers.kafka_libs(flags.kafka, ROOT / "target") if "K" in flags.variants else None
        needs = {"librdkafka_1k", "librdkafka_100", "consume_1", "consume_6"} & set(flags.cells)
        performance = (flags.librdkafka or librdkafka.build(ROOT)) if needs else None
        self.bench = cells.Bench(flags.generator, performance, 0.3 if flags.quick else 1.0)
        self.data = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "machine": machine.describe(),
                     "kafka_version": brokers.KAFKA_VERSION, "filesystem": filesystem(self.folder.parent), "versions": versions(flags),
                     "what": flags.what, "rounds": flags.rounds, "command": command(), "cells": flags.cells, "notes": [], "samples": []}

    def broker(self, variant, folder, offset):
        folder, port = self.folder / folder, self.flags.port + offset
        if variant == "K":
            return brokers.Kafka(variant, folder, port, self.libs)
        return brokers.Ottla(variant, folder, port, self.flags.ottla, {"W": "wal", "N": "none"}[variant])

    def note(self, text):
        self.data["notes"].append(text)

    def take(self, cell, variant, number, work):
        """Waits for quiet, does it, keeps what came of it; a cell that fails is said, and the run goes on."""
        left = self.flags.minutes * 60 - (time.monotonic() - self.begin)
        sample = {"cell": cell, "variant": variant, "round": number}
        if left < 0:
            sample["failed"] = "not begun: the run was out of time"
        else:
            sample["busy_before"] = round(machine.wait_for_idle(), 3)
            begin = time.monotonic()
            try:
                sample["values"] = work()
            except Exception as error:  # a bench that stops at the first fault shows nothing
                sample["failed"] = f"{type(error).__name__}: {error}"[:400]
            sample["took_s"] = round(time.monotonic() - begin, 1)
        self.data["samples"].append(sample)
        self.save()
        values = sample.get("values") or {}
        told = sample.get("failed") or "  ".join(f"{key} {values[key]:.4g}" for key in (
            "cpu_s_per_gb", "mb_per_s", "us_per_request", "p50_ms", "p99_ms", "acknowledged_ms", "acknowledged_s", "start_s",
            "bytes_per_partition", "foreign_share") if isinstance(values.get(key), (int, float)))
        print(f"[{(time.monotonic() - self.begin) / 60:5.1f} min] {cell:<16} {variant} round {number}  {told}", file=sys.stderr, flush=True)
        return values

    def save(self):
        self.flags.out.parent.mkdir(parents=True, exist_ok=True)
        self.flags.out.write_text(json.dumps(self.data, indent=1) + "\n")

    def load_cells(self):
        wanted = [cell for cell in LOAD if cell in self.flags.cells]
        if not wanted:
            return
        running = {variant: self.broker(variant, f"load-{variant}", 2 * index) for index, variant in enumerate(self.flags.variants)}
        try:
            for broker in running.values():
                broker.start()
            self.warm_up(running)
            for cell in wanted:
                for number in range(self.flags.rounds):
                    order = self.flags.variants if number % 2 == 0 else self.flags.variants[::-1]
                    for variant in order:
                        broker = running[variant]
                        if not broker.alive():
                            self.note(f"{render.NAMES[variant]} ended and was started again before {cell}")
                            broker.launch().connect().close()
                        self.take(cell, variant, number, lambda: getattr(cells, cell)(self.bench, broker))
            for variant, broker in running.items():
                held = broker.held()
                self.data["samples"].append({"cell": "load", "variant": variant, "round": 0, "values": {
                    "peak_mib": held["peak"] / 1048576, "rss_mib": held["rss"] / 1048576, "files": held["files"], "threads": held["threads"]}})
        finally:
            for broker in running.values():
                broker.remove()

    def warm_up(self, running):
        """The JVM compiles what it runs often; Ottla gets the same load."""
        seconds = 6 if self.flags.quick else 24
        for broker in running.values():
            for words in (["--batch-bytes", "65536"], ["--batch-bytes", "1100", "--record-bytes", "1000", "--partitions-per-request", "20"],
                          ["--batch-bytes", "100"]):
                topic = self.bench.topic("warm")
                self.bench.lean(broker, "produce", "--topic", topic, *words, seconds=seconds / 3, warm_up=0)
                cells.drop(broker, topic)
            topic = self.bench.topic("warm")
            self.bench.lean(broker, "fetch", "--topic", topic, "--preload-mb", "200", seconds=seconds / 3, warm_up=0)
            cells.drop(broker, topic)

    def alone_cells(self):
        """Cells for which a broker is started on a folder of its own, one at a time."""
        for cell in (cell for cell in ALONE if cell in self.flags.cells):
            for number in range(self.flags.rounds if cell == "first_record" else 1):
                for variant in self.flags.variants:
                    broker = self.broker(variant, f"{cell}-{variant}-{number}", 0)
                    try:
                        self.take(cell, variant, number, lambda: self.alone(cell, variant, broker))
                    finally:
                        broker.kill()
                        broker.remove()

    def alone(self, cell, variant, broker):
        if cell == "first_record":
            found = cells.first_record(broker)
            return {**found, "idle_rss_mib": found["idle_rss"] / 1048576}
        if cell == "recovery":
            return cells.recovery(self.bench, broker, 1 if self.flags.quick else self.flags.recovery_gb)
        # Kafka holds files open for every partition, and a process may have only so many.
        count = self.flags.partitions if variant != "K" else min(self.flags.partitions, self.flags.kafka_partitions)
        return cells.partitions(broker, max(count // 10, 1) if self.flags.quick else count)


def filesystem(folder):
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True)
    return done.stdout.strip() or "file system unknown"


def versions(flags):
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.splitlines() if "K" in flags.variants else []
    revision = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return f"Ottla at {revision or 'no revision'}; librdkafka {librdkafka.VERSION}; {java[0] if java else 'no Java'}; Python {platform.python_version()}"


def command():
    hidden = str(pathlib.Path.home())
    words = [pathlib.Path(word).name if word.startswith("/") or hidden in word else word for word in sys.argv[1:]]
    return "python3 bench/measure " + " ".join(words)


def parse():
    parser = argparse.ArgumentParser(prog="bench/measure", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["goals", "cluster", "backpressure", "render"])
    parser.add_argument("file", nargs="?", help="for render: the raw data")
    parser.add_argument("--quick", action="store_true", help="a third of the load, a tenth of the partitions; figures not to be published")
    parser.add_argument("--cells", help=f"only these: {', '.join(LOAD + ALONE)}; of a cluster {', '.join(clusters.CELLS)}")
    parser.add_argument("--variants", default="KWN", help="K Kafka, W Ottla flush=wal, N Ottla flush=none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=29, help="begin no cell after so many")
    parser.add_argument("--seconds", type=float, default=60, help="of backpressure")
    parser.add_argument("--recovery-gb", type=float, default=10)
    parser.add_argument("--partitions", type=int, default=10_000)
    parser.add_argument("--kafka-partitions", type=int, default=5_000, help="at most so many for Kafka, which needs files for each")
    parser.add_argument("--prefault-gb", type=float, default=6)
    parser.add_argument("--ottla", default=str(ROOT / "target/release/ottla"), help="the binary")
    parser.add_argument("--generator", default=str(ROOT / "target/release/ottla-bench"))
    parser.add_argument("--kafka", default=os.environ.get("KAFKA_LIBS"), help="Kafka's folder, or that of its jars")
    parser.add_argument("--librdkafka", help="an rdkafka_performance that is built")
    parser.add_argument("--data", help="where the brokers' folders are made: the file system that is measured")
    parser.add_argument("--port", type=int, default=26_100)
    parser.add_argument("--out", type=pathlib.Path, help="raw data; page and plots go beside it")
    flags = parser.parse_args()
    every = clusters.CELLS if flags.what == "cluster" else LOAD + ALONE
    flags.cells = flags.cells.split(",") if flags.cells else every
    unknown = set(flags.cells) - set(every)
    if unknown:
        parser.error(f"no cell {', '.join(sorted(unknown))}")
    if set(flags.variants) - set("KWN") or not flags.variants:
        parser.error("--variants is made of K, W and N")
    for tool in ("ottla", "generator"):
        setattr(flags, tool, str(pathlib.Path(getattr(flags, tool)).resolve()))
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    flags.out = flags.out or ROOT / "docs/benchmarks" / f"{today}{'-quick' if flags.quick else ''}{'' if flags.what == 'goals' else '-' + flags.what}.json"
    return flags


def page_of(data):
    """What knows how to write the page of such a run."""
    return clusters if data.get("what") == "cluster" else render


def main():
    flags = parse()
    if flags.what == "render":
        data = json.loads(pathlib.Path(flags.file).read_text())
        page_of(data).write(data, flags.file)
        return
    for tool in (flags.ottla, flags.generator):
        if not os.access(tool, os.X_OK):
            sys.exit(f"{tool} is not there: cargo build --release -p ottla -p ottla-bench")
    if flags.what == "backpressure":
        backpressure.run(flags)
        return
    # Ended from outside, it still ends the brokers it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    run = Run(flags)
    try:
        machine.prefault(run.folder.parent, 1 if flags.quick else flags.prefault_gb)
        if flags.what == "cluster":
            clusters.run(run)
        else:
            run.load_cells()
            run.alone_cells()
    finally:
        shutil.rmtree(run.folder, ignore_errors=True)
        run.save()
        page_of(run.data).write(run.data, flags.out)
    print(clusters.page(run.data, flags.out.stem) if flags.what == "cluster" else render.terminal(run.data))
    print(f"\n{(time.monotonic() - run.begin) / 60:.1f} minutes; {flags.out} and what stands beside it")


main()
