/*
 * held_partial: a request that has not come wholly while there is no node that could say whether its client has to log
 * in (login_bound.h): at the start of the proxy in an outage, for one.
 *
 *     the hold has room for it    it grows there, and its session waits in the hold as others do
 *     no room, or its time is up  its bytes are dropped, as are those that follow; its end is still found, and there
 *                                 it is refused like any other that cannot be held (session_add_refused())
 *
 * Only a session without requests before it has one: what the hold counts for such a session is the partial request.
 */
#ifndef REDISPROXY_SESSION_HELD_PARTIAL_H
#define REDISPROXY_SESSION_HELD_PARTIAL_H

#include "session/state.h"

/* Whether it has waited for so long. */
bool session_partial_is_over(const struct session *s, int64_t now_ms, int64_t timeout_ms);

/* The partial request waits in the hold, with what has come of it so far. */
enum growth session_hold_partial(struct session *s);
/* It has come wholly: the hold counts it as a request from here on. */
void session_unhold_partial(struct session *s);
/* Every 100 ms, for a session in the hold. */
void session_expire_partial(struct session *s, int64_t now_ms, int64_t timeout_ms);

/* More of a request whose bytes are dropped. Returns true when all of `data` was passed over; otherwise some of it has
 * to be framed. */
bool session_skip_payload(struct session *s, size_t len);
/* After a look at it: what was passed over is dropped. */
void session_drop_passed(struct session *s);

#endif
