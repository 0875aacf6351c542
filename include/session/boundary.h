/*
 * boundary: where a session may be ended by the proxy without anything being lost: what its client sent is answered, and
 * nothing is begun that only the client can finish.
 */
#ifndef REDISPROXY_SESSION_BOUNDARY_H
#define REDISPROXY_SESSION_BOUNDARY_H

#include "session/state.h"

/* It has asked for what comes by itself, without an end: messages, MONITOR's lines, a replication stream. */
static inline bool session_listens(const struct session *s)
{
    return lease_kept_for(&s->lease, LEASE_SUBSCRIBED | LEASE_MONITORS) || s->special.tunnel;
}

/* It is inside MULTI, or WATCHes, or has sent the first part of a request. */
static inline bool session_has_begun(const struct session *s)
{
    return s->tx.state != TX_NONE || s->tx.watching || s->client.partial;
}

/* Asks the kernel, too, whether there is something to read. */
bool session_at_boundary(const struct session *s);

#endif
