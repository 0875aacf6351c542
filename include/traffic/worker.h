/*
 * worker: one thread with one loop, its own sessions and its own upstreams.
 * It shares nothing mutable with anybody: it reads the board, and others read
 * its atomic counters.
 */
#ifndef REDISPROXY_TRAFFIC_WORKER_H
#define REDISPROXY_TRAFFIC_WORKER_H

#include "topology/topology.h"
#include "traffic/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

/* Starts the thread. `listen_fds` holds one bound descriptor for each of options->listeners, owned
 * by the worker from now on. `options` and `board` outlive the worker. Returns NULL after logging
 * why. */
struct worker *worker_start(const struct traffic_options *options, struct board *board,
                            const int *listen_fds) __attribute__((warn_unused_result));

/* clock_ms() of the loop's last turn (it turns at least ten times a second). Any thread. */
int64_t worker_last_turn(const struct worker *worker);

/* What the worker held at the end of its loop's last turn. Any thread. */
struct worker_gauges {
    size_t sessions, upstreams;
    size_t held, held_bytes; /* sessions whose requests wait for a node, and these */
};
void worker_gauges(const struct worker *worker, struct worker_gauges *out);

/* Stops accepting and lets what is in flight or held finish, for at most drain_timeout_ms; sessions
 * without unfinished requests are closed. Returns at once. Any thread. */
void worker_drain(struct worker *worker);

/* Whether the thread has nothing more to do (only after worker_drain()). Any thread. */
bool worker_finished(const struct worker *worker);

/* Closes what is left, joins the thread, frees everything. */
void worker_stop(struct worker *worker);

#endif
