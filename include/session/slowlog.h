/*
 * slowlog: a request that took slowlog_threshold or longer is a line of the log, with its phases:
 *
 *     came --queued--> held --held--> sent --node--> answered --reply--> delivered
 *
 *     queued   it waited behind others of its session, for a connection, for a login
 *     held     there was no node to send it to
 *     node     from when it was written to the node until its whole reply was read
 *     reply    its reply waited for those of requests before it
 *
 * Their sum is how long it took. What a request that was sent again went through before counts as `queued`, or as `held` from
 * when it was first held. How long a blocking command waits at its node is its client's wish and makes it not slow.
 *
 * The line has the command and the first key, cut to 64 bytes: never another argument, and nothing at all of what has no
 * keys. Times are those that histograms are made of (request_times()).
 */
#ifndef REDISPROXY_SESSION_SLOWLOG_H
#define REDISPROXY_SESSION_SLOWLOG_H

#include "nodes/upstream.h"
#include "session/state.h"

/* One look at the session, which is at hand: that is all that a request costs where no threshold is set. */
static inline bool slowlog_is_on(const struct session *s)
{
    return __builtin_expect(s->timed, 0);
}

/* For slowlog_delivered(). */
void slowlog_judge(const struct session *s, const struct session_request *r);

static inline void slowlog_sent(const struct session *s, struct session_request *r,
                                const struct upstream *to)
{
    if (slowlog_is_on(s))
        r->node = upstream_node(to);
}

static inline void slowlog_delivered(const struct session *s, const struct session_request *r)
{
    if (slowlog_is_on(s))
        slowlog_judge(s, r);
}

#endif
