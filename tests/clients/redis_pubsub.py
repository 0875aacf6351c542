#!/usr/bin/python3
"""redis-py's subscribers (Debian's python3-redis), to a channel and to a pattern. Each hears all that
is published, alone, in a transaction, and by a script; who publishes hears how many heard it."""

import threading
import time

from service import DEADLINE, client, fail, key, serve

r = client()
publish = r.register_script("return redis.call('PUBLISH', KEYS[1], ARGV[1])")
sent = 0


class Subscriber(threading.Thread):
    def __init__(self, kind, what):
        super().__init__(daemon=True)
        self.what, self.heard = what, 0
        self.pubsub = r.pubsub()
        getattr(self.pubsub, kind)(what)
        if not self.pubsub.get_message(timeout=DEADLINE):
            fail(f"{what} was not subscribed")

    def run(self):
        for message in self.pubsub.listen():
            n = int(message["data"])
            if n != self.heard + 1:
                fail(f"{self.what}: heard message {n} after {self.heard}")
            self.heard = n


subscribers = [Subscriber("subscribe", key("news")), Subscriber("psubscribe", key("ne*"))]


def number():
    global sent
    sent += 1
    return sent


def round():
    receivers = [r.publish(key("news"), number())]
    with r.pipeline() as p:
        p.publish(key("news"), number()).incr(key("published")).publish(key("news"), number())
        receivers += p.execute()[::2]
    receivers.append(publish([key("news")], [number()]))
    if set(receivers) != {len(subscribers)}:
        fail(f"messages {sent - 3} to {sent} had {receivers} receivers, not {len(subscribers)} each")
    time.sleep(0.002)


def finish():
    deadline = time.monotonic() + DEADLINE
    while any(s.heard < sent for s in subscribers):
        if time.monotonic() > deadline:
            fail(f"{sent} messages were sent, {[s.heard for s in subscribers]} heard")
        time.sleep(0.01)
    return f"{sent} messages"


for subscriber in subscribers:
    subscriber.start()
serve([round], finish)
