/* leave: the proxy ends a session at a boundary between its requests, when nobody is answered less for it. */
#ifndef REDISPROXY_SESSION_LEAVE_H
#define REDISPROXY_SESSION_LEAVE_H

#include <stdbool.h>

struct session;

/* It is served on up to its next boundary (boundary.h), and ends there: at once, if it is at one. `why` is for the log. On its
 * worker's thread; it may be gone when this returns. */
void session_leave(struct session *s, const char *why);

/* Whether its client would lose more than its connection now: a transaction or a WATCH is open, or its command blocks. */
bool session_is_amid(const struct session *s);

#endif
