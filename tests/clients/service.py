"""What the Python services share: see tests/system/test_services.c for what they are told and what
they have to print. A service works until SIGTERM, and judges itself."""

import os
import signal
import sys
import threading
import traceback

import redis

HOST, PORT, NAME = sys.argv[1], int(sys.argv[2]), sys.argv[3]
DEADLINE = 15


def key(name):
    return f"{NAME}:{name}"


def fail(what):
    """One line says what was wrong; ends the process, from any thread."""
    print("failed:", what, flush=True)
    os._exit(1)


def uncaught(kind, error, trace):
    where = traceback.extract_tb(trace)[-1]
    fail(f"{kind.__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})")


sys.excepthook = uncaught
threading.excepthook = lambda args: uncaught(args.exc_type, args.exc_value, args.exc_traceback)


class Connection(redis.Connection):
    """Connects once: redis-py would silently mend a connection that was closed while it was idle."""

    was_connected = False

    def on_connect(self):
        if self.was_connected:
            fail("a connection was closed")
        self.was_connected = True
        super().on_connect()


def client(port=PORT, pool=redis.ConnectionPool, **options):
    """redis-py with its pool of connections."""
    return redis.Redis(
        connection_pool=pool(
            connection_class=Connection, host=HOST, port=port, decode_responses=True, **options
        )
    )


def serve(rounds, finish):
    """Calls each of `rounds` again and again in a thread of its own, until SIGTERM; then finish(),
    whose text is the last line."""
    told, begun = threading.Event(), [threading.Event() for _ in rounds]
    signal.signal(signal.SIGTERM, lambda *_: told.set())

    def work(one, first):
        one()
        first.set()
        while not told.is_set():
            one()

    threads = [threading.Thread(target=work, args=pair) for pair in zip(rounds, begun)]
    for thread in threads:
        thread.start()
    for first in begun:
        first.wait()
    print("ready", flush=True)
    told.wait()
    for thread in threads:
        thread.join()
    print("done:", finish(), flush=True)
    os._exit(0)
