/*
 * worker: one thread with one loop, its own sessions and its own upstreams. It
 * shares nothing mutable with others but its slot: its mailbox, and counters
 * that it shows. The workers of the process are a workers (workers.h).
 */
#ifndef REDISPROXY_WORKER_WORKER_H
#define REDISPROXY_WORKER_WORKER_H

#include "nodes/options.h"
#include "threads/shared.h"
#include "topology/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handover_channel;
struct worker;

/* A worker at slot `number`. Nothing runs yet. `board` and `shared` outlive it; `options` is
 * followed until there are others (worker_reload()), and lives as long. */
struct worker *worker_new(const struct traffic_options *options, struct board *board,
                          struct shared *shared, size_t number);

/* This one accepts, for all. `listen_fds` holds one bound descriptor for each of options->listeners,
 * the worker's from now on, also when it fails. Returns 0, or -1 after logging why. */
int worker_accept(struct worker *worker, const int *listen_fds) __attribute__((warn_unused_result));

/* Starts the thread, once all workers are there. Returns 0, or -1 after logging why. */
int worker_start(struct worker *worker) __attribute__((warn_unused_result));

/* Other options, with the same number of workers, and with the groups at the indices that they had. The one that accepts takes
 * `listen_fds`: a bound descriptor for each listener that it has not (-1: it has), the worker's from when it follows.
 * Returns at once; from when worker_follows() says so it needs neither the old options nor `listen_fds`. Sessions that need
 * not change do not notice; session/leaving.h says what becomes of the others. Any thread, one at a time. */
void worker_reload(struct worker *worker, const struct traffic_options *options,
                   const int *listen_fds);
bool worker_follows(const struct worker *worker, const struct traffic_options *options);

/* Stops accepting, and ends the sessions, each at its request boundary, spread over drain_timeout_ms (session/drain.h);
 * after that time the rest is cut. Returns at once. Any thread. */
void worker_drain(struct worker *worker);

/* Accepts nobody, and hands its sessions over; what cannot be handed over drains. Once per channel. Any thread. */
void worker_hand_over(struct worker *worker, struct handover_channel *channel);
/* It goes on with the sessions that it has, and accepts. Any thread. */
void worker_keep(struct worker *worker);

/* Whether the worker has no session any more (only after worker_drain()). Any thread. */
bool worker_finished(const struct worker *worker);

/* Closes what is left; returns at once. worker_join() waits for that. Once all are joined (until then
 * they may write to each other) worker_drop_mail() drops what is under way to it, and when that is done
 * everywhere (what is dropped may be another one's), worker_free() frees everything. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);
void worker_drop_mail(struct worker *worker);
void worker_free(struct worker *worker);

#endif
