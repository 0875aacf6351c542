/* read: what a client sends is read and framed. */
#ifndef REDISPROXY_SESSION_READ_H
#define REDISPROXY_SESSION_READ_H

#include "session/state.h"

/* Takes what has come, and dispatches it; the caller has asked session_reads(). */
void session_read(struct session *s);
/* Frames what the client has sent. Wipes secrets where they are. */
void session_feed(struct session *s, char *data, size_t len);
/* All was taken that came before the end of the client's side. */
void session_ended(struct session *s);

#endif
