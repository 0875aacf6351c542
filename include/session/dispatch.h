/* dispatch: which of the session's requests may go now, and by which way. */
#ifndef REDISPROXY_SESSION_DISPATCH_H
#define REDISPROXY_SESSION_DISPATCH_H

#include "session/state.h"

/* Sends, performs or holds what can be, and delivers what was answered. */
void session_dispatch(struct session *s);

/* The session of this member of a hold is to be dispatched in this turn. */
void session_wake(struct held *held);
/* Dispatches those that were woken, and those that are meanwhile, within the turn's budget. */
void session_run_woken(struct turn *turn);

#endif
