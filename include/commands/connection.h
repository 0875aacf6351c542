/* connection: RESET and QUIT. */
#ifndef REDISPROXY_COMMANDS_CONNECTION_H
#define REDISPROXY_COMMANDS_CONNECTION_H

#include "session/state.h"

/* Their hooks `perform`. */
enum step reset_perform(struct session *s, struct session_request *r);
enum step quit_perform(struct session *s, struct session_request *r);

#endif
