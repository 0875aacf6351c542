/*
 * poll: a question that is asked again and again, on one connection, one at a time: a Sentinel's poll, a probe's round.
 * Who wants to know sooner than the next time says so while the last question is still open: it is asked once more then,
 * right after the answer, because that may be older than the reason to ask.
 *
 *     idle --poll_begin()--> asked --poll_begin()--> asked again
 *      ^                       |                         |
 *      +------ poll_end(), poll_forget() ----------------+
 *
 * It sends nothing and has no clock. The loop's thread only.
 */
#ifndef REDISPROXY_TOPOLOGY_POLL_H
#define REDISPROXY_TOPOLOGY_POLL_H

#include <stdbool.h>
#include <stdint.h>

/* Embedded in its owner, who zeroes it first; the field is poll.c's. */
struct poll {
    uint8_t state;
};

/* Returns whether the question is to be sent now; false: the last one is still open, and poll_end() will say so. */
bool poll_begin(struct poll *poll) __attribute__((warn_unused_result));
/* The answer has come. Returns whether the question was wanted once more meanwhile. Only while one is open. */
bool poll_end(struct poll *poll) __attribute__((warn_unused_result));
/* No answer will come: the connection is gone, or new. */
void poll_forget(struct poll *poll);
bool poll_is_open(const struct poll *poll);

#endif
