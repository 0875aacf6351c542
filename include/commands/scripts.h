/* scripts: an EVALSHA finds its script at every node that it comes to. */
#ifndef REDISPROXY_COMMANDS_SCRIPTS_H
#define REDISPROXY_COMMANDS_SCRIPTS_H

#include "session/state.h"

/* The hooks of EVAL, EVALSHA, FCALL, and EXEC. */
void script_seen(struct session *s, struct request *r);
enum step eval_prepare(struct session *s, struct request *r);
enum step evalsha_prepare(struct session *s, struct request *r);
enum step script_exec_prepare(struct session *s, struct request *r);
void script_answered(struct session *s, struct request *r, const struct upstream *from);
/* Before the first request of a user who uses scripts goes to a new master: it is told the recent ones. */
void script_tell_new_master(struct session *s, const struct request *r, struct upstream *to);
/* SCRIPT LOAD, SCRIPT FLUSH, sent. Whether other workers have to forget theirs. */
bool script_command_sent(struct session *s, const struct request *r);

#endif
