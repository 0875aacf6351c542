/* pause: CLIENT PAUSE and UNPAUSE. */
#ifndef REDISPROXY_COMMANDS_PAUSE_H
#define REDISPROXY_COMMANDS_PAUSE_H

#include "session/state.h"

/* A node has executed it, by itself or with EXEC: all workers are told. */
void pause_take_effect(struct session *s, const struct session_request *r,
                       const struct upstream *from);
/* The hook `answered` of both. */
void pause_answered(struct session *s, struct session_request *r, const struct upstream *from);

#endif
