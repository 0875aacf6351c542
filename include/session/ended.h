/* ended: a node has ended the lease of a session that hears messages there. Was it a switch? */
#ifndef REDISPROXY_SESSION_ENDED_H
#define REDISPROXY_SESSION_ENDED_H

#include "session/state.h"

/* The lease was ended by its node. Until it is known why, nothing is dispatched. */
void session_doubt(struct session *s, const struct upstream *lease);
/* Every 100 ms, and with each snapshot: was it a switch? */
void session_judge_ended(struct session_host *host, int64_t now_ms);
static inline bool session_doubts(const struct session *s)
{
    return list_linked(&s->lease.in_doubted);
}

#endif
