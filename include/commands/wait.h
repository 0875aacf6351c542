/* wait: WAIT and WAITAOF, which count replicas that have what the session wrote, on whichever connection. */
#ifndef REDISPROXY_COMMANDS_WAIT_H
#define REDISPROXY_COMMANDS_WAIT_H

#include "session/state.h"

/* Their hooks. */
enum step wait_prepare(struct session *s, struct session_request *r);
void wait_answered(struct session *s, struct session_request *r, const struct upstream *from);

#endif
