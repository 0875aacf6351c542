/*
 * workers: the workers of the process, started, drained, stopped and counted together. Clients shall not
 * be able to tell how many there are.
 *
 *     clients --> the first worker accepts --balance--> itself, or by mail another one
 */
#ifndef REDISPROXY_WORKER_WORKERS_H
#define REDISPROXY_WORKER_WORKERS_H

#include "nodes/options.h"
#include "threads/relay.h"
#include "topology/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct counters;
struct handover_channel;
struct workers;

/* Starts options->workers threads. `listen_fds` holds one bound descriptor for each of
 * options->listeners, the workers's from now on, also when it fails. `board` outlives it, and
 * `options`, until others are followed.
 * Returns NULL after logging why. */
struct workers *workers_start(const struct traffic_options *options, struct board *board,
                              const int *listen_fds) __attribute__((warn_unused_result));

size_t workers_size(const struct workers *workers);

/* clock_ms() of a worker's last turn (it turns at least ten times a second). Any thread. */
int64_t workers_last_turn(const struct workers *workers, size_t worker);

/* What a worker held at the end of its loop's last turn. Any thread. */
struct worker_gauges {
    size_t unrenewed; /* sessions whose subscriptions are to be made again */
    size_t early;     /* how often messages went out before that was done, ever */
    size_t sessions, upstreams;
    size_t held, held_bytes; /* sessions whose requests wait for a node, and these */
    size_t request_bytes;    /* of requests that are not answered, with the memory around them */
    size_t output_bytes;     /* of replies that wait for clients that do not read */
    size_t over_output;      /* sessions that were disconnected for too much of that */
    size_t ahead_bytes;      /* of requests of clients that read no replies */
    size_t disconnected;     /* clients that the proxy ended, ever */
};
void workers_gauges(const struct workers *workers, size_t worker, struct worker_gauges *out);

/* As worker_reload(), worker_follows(), for all of them. */
void workers_reload(struct workers *workers, const struct traffic_options *options,
                    const int *listen_fds);
bool workers_follow(const struct workers *workers, const struct traffic_options *options);

/* What a worker has counted. Any thread; the counters are the worker's. */
struct counters *workers_counters(const struct workers *workers, size_t worker);

/* Sends a letter to all workers, the first one first, where it comes home (relay.h): its three callbacks are set, and run
 * on their threads. What they still have when they are stopped is dropped. Any thread, until workers_stop() is called. */
void workers_ask(const struct workers *workers, struct relay *relay);

/* As worker_drain(), worker_finished(), for all of them. */
void workers_drain(struct workers *workers);
bool workers_finished(const struct workers *workers);

/* As worker_hand_over(), worker_keep(), for all of them. */
void workers_hand_over(struct workers *workers, struct handover_channel *channel);
void workers_keep(struct workers *workers);
/* The other process has taken the session with this id, or will not. */
void workers_handed(struct workers *workers, uint64_t id, bool taken);
/* A session of another process (handover_post()), for the worker that its id names. */
void workers_take(struct workers *workers, struct handover_channel *channel,
                  const struct traffic_listener_options *listener, uint64_t id, const char *packed,
                  size_t len, const int *fds, int fd_count);
/* Clients that were numbered, ever. Any thread. */
uint64_t workers_accepted(const struct workers *workers);
/* The newest snapshot that all of them have adopted; 0: there is none. Any thread. */
uint64_t workers_adopted(const struct workers *workers);

/* Closes what is left, joins the threads, frees everything. */
void workers_stop(struct workers *workers);

#endif
