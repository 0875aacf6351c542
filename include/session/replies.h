/* replies: what comes back, and which reply is next. */
#ifndef REDISPROXY_SESSION_REPLIES_H
#define REDISPROXY_SESSION_REPLIES_H

#include "session/state.h"

/* The owner of a session's requests, whose data is the session. */
extern const struct request_owner session_owner;
/* Hands out the replies whose turn it is. */
void session_deliver(struct session *s);

#endif
