/* refuse: what is never sent, in Redis' own words where it has some. */
#ifndef REDISPROXY_SESSION_REFUSE_H
#define REDISPROXY_SESSION_REFUSE_H

#include "session/state.h"

/* A command that is not available through the proxy. */
enum step session_refuse(struct session *s, struct session_request *r);
/* What changes something, or is not known, on a port that only reads. */
void session_refuse_on_read_port(struct session *s, struct session_request *r);

#endif
