"""kafka-python against the broker at $BOOTSTRAP."""
import os
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition, __version__
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import UnknownBrokerIdError

import checks
from checks import BOOTSTRAP, check, eventually, topic

print(f"# kafka-python {__version__}")
RESTARTING = os.environ.get("RESTARTING") == "1"
admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def ask(what, *arguments):
    """Asks the controller. kafka-python keeps its number for ever, and does not look for another where that node is
    away at this moment, with nodes of Apache Kafka as well."""
    global admin
    for tries in range(4):
        try:
            return getattr(admin, what)(*arguments)
        except UnknownBrokerIdError:
            if not RESTARTING or tries == 3:
                raise
            admin.close()
            admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def produce(name, values, **config):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, **config)
    sent = [producer.send(name, value) for value in values]
    producer.flush(30)
    offsets = [future.get(30).offset for future in sent]
    producer.close()
    return offsets


def read(name, count, **config):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", enable_auto_commit=False,
                             **config)
    consumer.assign([TopicPartition(name, 0)])
    consumer.seek_to_beginning()
    got = []

    def poll():
        for records in consumer.poll(500).values():
            got.extend(records)
        return len(got) >= count
    eventually(f"{count} records of {name}", poll)
    consumer.close()
    return got


@check
def create():
    """create, list and describe topics"""
    name = topic("k-create")
    ask("create_topics", [NewTopic(name, 3, 1)])
    assert name in admin.list_topics()


@check
def plain():
    """produce and consume 2,000 records"""
    name = topic("k-plain")
    values = [f"value {i}".encode() for i in range(2000)]
    assert produce(name, values) == list(range(2000))
    assert [r.value for r in read(name, 2000)] == values


for codec in ("gzip", "snappy", "lz4", "zstd"):
    def compressed(codec=codec):
        name = topic(f"k-{codec}")
        values = [f"{codec} record {i} ".encode() * 10 for i in range(1000)]
        produce(name, values, compression_type=codec, linger_ms=20)
        assert [r.value for r in read(name, 1000)] == values
    compressed.__doc__ = f"compression {codec}"
    check(compressed)

for acks in (0, 1, "all"):
    def with_acks(acks=acks):
        name = topic(f"k-acks{acks}")
        ask("create_topics", [NewTopic(name, 1, 1)])
        producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, acks=acks, enable_idempotence=False)
        producer.send(name, b"x")
        producer.flush(10)
        assert read(name, 1)[0].value == b"x"
        producer.close()
    with_acks.__doc__ = f"acks={acks}"
    check(with_acks)


@check
def headers():
    """headers, keys, timestamps"""
    name = topic("k-headers")
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP)
    producer.send(name, b"v", key=b"k", headers=[("h", b"1"), ("h", b"2")], timestamp_ms=1500000000000)
    producer.flush(10)
    producer.close()
    record = read(name, 1)[0]
    assert record.key == b"k" and record.timestamp == 1500000000000
    assert [tuple(h) for h in record.headers] == [("h", b"1"), ("h", b"2")]


@check
def group():
    """subscribe, commit, resume"""
    name, group_id = topic("k-group"), topic("k-g")
    produce(name, [str(i).encode() for i in range(10)])

    def take():
        consumer = KafkaConsumer(name, bootstrap_servers=BOOTSTRAP, group_id=group_id, auto_offset_reset="earliest",
                                 enable_auto_commit=False, session_timeout_ms=10000, max_poll_records=5)
        got = []

        def poll():
            for records in consumer.poll(500).values():
                got.extend(r.value for r in records)
            return got
        eventually("records", poll)
        consumer.commit()
        consumer.close()
        return got
    assert take() == [b"0", b"1", b"2", b"3", b"4"]
    assert take() == [b"5", b"6", b"7", b"8", b"9"]


@check
def by_time():
    """beginning_offsets, end_offsets, offsets_for_times"""
    name = topic("k-headers")
    at = TopicPartition(name, 0)
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP)
    assert consumer.beginning_offsets([at]) == {at: 0} and consumer.end_offsets([at]) == {at: 1}
    assert consumer.offsets_for_times({at: 1400000000000})[at].offset == 0
    consumer.close()


@check
def delete():
    """delete topics"""
    name = topic("k-create")
    ask("delete_topics", [name])
    eventually("gone", lambda: name not in admin.list_topics())


sys.exit(1 if checks.failures else 0)
