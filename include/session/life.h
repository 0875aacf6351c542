/*
 * life: the end of a session. `closing` is terminal: session_close() lets go of everything at once, the
 * memory goes in the stream's last callback.
 */
#ifndef REDISPROXY_SESSION_LIFE_H
#define REDISPROXY_SESSION_LIFE_H

#include "session/state.h"

/* `why` is for the log. */
void session_close(struct session *s, const char *why);
/* The proxy ends it, for a reason that an operator would want to know. */
void session_disconnect(struct session *s, const char *why);
/* A reply that this session does not read keeps others waiting: it is disconnected. NULL: there is none. */
void session_stuck(void *data, void *session);
/* Logs and counts that; the session ends otherwise. */
void session_count_disconnected(struct session *s, const char *why);

#endif
