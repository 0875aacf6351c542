/*
 * crew: the workers of the process, started, drained, stopped and counted together. Clients shall not
 * be able to tell how many there are.
 *
 *     clients --> the first worker accepts --spread--> itself, or by mail another one
 */
#ifndef REDISPROXY_TRAFFIC_CREW_H
#define REDISPROXY_TRAFFIC_CREW_H

#include "topology/topology.h"
#include "traffic/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crew;

/* Starts options->workers threads. `listen_fds` holds one bound descriptor for each of
 * options->listeners, the crew's from now on, also when it fails. `options` and `board` outlive it.
 * Returns NULL after logging why. */
struct crew *crew_start(const struct traffic_options *options, struct board *board,
                        const int *listen_fds) __attribute__((warn_unused_result));

size_t crew_size(const struct crew *crew);

/* clock_ms() of a worker's last turn (it turns at least ten times a second). Any thread. */
int64_t crew_last_turn(const struct crew *crew, size_t worker);

/* What a worker held at the end of its loop's last turn. Any thread. */
struct worker_gauges {
    size_t unrenewed; /* sessions whose subscriptions are to be made again */
    size_t early;     /* how often messages went out before that was done, ever */
    size_t sessions, upstreams;
    size_t held, held_bytes; /* sessions whose requests wait for a node, and these */
    size_t ahead_bytes;      /* of requests of clients that read no replies */
    size_t disconnected;     /* clients that the proxy ended, ever */
};
void crew_gauges(const struct crew *crew, size_t worker, struct worker_gauges *out);

/* As worker_drain(), worker_finished(), for all of them. */
void crew_drain(struct crew *crew);
bool crew_finished(const struct crew *crew);

/* Closes what is left, joins the threads, frees everything. */
void crew_stop(struct crew *crew);

#endif
