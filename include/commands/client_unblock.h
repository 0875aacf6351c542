/* client_unblock: CLIENT UNBLOCK. */
#ifndef REDISPROXY_COMMANDS_CLIENT_UNBLOCK_H
#define REDISPROXY_COMMANDS_CLIENT_UNBLOCK_H

#include "session/state.h"

/* VERB_CLIENT_UNBLOCK's hook `perform`. */
enum step client_unblock_perform(struct session *s, struct session_request *r);

#endif
