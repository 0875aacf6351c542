/*
 * lease: the connection that only this session uses, as far as it is given back. How it is taken, and what goes
 * there: leasing.h.
 */
#ifndef REDISPROXY_SESSION_LEASE_H
#define REDISPROXY_SESSION_LEASE_H

#include "session/state.h"

/* Gives it back to be closed, if there is one: something of the session is on it. */
void session_lease_drop(struct session *s);
/* Nothing is in flight: gives it back, unless something keeps it. */
void session_lease_settle(struct session *s);
/* Sends a command of the proxy's own on it, before what is sent there next. Its reply goes to `owner`, whose data is
 * the session; NULL: it is swallowed. */
void session_tell_lease(struct session *s, struct slice bytes, const struct request_owner *owner);
/* The same, of the command's words. */
void session_tell_lease_words(struct session *s, int argc, const struct slice *argv,
                              const struct request_owner *owner);
/* There is no lease any more: what is carried hears of it. */
void session_lease_dropped(struct session *s);
/* The command changes its connection, as far as one can tell: the session keeps it. */
static inline bool session_keeps_lease(const struct session_request *r)
{
    return (r->command->way == WAY_LEASE && r->command->verb == VERB_NONE) ||
           r->command->way == WAY_SESSION;
}

#endif
