/* login: AUTH, HELLO, SELECT change the session's identity, if the node lets it. */
#ifndef REDISPROXY_COMMANDS_LOGIN_H
#define REDISPROXY_COMMANDS_LOGIN_H

#include "session/state.h"

/* The hooks of AUTH and SELECT; HELLO has another `answered`. */
enum step login_perform(struct session *s, struct session_request *r);
enum step login_prepare(struct session *s, struct session_request *r);
void login_answered(struct session *s, struct session_request *r, const struct upstream *from);
void hello_answered(struct session *s, struct session_request *r, const struct upstream *from);
/* The command succeeded on the session's lease: its identity becomes what the command asked for. Several of them
 * may have been on their way there; each one changes what the one before it has left. */
void login_take_effect(struct session *s, struct session_request *r);

#endif
