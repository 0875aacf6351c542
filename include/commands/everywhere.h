/* everywhere: SCRIPT LOAD and kin go to every node of the group. */
#ifndef REDISPROXY_COMMANDS_EVERYWHERE_H
#define REDISPROXY_COMMANDS_EVERYWHERE_H

#include "session/state.h"

void everywhere_sent(struct session *s, struct request *r);

#endif
