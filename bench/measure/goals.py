"""The goals, each from the median figures of the cells it stands on. K is Kafka, W Ottla with flush=wal, N with flush=none."""


def least(value, bound):
    return value is not None and bound is not None and value <= bound


class Row:
    """A line of the goals table: which figures are shown, the goal in words, and whether it is met."""

    def __init__(self, measure, cell, key, goal, met, form="{:.2f}", columns=("K", "W", "N")):
        self.measure, self.cell, self.key, self.goal, self.met = measure, cell, key, goal, met
        self.form, self.columns = form, columns


def part(durable, none=None):
    """At most this part of Kafka's."""
    def met(k, w, n):
        if k is None or w is None:
            return None
        good = w <= k * durable
        return good if none is None else good and n is not None and n <= k * none
    return met


def at_most(durable):
    return lambda k, w, n: None if w is None else w <= durable


ROWS = [
    Row("produce 1 KiB acks=all, librdkafka: CPU-s/GB", "librdkafka_1k", "cpu_s_per_gb", "<= 1/2 durable, <= 1/4 none", part(1 / 2, 1 / 4)),
    Row("produce 1 KiB acks=all, librdkafka: MB/s", "librdkafka_1k", "mb_per_s", "durable never below Kafka's",
        lambda k, w, n: None if None in (k, w) else w >= k, "{:.0f}"),
    Row("produce 100 B acks=all, librdkafka: CPU-s/GB", "librdkafka_100", "cpu_s_per_gb", "<= 1/4 durable", part(1 / 4)),
    Row("64 KiB batches, lean client: CPU-s/GB", "lean_64k", "cpu_s_per_gb", "<= 1/5 durable", part(1 / 5)),
    Row("100 partitions x 1 KiB a request, lean: CPU-s/GB", "lean_100x1k", "cpu_s_per_gb", "<= 1/10 durable", part(1 / 10)),
    Row("one small record a request: us of CPU", "lean_one", "us_per_request", "<= 1/6 durable, <= 1/10 none", part(1 / 6, 1 / 10), "{:.1f}"),
    Row("consume 1 KiB, 1 partition, librdkafka: CPU-s/GB", "consume_1", "cpu_s_per_gb", "<= 1/2", part(1 / 2), "{:.3f}"),
    Row("consume 1 KiB, 6 partitions, librdkafka: CPU-s/GB", "consume_6", "cpu_s_per_gb", "<= 1/2", part(1 / 2), "{:.3f}"),
    Row("produce latency 1 KiB at 100/s, p50 ms", "latency_100", "p50_ms", "<= 0.5 durable", at_most(0.5), "{:.3f}"),
    Row("produce latency 1 KiB at 100/s, p99 ms", "latency_100", "p99_ms", "<= 2 durable", at_most(2), "{:.3f}"),
    Row("end to end at 200/s, p50 ms", "end_to_end_200", "p50_ms", "<= 0.6 durable", at_most(0.6), "{:.3f}"),
    Row("end to end at 200/s, p99 ms", "end_to_end_200", "p99_ms", "<= 2.5 durable", at_most(2.5), "{:.3f}"),
    Row("end to end at 10,000/s, p99 ms", "end_to_end_10k", "p99_ms", "durable no worse than Kafka", part(1), "{:.3f}"),
    Row("start to first acknowledged record, empty folder, ms", "first_record", "acknowledged_ms", "<= 50", at_most(50), "{:.0f}"),
    Row("after kill -9: first acknowledged record in all partitions, s", "recovery", "acknowledged_s", "<= 1", at_most(1), "{:.2f}"),
    Row("empty partitions: start, s", "partitions", "start_s", "<= 1", at_most(1), "{:.2f}"),
    Row("empty partitions: idle CPU, % of one processor", "partitions", "idle_cpu_percent", "0", at_most(0.2), "{:.1f}"),
    Row("empty partitions: resident bytes a partition", "partitions", "bytes_per_partition", "<= 512", at_most(512), "{:.0f}"),
    Row("empty partitions: open files a partition", "partitions", "files_per_partition", "0", at_most(0.001), "{:.3f}"),
    Row("memory idle, MiB", "first_record", "idle_rss_mib", "<= 20", at_most(20), "{:.1f}"),
    Row("memory under load (peak of all cells), MiB", "load", "peak_mib", "<= 90", at_most(90), "{:.0f}"),
]
