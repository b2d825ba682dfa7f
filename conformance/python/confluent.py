"""confluent-kafka (librdkafka) against the broker at $BOOTSTRAP."""
import sys

from confluent_kafka import (OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaException,
                             Producer, TopicPartition, libversion)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

import checks
from checks import BOOTSTRAP, check, eventually, topic

print(f"# librdkafka {libversion()[0]}")
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def produce(name, values, **config):
    done = []

    def delivered(error, message):
        done.append((error, message))

    producer = Producer({"bootstrap.servers": BOOTSTRAP, **config})
    for value in values:
        key, body = value if isinstance(value, tuple) else (None, value)
        while True:
            try:
                producer.produce(name, value=body, key=key, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(30) == 0, "not all delivered"
    bad = [e for e, _ in done if e]
    assert not bad and len(done) == len(values), bad[:1]
    return [m.offset() for _, m in done]


def read(name, count, partitions=1, **config):
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": f"read-{name}", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", **config})
    consumer.assign([TopicPartition(name, p, OFFSET_BEGINNING) for p in range(partitions)])
    got = []

    def poll():
        for message in consumer.consume(500, 0.5):
            assert not message.error(), message.error()
            got.append(message)
        return len(got) >= count

    eventually(f"{count} records of {name}", poll)
    consumer.close()
    return got


@check
def create():
    """create_topics, list_topics, describe"""
    name = topic("c-create")
    admin.create_topics([NewTopic(name, 3, 1, config={"retention.ms": "1000000"})])[name].result(30)
    try:
        admin.create_topics([NewTopic(name, 3, 1)])[name].result(30)
        raise AssertionError("created twice")
    except KafkaException as error:
        assert error.args[0].name() == "TOPIC_ALREADY_EXISTS", error
    assert len(admin.list_topics(name, 10).topics[name].partitions) == 3


@check
def create_partitions():
    """create_partitions"""
    name = topic("c-create")
    admin.create_partitions([NewPartitions(name, 5)])[name].result(30)
    eventually("5 partitions", lambda: len(admin.list_topics(name, 10).topics[name].partitions) == 5)


@check
def configs():
    """describe_configs, incremental_alter_configs of a topic"""
    name = topic("c-create")
    resource = ConfigResource(ResourceType.TOPIC, name)
    entries = admin.describe_configs([resource])[resource].result(30)
    assert entries["retention.ms"].value == "1000000" and entries["segment.bytes"].is_default
    change = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[
        ConfigEntry("retention.ms", "2000000", incremental_operation=AlterConfigOpType.SET)])
    admin.incremental_alter_configs([change])[change].result(30)
    assert admin.describe_configs([resource])[resource].result(30)["retention.ms"].value == "2000000"


@check
def broker_configs():
    """describe_configs of the broker"""
    node = next(iter(admin.list_topics(timeout=10).brokers))
    resource = ConfigResource(ResourceType.BROKER, str(node))
    entries = admin.describe_configs([resource])[resource].result(30)
    assert len(entries) > 200 and "log.segment.bytes" in entries


@check
def plain():
    """10,000 records without idempotence, offsets in order"""
    name = topic("c-plain")
    values = [f"value {i}".encode() for i in range(10000)]
    assert produce(name, values) == list(range(10000))
    assert [m.value() for m in read(name, 10000)] == values


@check
def idempotent():
    """10,000 records, idempotent, five batches in flight"""
    name = topic("c-idem")
    values = [f"value {i}".encode() for i in range(10000)]
    produce(name, values, **{"enable.idempotence": True, "linger.ms": 1, "batch.num.messages": 50})
    assert [m.value() for m in read(name, 10000)] == values


for acks in ("0", "1", "all"):
    def with_acks(acks=acks):
        name = topic(f"c-acks{acks}")
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
        produce(name, [b"a", b"b"], acks=acks)
        assert len(read(name, 2)) == 2
    with_acks.__doc__ = f"acks={acks}"
    check(with_acks)

for codec in ("gzip", "snappy", "lz4", "zstd"):
    def compressed(codec=codec):
        name = topic(f"c-{codec}")
        values = [f"{codec} record {i} ".encode() * 20 for i in range(2000)]
        produce(name, values, **{"compression.type": codec, "linger.ms": 20})
        assert [m.value() for m in read(name, 2000)] == values
    compressed.__doc__ = f"compression {codec}"
    check(compressed)


@check
def keys():
    """keys keep their partition; headers and timestamps come back"""
    name = topic("c-keys")
    admin.create_topics([NewTopic(name, 4, 1)])[name].result(30)
    produce(name, [(f"k{i % 10}".encode(), str(i).encode()) for i in range(200)])
    homes = {}
    for message in read(name, 200, 4):
        homes.setdefault(message.key(), set()).add(message.partition())
    assert len(homes) == 10 and all(len(p) == 1 for p in homes.values())
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    producer.produce(name, b"h", headers=[("a", b"1"), ("a", b"2"), ("n", None)], timestamp=1700000000123, partition=3)
    producer.flush(10)
    last = [m for m in read(name, 201, 4) if m.value() == b"h"][0]
    assert last.headers() == [("a", b"1"), ("a", b"2"), ("n", None)] and last.timestamp()[1] == 1700000000123


@check
def group():
    """subscribe, commit, a second member shares, offsets are kept"""
    name, group_id = topic("c-group"), topic("c-g")
    admin.create_topics([NewTopic(name, 4, 1)])[name].result(30)
    produce(name, [(str(i).encode(), str(i).encode()) for i in range(400)])
    config = {"bootstrap.servers": BOOTSTRAP, "group.id": group_id, "auto.offset.reset": "earliest",
              "session.timeout.ms": 10000, "enable.auto.commit": False}
    one, two = Consumer(config), Consumer(config)
    one.subscribe([name])
    got = set()

    def poll_one():
        got.update(m.value() for m in one.consume(100, 0.2) if not m.error())
        return len(got) == 400
    eventually("all 400", poll_one)
    one.commit(asynchronous=False)
    two.subscribe([name])

    def both():
        one.poll(0.1)
        two.poll(0.1)
        return len(one.assignment()) == 2 and len(two.assignment()) == 2
    eventually("two partitions each", both)
    committed = one.committed([TopicPartition(name, p) for p in range(4)], 10)
    assert sum(p.offset for p in committed) == 400, committed
    one.close()
    eventually("two owns all", lambda: two.poll(0.1) or len(two.assignment()) == 4)
    two.close()


@check
def cooperative():
    """cooperative-sticky rebalance"""
    name, group_id = topic("c-coop"), topic("c-coop-g")
    admin.create_topics([NewTopic(name, 6, 1)])[name].result(30)
    config = {"bootstrap.servers": BOOTSTRAP, "group.id": group_id, "auto.offset.reset": "earliest",
              "partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 10000}
    members = [Consumer(config) for _ in range(3)]

    def settle(count):
        def test():
            for m in members[:count]:
                m.poll(0.05)
            owned = [p.partition for m in members[:count] for p in m.assignment()]
            return sorted(owned) == list(range(6)) and all(m.assignment() for m in members[:count])
        eventually(f"{count} members share", test)
    for i, member in enumerate(members):
        member.subscribe([name])
        settle(i + 1)
    for member in members:
        member.close()


@check
def static():
    """static membership: the same instance comes back without a rebalance"""
    name, group_id = topic("c-static"), topic("c-static-g")
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(30)
    config = {"bootstrap.servers": BOOTSTRAP, "group.id": group_id, "group.instance.id": "one",
              "auto.offset.reset": "earliest", "session.timeout.ms": 20000}
    first = Consumer(config)
    first.subscribe([name])
    eventually("assigned", lambda: first.poll(0.1) or len(first.assignment()) == 2)
    first.close()
    again = Consumer(config)
    again.subscribe([name])
    eventually("assigned again", lambda: again.poll(0.1) or len(again.assignment()) == 2, 15)
    again.close()


@check
def group_admin():
    """list, describe, offsets and delete of groups"""
    group_id = topic("c-g")
    listed = admin.list_consumer_groups(request_timeout=10).result()
    assert group_id in [g.group_id for g in listed.valid]
    described = admin.describe_consumer_groups([group_id])[group_id].result(10)
    assert described.state.name == "EMPTY", described.state
    offsets = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group_id)])[group_id].result(10)
    assert sum(p.offset for p in offsets.topic_partitions) == 400
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(
        group_id, [TopicPartition(topic("c-group"), 0, 7)])])[group_id].result(10)
    admin.delete_consumer_groups([group_id])[group_id].result(10)


@check
def offsets():
    """list_offsets: earliest, latest, max timestamp, by time; watermarks"""
    name = topic("c-offsets")
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    for i in range(10):
        producer.produce(name, str(i).encode(), timestamp=1600000000000 + i * 1000)
    producer.flush(10)
    at = TopicPartition(name, 0)
    for spec, want in ((OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 10), (OffsetSpec.max_timestamp(), 9),
                       (OffsetSpec.for_timestamp(1600000004500), 5)):
        found = admin.list_offsets({at: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)[at].result(10)
        assert found.offset == want, (want, found.offset)
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "x"})
    assert consumer.get_watermark_offsets(at, 10) == (0, 10)
    consumer.close()


@check
def delete_records():
    """delete_records moves the log start"""
    name = topic("c-offsets")
    at = TopicPartition(name, 0, 4)
    assert admin.delete_records([at])[at].result(10).low_watermark == 4
    assert read(name, 6)[0].offset() == 4


@check
def cluster():
    """describe_cluster"""
    described = admin.describe_cluster(request_timeout=10).result()
    assert described.cluster_id and len(described.nodes) == len(BOOTSTRAP.split(","))


@check
def delete():
    """delete_topics, and the name can be used again"""
    name = topic("c-plain")
    admin.delete_topics([name])[name].result(30)
    eventually("gone", lambda: name not in admin.list_topics(timeout=10).topics)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    produce(name, [b"new"])
    assert [m.value() for m in read(name, 1)] == [b"new"]


sys.exit(1 if checks.failures else 0)
