/* ahead: a client that takes no replies is read on, and what it sends is kept as bytes. */
#ifndef REDISPROXY_SESSION_AHEAD_H
#define REDISPROXY_SESSION_AHEAD_H

#include "session/state.h"

/* Keeps what has come. */
void session_read_ahead(struct session *s);
/* Takes the first piece of it, if requests may be taken: one at a time, or others would wait. */
void session_take_ahead(struct session *s);
/* Every 100 ms: clients that take no replies are read ahead, within bounds. */
void session_look_at_stalled(struct session_host *host, int64_t now_ms);

#endif
