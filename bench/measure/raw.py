"""A few requests by hand, so that no client's own start is in what is measured."""
import socket
import struct
import time


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def frame(key, version, body):
    head = struct.pack(">hhi", key, version, 7) + string("measure")
    return struct.pack(">i", len(head) + len(body)) + head + body


def read_exactly(sock, size):
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(size - len(parts))
        if not part:
            raise ConnectionError("the broker closed the connection")
        parts += part
    return bytes(parts)


def answer(sock):
    size, = struct.unpack(">i", read_exactly(sock, 4))
    return read_exactly(sock, size)[4:]


def call(sock, key, version, body):
    sock.sendall(frame(key, version, body))
    return answer(sock)


def connect(port, limit=120.0, alive=lambda: True, pause=0.0005):
    """A connection, as soon as there is one to be had."""
    end = time.monotonic() + limit
    while True:
        try:
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(limit)
            return sock
        except ConnectionRefusedError:
            if not alive():
                raise RuntimeError("the broker ended while starting")
            if time.monotonic() > end:
                raise RuntimeError(f"nothing listens on port {port}")
            time.sleep(pause)


def batch(value=b"Hello"):
    record = b"\x00\x00\x00\x01" + bytes([len(value) * 2]) + value + b"\x00"
    record = bytes([len(record) * 2]) + record
    now = int(time.time() * 1000)
    body = struct.pack(">hiqqqhii", 0, 0, now, now, -1, -1, -1, 1) + record
    return struct.pack(">qiibI", 0, 9 + len(body), -1, 2, crc32c(body)) + body


def create_topic(sock, name, partitions, configs=(), timeout_ms=120_000, replicas=1):
    """Makes a topic; the error code, 0 if it is there now."""
    body = struct.pack(">i", 1) + string(name) + struct.pack(">ihi", partitions, replicas, 0)
    body += struct.pack(">i", len(configs)) + b"".join(string(k) + string(v) for k, v in configs)
    got = call(sock, 19, 2, body + struct.pack(">i?", timeout_ms, False))
    at = 4 + 4 + 2 + len(name)
    return struct.unpack_from(">h", got, at)[0]


def delete_topic(sock, name):
    got = call(sock, 20, 1, struct.pack(">i", 1) + string(name) + struct.pack(">i", 60_000))
    return struct.unpack_from(">h", got, 4 + 4 + 2 + len(name))[0]


def produce(sock, topic, partitions=(0,)):
    """One record to each partition with acks=all; the first error code that is not 0."""
    records = batch()
    parts = b"".join(struct.pack(">ii", p, len(records)) + records for p in partitions)
    body = struct.pack(">hhii", -1, -1, 30_000, 1) + string(topic) + struct.pack(">i", len(partitions)) + parts
    got = call(sock, 0, 3, body)
    at = 4 + 2 + len(topic) + 4
    codes = [struct.unpack_from(">ihqq", got, at + 22 * i)[1] for i in range(len(partitions))]
    return next((code for code in codes if code), 0)


def end_offsets(sock, topic, partitions):
    """The next offset of each partition."""
    parts = b"".join(struct.pack(">iq", p, -1) for p in range(partitions))
    body = struct.pack(">ibi", -1, 0, 1) + string(topic) + struct.pack(">i", partitions) + parts
    got = call(sock, 2, 2, body)
    at = 4 + 4 + 2 + len(topic) + 4
    found = {}
    for i in range(partitions):
        index, code, _, offset = struct.unpack_from(">ihqq", got, at + 22 * i)
        if code:
            raise RuntimeError(f"ListOffsets of {topic}-{index}: error {code}")
        found[index] = offset
    return found


def end_offset(sock, topic, partition):
    """The next offset of one partition; nothing where this node does not lead it."""
    body = struct.pack(">ibi", -1, 0, 1) + string(topic) + struct.pack(">iiq", 1, partition, -1)
    got = call(sock, 2, 2, body)
    _, code, _, offset = struct.unpack_from(">ihqq", got, 4 + 4 + 2 + len(topic) + 4)
    return None if code else offset


def until_acknowledged(port, topic, partitions=(0,), create=None, alive=lambda: True, limit=300.0):
    """Seconds from now until a record to each of `partitions` is acknowledged; refusals are tried again."""
    begin = time.monotonic()
    sock = connect(port, limit, alive)
    listens = time.monotonic() - begin
    try:
        while create and create_topic(sock, topic, create) not in (0, 36):
            time.sleep(0.001)
        while produce(sock, topic, partitions):
            if time.monotonic() - begin > limit:
                raise RuntimeError("no record is acknowledged")
            time.sleep(0.001)
        return {"listens_s": listens, "acknowledged_s": time.monotonic() - begin}
    finally:
        sock.close()
