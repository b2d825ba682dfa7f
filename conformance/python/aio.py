"""aiokafka against the broker at $BOOTSTRAP."""
import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, __version__
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

import checks
from checks import BOOTSTRAP, check, topic

print(f"# aiokafka {__version__}")


def within(seconds, body):
    return asyncio.run(asyncio.wait_for(body(), seconds))


async def produce(name, values, **config):
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **config)
    await producer.start()
    try:
        sent = [await producer.send(name, value) for value in values]
        return [(await future).offset for future in sent]
    finally:
        await producer.stop()


async def read(name, count, **config):
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", **config)
    await consumer.start()
    try:
        if "group_id" in config:
            consumer.subscribe([name])
        else:
            consumer.assign([TopicPartition(name, 0)])
        return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


@check
def plain():
    """produce and consume 1,000 records"""
    async def body():
        name = topic("a-plain")
        values = [f"value {i}".encode() for i in range(1000)]
        assert await produce(name, values) == list(range(1000))
        assert [r.value for r in await read(name, 1000)] == values
    within(60, body)


@check
def idempotent():
    """idempotent producer"""
    async def body():
        name = topic("a-idem")
        values = [f"value {i}".encode() for i in range(300)]
        await produce(name, values, enable_idempotence=True)
        assert [r.value for r in await read(name, 300)] == values
    within(60, body)


for codec in ("gzip", "snappy", "lz4", "zstd"):
    def compressed(codec=codec):
        async def body():
            name = topic(f"a-{codec}")
            values = [f"{codec} record {i} ".encode() * 10 for i in range(500)]
            await produce(name, values, compression_type=codec, linger_ms=20)
            assert [r.value for r in await read(name, 500)] == values
        within(60, body)
    compressed.__doc__ = f"compression {codec}"
    check(compressed)


@check
def group():
    """a group commits and resumes"""
    async def body():
        name, group_id = topic("a-group"), topic("a-g")
        await produce(name, [b"0", b"1", b"2"])
        assert [r.value for r in await read(name, 3, group_id=group_id)] == [b"0", b"1", b"2"]
        await produce(name, [b"3"])
        assert [r.value for r in await read(name, 1, group_id=group_id)] == [b"3"]
    within(60, body)


@check
def admin():
    """create, list and delete topics"""
    async def body():
        client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
        await client.start()
        name = topic("a-admin")
        await client.create_topics([NewTopic(name, 2, 1)])
        assert name in await client.list_topics()
        await client.delete_topics([name])
        await client.close()
    within(60, body)


sys.exit(1 if checks.failures else 0)
