/* everywhere: SCRIPT LOAD and kin go to every node of the group. */
#ifndef REDISPROXY_COMMANDS_EVERYWHERE_H
#define REDISPROXY_COMMANDS_EVERYWHERE_H

#include "session/state.h"

/* VERB_EVERYWHERE's hook `sent`: sends the copies. */
void everywhere_sent(struct session *s, struct request *r);

#endif
