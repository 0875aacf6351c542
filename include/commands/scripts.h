/* scripts: EVAL, EVALSHA and FCALL. An EVALSHA finds its script at every node to which it comes. */
#ifndef REDISPROXY_COMMANDS_SCRIPTS_H
#define REDISPROXY_COMMANDS_SCRIPTS_H

#include "session/state.h"

/* The hooks of EVAL, EVALSHA and FCALL, and EXEC's `prepare`. */
void script_seen(struct session *s, struct session_request *r);
enum step evalsha_prepare(struct session *s, struct session_request *r);
enum step script_exec_prepare(struct session *s, struct session_request *r);
void script_answered(struct session *s, struct session_request *r, const struct upstream *from);
void eval_answered(struct session *s, struct session_request *r, const struct upstream *from);
/* session_hooks.new_master: a request of a user who uses scripts is about to go to a master. One that has not been
 * told the scripts that were used last is told them before. */
void script_tell_new_master(struct session *s, const struct session_request *r,
                            struct upstream *to);
/* A node has taken this text: it is remembered, here and by the other workers. */
void script_remember(struct session *s, struct slice text);

#endif
