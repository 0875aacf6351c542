/* secure: sessions whose clients speak TLS: how that begins, and what is told when it does not. */
#ifndef REDISPROXY_SESSION_SECURE_H
#define REDISPROXY_SESSION_SECURE_H

#include "session/state.h"

/* A new session's stream speaks TLS, with the newest certificate of its listener. */
void session_secure(struct session *s);

/* The handshake failed: it is told, unless it was a mere probe, counted, and the session ends. */
void session_not_secured(struct session *s, int error);

#endif
