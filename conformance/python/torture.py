"""librdkafka under a broker that is killed again and again: $ROLE is `load`, or `final` to read all back.

Writes one JSON object a line to standard output, see pure/ottla-judge/src/lines.rs. `load` goes on until
standard input ends, then waits for every outcome.
"""
import json
import os
import random
import sys
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

BOOTSTRAP = os.environ["BOOTSTRAP"]
SEED = int(os.environ.get("SEED", "1"))
RATE = int(os.environ.get("RATE", "150"))
GROUPS = os.environ.get("GROUPS_READ", "").split(",")
TOPICS = [(name, int(count)) for name, count in (word.split(":") for word in os.environ["TOPICS"].split(","))]
IN_FLIGHT_MAX = 3000
# What a broker says that makes a reader go elsewhere.
RESETS = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION)
stopping = threading.Event()
lock = threading.Lock()
NET = {"bootstrap.servers": BOOTSTRAP, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 250,
       "socket.timeout.ms": 10000, "topic.metadata.refresh.fast.interval.ms": 50, "log_level": 0}
if os.environ.get("DEBUG"):
    # Words of librdkafka's `debug`; what it says is kept beside the history.
    NET |= {"debug": os.environ["DEBUG"], "log_level": 7}


def note(**event):
    line = json.dumps({"t": time.time_ns(), **event}, separators=(",", ":"))
    with lock:
        sys.stdout.write(line + "\n")


def flush_often():
    while not stopping.is_set():
        time.sleep(0.1)
        with lock:
            sys.stdout.flush()


def filling(chance):
    size = chance.choice([0, 10, 100, 300]) if chance.random() < 0.9 else chance.randrange(1, 30000)
    return chance.randbytes(size // 2).hex() if chance.random() < 0.5 else "x" * size


def produce(who, config):
    """Sends until it is time to stop. A producer that can no longer keep its promise is replaced under a new name."""
    chance = random.Random(f"{SEED}-{who}")
    life = 0
    while True:
        life += 1
        name = who if life == 1 else f"{who}.{life}"
        if config.get("enable.idempotence"):
            note(ev="idempotent", who=name)
        if one_life(name, config, chance):
            return


def one_life(who, config, chance):
    count = 0
    waiting = 0
    broken = []

    def failed(error):
        if error.fatal():
            broken.append(error)
            note(who=who, ev="wrong", text=f"the producer can go on no longer: {error}")

    def delivered(error, message, topic, partition, value):
        nonlocal waiting
        waiting -= 1
        if error is None:
            note(who=who, ev="ack", topic=topic, p=partition, v=value, o=message.offset())
        else:
            note(who=who, ev="fail", topic=topic, p=partition, v=value)

    producer = Producer({**NET, "acks": "all", "delivery.timeout.ms": 120000, "retry.backoff.ms": 50,
                         "retry.backoff.max.ms": 200, "request.timeout.ms": 5000, "error_cb": failed, **config})
    while not stopping.is_set() and not broken:
        for _ in range(chance.randrange(1, 60)):
            topic, partitions = chance.choice(TOPICS)
            partition = chance.randrange(partitions)
            value = f"{who}:{count}"
            count += 1
            note(who=who, ev="send", topic=topic, p=partition, v=value)
            try:
                producer.produce(topic, value=value + "|" + filling(chance), partition=partition,
                                 on_delivery=lambda e, m, t=topic, p=partition, v=value: delivered(e, m, t, p, v))
                waiting += 1
            except (BufferError, KafkaException):
                note(who=who, ev="fail", topic=topic, p=partition, v=value)
                producer.poll(0.05)
        producer.poll(0)
        while waiting > IN_FLIGHT_MAX and not stopping.is_set() and not broken:
            producer.poll(0.05)
        until = time.monotonic() + chance.uniform(0, 60 / RATE)
        while time.monotonic() < until:
            producer.poll(0.01)
    end = time.monotonic() + 125
    while waiting and time.monotonic() < end:
        producer.flush(1)
    return stopping.is_set()


def consume(who, group):
    """Reads as a member of the group and commits what it has read, one membership after the other."""
    chance = random.Random(f"{SEED}-{who}")
    life = 0
    while not stopping.is_set():
        life += 1
        membership(f"{who}.{life}", group, chance)


def membership(who, group, chance):
    read = {}

    def rebalanced(_consumer, _partitions):
        # Others may have read on from here; what was read is committed by whoever reads it again.
        read.clear()
        note(who=who, ev="seek")

    def assigned(consumer, partitions):
        # Where nothing is committed reading begins at 0, told outright. Left to librdkafka, it asks for the
        # beginning, and a late answer of a former leader makes it begin there once more in the middle of its
        # reading ("outdated offset response" in what it logs). Nor may a broker send it anywhere else.
        rebalanced(consumer, partitions)
        while not stopping.is_set():
            try:
                found = consumer.committed(partitions, timeout=5)
            except KafkaException:
                continue
            if not any(one.error for one in found):
                break
        else:
            return
        for one in found:
            one.offset = max(one.offset, 0)
        consumer.assign(found)

    consumer = Consumer({**NET, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "error",
                         "session.timeout.ms": 1500, "heartbeat.interval.ms": 200, "fetch.wait.max.ms": 100,
                         "partition.assignment.strategy": "range"})
    consumer.subscribe([name for name, _ in TOPICS], on_assign=assigned, on_revoke=rebalanced, on_lost=rebalanced)
    leave = time.monotonic() + chance.uniform(5, 40)
    due = time.monotonic() + 0.5
    while not stopping.is_set() and time.monotonic() < leave:
        for message in consumer.consume(500, 0.1):
            if message.error():
                if message.error().code() in RESETS:
                    note(who=who, ev="wrong", text=f"a reader was sent elsewhere: {message.error()}")
                continue
            value = message.value().split(b"|", 1)[0].decode()
            note(who=who, ev="read", topic=message.topic(), p=message.partition(), o=message.offset(), v=value)
            read[(message.topic(), message.partition())] = message.offset() + 1
        if read and time.monotonic() >= due:
            due = time.monotonic() + chance.uniform(0.1, 1)
            commit(consumer, who, group, dict(read))
            read.clear()
    consumer.close()


def commit(consumer, who, group, read):
    for (topic, partition), offset in read.items():
        note(who=who, ev="try_commit", group=group, topic=topic, p=partition, o=offset)
    try:
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in read.items()]
        for done in consumer.commit(offsets=offsets, asynchronous=False):
            if done.error is None:
                note(who=who, ev="commit", group=group, topic=done.topic, p=done.partition, o=done.offset)
    except KafkaException:
        pass  # Nothing is known to be committed; the next one covers it.


def watch(group):
    """Asks again and again what is committed, as an outsider."""
    consumer = Consumer({**NET, "group.id": group, "enable.auto.commit": False})
    while not stopping.is_set():
        committed(consumer, group, 5)
        stopping.wait(0.7)
    consumer.close()


def committed(consumer, group, seconds):
    asked = time.time_ns()
    try:
        answer = consumer.committed([TopicPartition(t, p) for t, n in TOPICS for p in range(n)], timeout=seconds)
    except KafkaException:
        return False
    if any(one.error for one in answer):
        return False
    for one in answer:
        note(who=f"watch-{group}", ev="committed", group=group, topic=one.topic, p=one.partition,
             o=max(one.offset, -1), since=asked)
    return True


def load():
    group = GROUPS[0]
    work = [threading.Thread(target=produce, args=arguments) for arguments in [
        ("pyplain", {"compression.type": "lz4", "linger.ms": 2}),
        ("pyonce", {"enable.idempotence": True, "compression.type": "zstd", "linger.ms": 5}),
    ]]
    work += [threading.Thread(target=consume, args=(f"pyread{n}", group)) for n in range(2)]
    work += [threading.Thread(target=watch, args=(name,)) for name in GROUPS]
    for thread in work:
        thread.start()
    threading.Thread(target=flush_often, daemon=True).start()
    sys.stdin.read()
    stopping.set()
    for thread in work:
        thread.join()


def final():
    """Every partition from its beginning to its end, and what every group has committed."""
    consumer = Consumer({**NET, "group.id": "final", "enable.auto.commit": False, "enable.partition.eof": True,
                         "auto.offset.reset": "earliest", "check.crcs": True})
    left = set()
    for topic, partitions in TOPICS:
        for p in range(partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)
            note(who="final", ev="end", topic=topic, p=p, start=low, o=high)
            if high > low:
                left.add((topic, p))
    consumer.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in left])
    patience = time.monotonic() + 60
    while left:
        for message in consumer.consume(2000, 0.5):
            patience = time.monotonic() + 60
            place = (message.topic(), message.partition())
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    left.discard(place)
                    continue
                sys.exit(f"the last reading failed: {message.error()}")
            value = message.value().split(b"|", 1)[0].decode()
            note(who="final", ev="final", topic=place[0], p=place[1], o=message.offset(), v=value)
        if time.monotonic() > patience:
            sys.exit(f"the last reading does not come to the end of {sorted(left)}")
    consumer.close()
    for group in GROUPS:
        consumer = Consumer({**NET, "group.id": group, "enable.auto.commit": False})
        if not committed(consumer, group, 30):
            sys.exit(f"the committed offsets of {group} cannot be read")
        consumer.close()


load() if os.environ["ROLE"] == "load" else final()
sys.stdout.flush()
