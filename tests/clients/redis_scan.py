#!/usr/bin/python3
"""redis-py's pool of connections (Debian's python3-redis): the pages of one SCAN travel over all of
them, on every route."""

import queue
import sys

import redis

from service import DEADLINE, PORT, client, fail, key, serve

ITEMS, POOL = 3000, 8
NAMES = {f"{i}" for i in range(ITEMS)}
PORTS = [PORT, *map(int, sys.argv[4:])]


def fill():
    r = client(db=9)
    with r.pipeline(transaction=False) as p:
        for name in NAMES:
            p.set(key(f"scan:{name}"), name)
        p.hset(key("hash"), mapping={name: name for name in NAMES})
        p.sadd(key("set"), *[f"m{name}" for name in NAMES])
        p.zadd(key("sorted"), {name: int(name) for name in NAMES})
        p.execute()
    replicas = r.info("replication")["connected_slaves"]
    if r.wait(replicas, DEADLINE * 1000) < replicas:
        fail("a replica does not follow")


def iterations(reader):
    prefix = len(key("scan:"))
    yield "SCAN", (k[prefix:] for k in reader.scan_iter(key("scan:*"), count=200))
    yield "HSCAN", (field for field, _ in reader.hscan_iter(key("hash"), count=200))
    yield "SSCAN", (member[1:] for member in reader.sscan_iter(key("set"), count=200))
    yield "ZSCAN", (member for member, _ in reader.zscan_iter(key("sorted"), count=200))


class Reader:
    """A client of one port, whose next command goes over the connection that has rested longest."""

    def __init__(self, port):
        self.port, self.iterations = port, 0
        self.redis = client(
            port,
            redis.BlockingConnectionPool,
            max_connections=POOL,
            timeout=DEADLINE,
            queue_class=queue.Queue,
            db=9,
        )

    def round(self):
        """What is there all the time is found, in an iteration through a switchover too."""
        for command, found in iterations(self.redis):
            missed = len(NAMES - set(found))
            if missed:
                fail(f"port {self.port}: {command} over {POOL} connections missed {missed} of {ITEMS}")
            self.iterations += 1


fill()
readers = [Reader(port) for port in PORTS]
serve([r.round for r in readers], lambda: [f"{r.iterations} on {r.port}" for r in readers])
