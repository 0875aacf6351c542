#!/usr/bin/python3
"""redis-py (Debian's python3-redis, 4.3) through the proxy; what it is told, and what it has to
print, stands in tests/system/test_clients.c. It reads RESP2 only."""

import os
import sys
import threading

import redis

HOST, PORT, NAME = sys.argv[1], int(sys.argv[2]), sys.argv[3]
# With TLS=1, or TLS=clients, the proxy speaks TLS (tests/system/harness/secure.h).
TLS = (
    {"ssl": True, "ssl_ca_certs": os.environ["TLS_FOLDER"] + "/ca.crt"}
    if os.environ.get("TLS") in ("1", "clients")
    else {}
)


def key(name):
    return f"{NAME}:{name}"


def connect(**options):
    """A client of one connection. A lost one is an exception, or shows as another CLIENT ID."""
    return redis.Redis(
        HOST, PORT, single_connection_client=True, decode_responses=True, **TLS, **options
    )


def refused(error, work):
    """Whether redis-py raises this for it."""
    try:
        work()
    except error:
        return True
    return False


def hear(pubsub):
    message = pubsub.get_message(timeout=20)
    assert message, "no message"
    return message["type"], message["channel"], message["data"]


def test_connect(r):
    assert r.ping()
    named = connect(client_name="redis-py", db=3)
    assert named.client_getname() == "redis-py"
    assert named.set(key("binary"), b"\0\r\n$-1\r\n\xff")
    assert named.wait(2, 10000) == 2  # "split" reads from the replicas
    raw = redis.Redis(HOST, PORT, db=3, **TLS)
    assert raw.get(key("binary")) == b"\0\r\n$-1\r\n\xff"
    assert r.get(key("binary")) is None  # that was database 3
    assert r.info("server")["redis_version"]
    assert refused(redis.ResponseError, lambda: r.execute_command("NOSUCHCOMMAND"))
    named.close()
    raw.close()


def test_pipeline(r):
    with r.pipeline(transaction=False) as p:
        for i in range(2000):
            p.incr(key("pipeline"))
            p.set(key(f"scan:{i}"), i)
        assert p.execute()[::2] == list(range(1, 2001))
    assert r.wait(2, 10000) == 2
    found = set(r.scan_iter(key("scan:*"), count=500))
    assert found == {key(f"scan:{i}") for i in range(2000)}


def test_transaction(r):
    with r.pipeline() as p:
        p.watch(key("t"))
        p.multi()
        p.set(key("t"), "1")
        p.incr(key("t"))
        assert p.execute() == [True, 2]
    other = connect()
    with r.pipeline() as p:
        p.watch(key("t"))
        other.set(key("t"), "other's")
        p.multi()
        p.set(key("t"), "mine")
        assert refused(redis.WatchError, p.execute)
    assert r.wait(2, 10000) >= 0  # after the other's write on the master, as this is
    assert r.transaction(lambda p: p.get(key("t"))) == ["other's"]
    other.close()


def test_pubsub(r):
    p = r.pubsub()
    p.subscribe(key("news"))
    p.psubscribe(key("n*"))
    assert hear(p) == ("subscribe", key("news"), 1)
    assert hear(p) == ("psubscribe", key("n*"), 2)
    assert r.publish(key("news"), "hello") >= 1
    assert {hear(p)[::2], hear(p)[::2]} == {("message", "hello"), ("pmessage", "hello")}
    p.unsubscribe()
    p.punsubscribe()
    assert hear(p) == ("unsubscribe", key("news"), 1)
    assert hear(p) == ("punsubscribe", key("n*"), 0)
    p.close()


def test_blocking(r):
    assert r.blpop(key("queue"), timeout=0.05) is None
    other = connect()
    threading.Timer(0.1, lambda: other.rpush(key("queue"), "item")).start()
    assert r.blpop(key("queue"), timeout=20) == (key("queue"), "item")
    assert r.xadd(key("stream"), {"a": "1"}, id="1-1") == "1-1"
    assert r.wait(2, 10000) == 2
    assert r.xread({key("stream"): "0"}, block=20000) == [[key("stream"), [("1-1", {"a": "1"})]]]
    other.close()


def test_script(r):
    double = r.register_script("return 2 * ARGV[1]")
    assert double(args=[21]) == 42
    assert r.eval("return {KEYS[1], ARGV[1]}", 1, key("k"), "a") == [key("k"), "a"]
    assert refused(redis.exceptions.NoScriptError, lambda: r.evalsha("0" * 40, 0))


def test_resp(r):
    assert "proto" in r.execute_command("HELLO", 2)


class Count:
    """Every increment's answer is the next number: none was lost, none done twice."""

    def __init__(self, r):
        self.r = r
        self.n = 0
        self.sha = r.script_load(f"return redis.call('INCR', KEYS[1]) -- {NAME}")

    def expect(self, *numbers):
        for number in numbers:
            self.n += 1
            assert number == self.n, f"{number} is not {self.n}"

    def round(self):
        k = key("counter")
        self.expect(self.r.incr(k))
        self.expect(self.r.evalsha(self.sha, 1, k))
        for transaction in (False, True):
            with self.r.pipeline(transaction) as p:
                for _ in range(5):
                    p.incr(k)
                self.expect(*p.execute())
        fresh = connect()
        self.expect(fresh.incr(k))
        fresh.close()


def switchover(r):
    """Counts until the test says on a blocked connection that the master has changed."""
    blocked, said, p, count = connect(), [], r.pubsub(), Count(r)
    ids = r.client_id(), blocked.client_id()
    wait = threading.Thread(target=lambda: said.append(blocked.blpop(key("go"))), daemon=True)
    p.subscribe(key("news"))
    assert hear(p) == ("subscribe", key("news"), 1)
    wait.start()
    count.round()
    print("ready for switchover", flush=True)
    while wait.is_alive():
        count.round()
    assert said == [(key("go"), "switched")], said
    assert (r.client_id(), blocked.client_id()) == ids, "reconnected"
    count.round()
    assert r.publish(key("news"), "still here") >= 0
    assert hear(p) == ("message", key("news"), "still here")
    print("counter", count.n)


def main():
    r = connect()
    for name, step in list(globals().items()):
        if name.startswith("test_"):
            step(r)
            print(name[5:], "ok", flush=True)
    switchover(r)


main()
