/* dispatch: which of the session's requests may go now, and by which way. */
#ifndef REDISPROXY_SESSION_DISPATCH_H
#define REDISPROXY_SESSION_DISPATCH_H

#include "session/state.h"

/* Sends, performs or holds what can be, and delivers what was answered. */
void session_dispatch(struct session *s);

#endif
