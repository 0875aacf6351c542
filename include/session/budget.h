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

/* Has the worker as many bytes of requests as it may? Looked at whenever a client has sent much, each turn as long as it
 * has, and every 100 ms. */
static inline bool session_look_at_budget(struct session_host *host)
{
    host->budget_spent = request_pool_cost(&host->turn->requests) >= host->request_share;
    return host->budget_spent;
}

/* The request that has not come wholly counts among the queue's, too. */
void session_charge_partial(struct session *s);
void session_discharge_partial(struct session *s);

/* The rare part of the next one. */
bool session_budget_lets(const struct session *s);

/* Whether the client may be read. */
static inline bool session_has_budget(const struct session *s)
{
    return __builtin_expect(s->queue.bytes < AHEAD_LITTLE, 1) || session_budget_lets(s);
}

/* While the budget is spent: notes that it starves, or does no longer. */
void session_watch_budget(struct session *s);

#endif
