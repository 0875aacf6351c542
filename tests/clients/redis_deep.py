#!/usr/bin/python3
"""redis-py's pipelines (Debian's python3-redis) are written whole before the first answer is read.
Redis reads on meanwhile, and keeps the answers."""

import sys

import redis

from service import DEADLINE, PORT, client, fail, key, serve

SMALL, LARGE = "s" * 400, "l" * 10240
GETS, PAIRS = 200000, 2000


def execute(what, pipeline, wanted):
    try:
        answers = pipeline.execute()
    except redis.RedisError as error:
        fail(f"{what}: {error}")
    if answers != wanted:
        fail(f"{what}: wrong answers")


def small():
    r = client(socket_timeout=DEADLINE)
    r.set(key("small"), SMALL)
    with r.pipeline(transaction=False) as p:
        for _ in range(GETS):
            p.get(key("small"))
        execute(f"{GETS} GETs of {len(SMALL)} bytes", p, [SMALL] * GETS)


def large(port):
    with client(port, socket_timeout=DEADLINE).pipeline(transaction=False) as p:
        for _ in range(PAIRS):
            p.set(key("large"), LARGE).get(key("large"))
        execute(f"port {port}: {PAIRS} SETs and GETs of {len(LARGE)} bytes", p, [True, LARGE] * PAIRS)


small()
for port in {PORT, int(sys.argv[5])}:  # the routes master and split
    large(port)
serve([], lambda: f"{GETS} GETs, and the SETs and GETs on each port")
