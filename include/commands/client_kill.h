/* client_kill: CLIENT KILL. */
#ifndef REDISPROXY_COMMANDS_CLIENT_KILL_H
#define REDISPROXY_COMMANDS_CLIENT_KILL_H

#include "session/state.h"

/* VERB_CLIENT_KILL's hook `perform`. */
enum step client_kill_perform(struct session *s, struct session_request *r);

#endif
