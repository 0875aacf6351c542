/* connection_name: CLIENT GETNAME, SETNAME, SETINFO and REPLY, which the session performs if the node permits it. */
#ifndef REDISPROXY_COMMANDS_CONNECTION_NAME_H
#define REDISPROXY_COMMANDS_CONNECTION_NAME_H

#include "session/state.h"

/* The hook `perform` of all four. */
enum step connection_name_perform(struct session *s, struct session_request *r);
/* CLIENT REPLY's hook `prepare`, for one inside MULTI. */
enum step client_reply_prepare(struct session *s, struct session_request *r);
/* Gives the session a copy of this name, or, without data, none. */
void connection_name_set(struct session *s, struct slice name);
/* Redis' error, as a whole reply, for a name that it does not accept; NULL: the name is good. */
const char *connection_name_error(struct slice name);

#endif
