/* secure: sessions whose clients speak TLS: how that begins, and what is told when it does not. */
#ifndef REDISPROXY_SESSION_SECURE_H
#define REDISPROXY_SESSION_SECURE_H

#include "session/state.h"

/* A new session's stream speaks TLS, with the newest certificate of its listener. */
void session_secure(struct session *s);

/* The handshake is done: the session starts as the user whom its client's certificate names, where that is wanted and
 * the user's password is known. The node has the last word, as after AUTH. */
void session_secured(struct session *s);

/* The handshake failed: it is told, unless it was a mere probe, counted, and the session ends. */
void session_not_secured(struct session *s, int error);

#endif
