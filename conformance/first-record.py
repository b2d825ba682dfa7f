#!/usr/bin/env python3
"""Milliseconds from starting the binary on an empty folder to its answer, and to the first acknowledged record.

usage: first-record.py BINARY [ROUNDS]

Raw requests, so that no client's own start is measured: CreateTopics v2, then Produce v3 with acks=all.
"""
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
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


def call(sock, key, version, body):
    frame = struct.pack(">hhi", key, version, 7) + string("first-record") + body
    sock.sendall(struct.pack(">i", len(frame)) + frame)
    size, = struct.unpack(">i", sock.recv(4, socket.MSG_WAITALL))
    return sock.recv(size, socket.MSG_WAITALL)


def batch():
    record = b"\x00\x00\x00\x01\x0aHello\x00"  # attributes, deltas, no key, five bytes, no headers
    record = bytes([len(record) * 2]) + record
    now = int(time.time() * 1000)
    body = struct.pack(">hiqqqhii", 0, 0, now, now, -1, -1, -1, 1) + record
    return struct.pack(">qiibI", 0, 9 + len(body), -1, 2, crc32c(body)) + body


def once(binary):
    folder = tempfile.mkdtemp(prefix="ottla-first-")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.monotonic()
    node = subprocess.Popen([binary, "server", "--listen", f"127.0.0.1:{port}", "--data", folder],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                sock = socket.create_connection(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                if node.poll() is not None or time.monotonic() - begin > 30:
                    sys.exit("the node does not answer")
                time.sleep(0.0005)
        answers = time.monotonic()
        topic = string("first") + struct.pack(">ihii", 1, 1, 0, 0)
        call(sock, 19, 2, struct.pack(">i", 1) + topic + struct.pack(">i?", 5000, False))
        records = batch()
        answer = call(sock, 0, 3, struct.pack(">hhii", -1, -1, 5000, 1) + string("first")
                      + struct.pack(">iii", 1, 0, len(records)) + records)
        error, offset = struct.unpack(">hq", answer[-4 - 8 - 8 - 2:-4 - 8])
        if (error, offset) != (0, 0):
            sys.exit(f"the record was refused: error {error}")
        return (answers - begin) * 1000, (time.monotonic() - begin) * 1000
    finally:
        node.terminate()
        node.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    rounds = sorted(once(sys.argv[1]) for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 9))
    answers = sorted(r[0] for r in rounds)
    acknowledged = sorted(r[1] for r in rounds)
    middle = len(rounds) // 2
    print(f"{len(rounds)} rounds   answers after {answers[middle]:.1f} ms ({answers[0]:.1f}-{answers[-1]:.1f})   "
          f"first acknowledged record after {acknowledged[middle]:.1f} ms ({acknowledged[0]:.1f}-{acknowledged[-1]:.1f})")


main()
