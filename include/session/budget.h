/*
 * budget: how much memory requests may take that are not answered yet: those that wait, those that were sent, and the
 * one that has not come wholly. A client's, and all that a worker has, of which each request pool counts what it gave
 * out: also requests whose client has gone and that their node has not answered, and the proxy's own.
 *
 *     a client has           the worker has            it is read
 *     less than LITTLE       any                       always
 *     less than AHEAD        less than its part        yes
 *     less than AHEAD        more                      no: it starves until the worker has less again
 *     more                   any                       no
 *
 * A request that is larger than that comes when nothing stands before it. Where the worker's part is used up, they come
 * one at a time, ten a second: so it is never so that nobody is read. tests/system/test_strangers_memory.c plays it.
 */
#ifndef REDISPROXY_SESSION_BUDGET_H
#define REDISPROXY_SESSION_BUDGET_H

#include "session/input.h"

/* So much a client may be ahead of its replies, */
#define AHEAD_BYTES ((size_t)1024 * 1024)
/* and so much whatever others have. */
#define AHEAD_LITTLE ((size_t)16 * 1024)

/* Whether the worker has as many bytes of requests as it may. */
static inline bool session_budget_is_spent(const struct session_host *host)
{
    return host->turn->requests.live_bytes >= host->request_share;
}

/* What it is now that the client has, with the request that has not come wholly. */
static inline size_t session_request_bytes(const struct session *s)
{
    return s->queue.bytes + (s->client.partial ? request_cost(s->client.partial->request) : 0);
}

/* Whether the request that has not come wholly may grow over the bounds. */
bool session_may_grow(const struct session *s);

/* Whether the client may be read. */
static inline bool session_has_budget(const struct session *s)
{
    size_t bytes = session_request_bytes(s);
    return bytes < AHEAD_LITTLE || (bytes < AHEAD_BYTES && !session_budget_is_spent(s->host)) ||
           session_may_grow(s);
}

/* Notes that it starves, or does no longer. */
void session_watch_budget(struct session *s);
/* The worker has memory again: all are read. */
void session_feed_starved(struct session_host *host);
/* Every 100 ms: is it another one's turn to grow? */
void session_look_at_starved(struct session_host *host, int64_t now_ms);

#endif
