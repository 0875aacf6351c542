/* perform: what a session does itself. */
#ifndef REDISPROXY_SESSION_PERFORM_H
#define REDISPROXY_SESSION_PERFORM_H

#include "session/state.h"

/* A command of WAY_SESSION; with a wrong number of arguments it is refused in Redis' words. */
enum step session_perform(struct session *s, struct session_request *r);

#endif
