/* wait: WAIT and WAITAOF count what the session wrote elsewhere. */
#ifndef REDISPROXY_COMMANDS_WAIT_H
#define REDISPROXY_COMMANDS_WAIT_H

#include "session/state.h"

enum step wait_prepare(struct session *s, struct request *r);
void wait_answered(struct session *s, struct request *r, const struct upstream *from);

#endif
