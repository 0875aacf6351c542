/* exec: EXEC's answer, where the session has to fill in what only it knows. */
#ifndef REDISPROXY_COMMANDS_EXEC_H
#define REDISPROXY_COMMANDS_EXEC_H

#include "session/state.h"

/* The hook `answered` of EXEC. */
void exec_answered(struct session *s, struct session_request *exec, const struct upstream *from);

#endif
