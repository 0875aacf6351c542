/*
 * life: the end of a session. `closing` is terminal: session_close() lets go of everything at once, the
 * memory goes in the stream's last callback.
 */
#ifndef REDISPROXY_SESSION_LIFE_H
#define REDISPROXY_SESSION_LIFE_H

#include "session/state.h"

/* `why` is for the log. */
void session_close(struct session *s, enum close_reason reason, const char *why);
/* The proxy ends it, for a reason that an operator would want to know. */
void session_disconnect(struct session *s, enum close_reason reason, const char *why);
/* The same, for what waits for its client, or was read ahead of it. */
void session_disconnect_over(struct session *s, const char *why);
/* Logs and counts that; the session ends otherwise. */
void session_count_disconnected(struct session *s, const char *why);

#endif
