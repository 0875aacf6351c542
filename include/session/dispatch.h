/* dispatch: which of the session's requests may go now, and by which way. */
#ifndef REDISPROXY_SESSION_DISPATCH_H
#define REDISPROXY_SESSION_DISPATCH_H

#include "session/state.h"

/* Sends, performs or holds what can be, and delivers what was answered. */
void session_dispatch(struct session *s);

/* The session of this member of a hold is to be dispatched in this turn. */
void session_wake(struct held *held);
/* Dispatches all in this list, and those that join it meanwhile. */
void session_run_woken(struct list *woken);

#endif
