/* held: requests that join the queue, and those that wait in the hold. */
#ifndef REDISPROXY_SESSION_HELD_H
#define REDISPROXY_SESSION_HELD_H

#include "session/state.h"

/* The client has sent it. When the session waits in a hold that is full, it is refused. */
void session_add(struct session *s, struct session_request *r);
/* One whose bytes were not kept (held_partial.h): it joins, and is refused. */
void session_add_refused(struct session *s, struct session_request *r);
/* Nobody to send to: the session joins the hold, in bounds. */
void session_enter_hold(struct session *s);
/* Every 100 ms: held requests of this group whose time is up are to get their error; blocked ones, held, their nil. */
void session_expire_held(struct session_host *host, size_t group, int64_t now_ms);
/* They get it, within the turn's budget. */
void session_run_expiring(struct session_host *host, int64_t now_ms);

#endif
