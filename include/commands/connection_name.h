/* connection_name: CLIENT GETNAME, SETNAME, SETINFO and REPLY, which need no node but its leave. */
#ifndef REDISPROXY_COMMANDS_CONNECTION_NAME_H
#define REDISPROXY_COMMANDS_CONNECTION_NAME_H

#include "session/state.h"

/* Their hooks. */
enum step connection_name_perform(struct session *s, struct request *r);
enum step client_reply_prepare(struct session *s, struct request *r);
/* The session has this name; none, if it has no data. */
void connection_name_set(struct session *s, struct slice name);
/* Redis' error for a client's name that it does not take, or NULL. */
const char *connection_name_error(struct slice name);

#endif
