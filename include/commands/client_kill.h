/* client_kill: CLIENT KILL. */
#ifndef REDISPROXY_COMMANDS_CLIENT_KILL_H
#define REDISPROXY_COMMANDS_CLIENT_KILL_H

#include "session/state.h"

enum step session_client_kill(struct session *s, struct request *r);

#endif
