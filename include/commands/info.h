/* info: INFO, with a section of the proxy's. */
#ifndef REDISPROXY_COMMANDS_INFO_H
#define REDISPROXY_COMMANDS_INFO_H

#include "session/state.h"

/* INFO's hooks: the section is added to the answer, where the arguments ask for it. */
void info_seen(struct session *s, struct session_request *r);
void info_answered(struct session *s, struct session_request *r, const struct upstream *from);

#endif
