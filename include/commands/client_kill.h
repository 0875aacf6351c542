/* client_kill: CLIENT KILL. */
#ifndef REDISPROXY_COMMANDS_CLIENT_KILL_H
#define REDISPROXY_COMMANDS_CLIENT_KILL_H

#include "session/state.h"

enum step client_kill_perform(struct session *s, struct request *r);

#endif
