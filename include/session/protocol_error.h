/* protocol_error: the end of a session whose client sent what no request can be, or more than it may. */
#ifndef REDISPROXY_SESSION_PROTOCOL_ERROR_H
#define REDISPROXY_SESSION_PROTOCOL_ERROR_H

#include "session/state.h"

/* Answers "-ERR <error>" behind what is still due, and closes the session then. */
void session_protocol_error(struct session *s, const char *error);

#endif
