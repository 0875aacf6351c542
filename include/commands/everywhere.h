/* everywhere: SCRIPT LOAD and kin go to every node of the group. */
#ifndef REDISPROXY_COMMANDS_EVERYWHERE_H
#define REDISPROXY_COMMANDS_EVERYWHERE_H

#include "session/state.h"

/* VERB_EVERYWHERE's hooks: `sent` sends the copies. */
void everywhere_sent(struct session *s, struct session_request *r);
void everywhere_answered(struct session *s, struct session_request *r, const struct upstream *from);
/* A node has executed it, by itself or with EXEC: all workers remember the text, or forget all of them. */
void everywhere_take_effect(struct session *s, struct session_request *r);

#endif
