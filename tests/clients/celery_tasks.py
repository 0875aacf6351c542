#!/usr/bin/python3
"""Celery (Debian's, 5.2) with Redis as broker and for the results: a worker in a process of its own,
and a client that waits for what its tasks return; chords, too, which count in Redis which results
are there. Whoever waits for a result has subscribed to it: the worker stores and publishes it in one
transaction."""

import ctypes
import logging
import signal
import subprocess
import sys

from service import DEADLINE, HOST, NAME, PORT, client, fail, key, serve

import celery

TASKS = 20
STARTING = 50  # seconds that the worker may need until it works
URL = f"redis://{HOST}:{PORT}/0"

app = celery.Celery(NAME, broker=URL, backend=URL)
app.conf.update(
    broker_transport_options={"global_keyprefix": key("")},
    broker_connection_retry=False,
    result_backend_always_retry=False,
    worker_hijack_root_logger=False,
    task_default_queue=key("celery"),
)
counter = client()
sent = 0


class Loud(logging.Handler):
    """Celery connects again by itself, and says so; here that is a failure."""

    def emit(self, record):
        fail(f"{record.name}: {record.getMessage()}")


for name in "celery", "kombu":
    logging.getLogger(name).addHandler(Loud(logging.WARNING))


@app.task(name="add")
def add(x, y):
    counter.incr(key("ran"))
    return x + y


@app.task(name="total")
def total(numbers):
    counter.incr(key("ran"))
    return sum(numbers)


def expect(result, wanted, what):
    wait = DEADLINE if sent else STARTING
    try:
        got = result.get(timeout=wait)
    except celery.exceptions.TimeoutError:
        ended = f"; the worker ended with {worker.returncode}" if worker.poll() is not None else ""
        fail(f"no result of {what} ({result.id}) within {wait} s; its state is {result.state}{ended}")
    if got != wanted:
        fail(f"the result of {what} is {got}, not {wanted}")


def start_one():
    """A batch of tasks, all sent before the first result is asked for, and a chord."""
    global sent
    numbers = range(sent, sent + TASKS)
    results = [(n, add.delay(n, 1)) for n in numbers]
    chord = celery.chord([add.s(n, 1) for n in range(5)])(total.s())
    for n, result in results:
        expect(result, n + 1, f"task {n}")
    expect(chord, 15, "a chord")
    sent += TASKS + 6


def finish():
    ran = int(counter.get(key("ran")))
    if ran != sent:
        fail(f"{sent} tasks were sent, and {ran} were run")
    worker.send_signal(signal.SIGTERM)
    if worker.wait(DEADLINE):
        fail(f"the worker ended with {worker.returncode}")
    return f"{sent} tasks"


def start_worker():
    """It ends with this process, however that ends."""

    def die_with_parent():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    return subprocess.Popen([sys.executable, *sys.argv, "worker"], preexec_fn=die_with_parent)


if sys.argv[-1] == "worker":
    app.worker_main(["worker", "--pool=threads", "--concurrency=4", "--loglevel=WARNING"])
else:
    worker = start_worker()
    serve([start_one], finish)
