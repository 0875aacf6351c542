/*
 * accept_points: where the worker that accepts does so: one for each listener. The accepting worker's thread only, or
 * before it runs.
 */
#ifndef REDISPROXY_WORKER_ACCEPT_POINTS_H
#define REDISPROXY_WORKER_ACCEPT_POINTS_H

#include "worker/worker_state.h"

/* Opens those that `options` has and the worker has not, on the descriptors with the same numbers, which are the worker's
 * from now on; closes those that are not there any more; and gives the others the settings that they have now.
 * Returns 0, or -1 after logging why, when not all could be opened. */
int accept_points_follow(struct worker *worker, const struct traffic_options *options,
                         const int *listen_fds) __attribute__((warn_unused_result));

/* Accepts whoever waits for that: it was connected already, and would be reset. */
void accept_points_empty(struct worker *worker);
/* Nobody is accepted for a while, or again: another process that has the same sockets does it. */
void accept_points_hold(struct worker *worker, bool hold);
/* Closes all. */
void accept_points_close(struct worker *worker);

#endif
