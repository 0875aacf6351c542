/* login: AUTH, HELLO, SELECT change the session's identity, if the node lets it. */
#ifndef REDISPROXY_COMMANDS_LOGIN_H
#define REDISPROXY_COMMANDS_LOGIN_H

#include "session/state.h"

/* Their hooks. */
enum step login_perform(struct session *s, struct request *r);
enum step login_prepare(struct session *s, struct request *r);
void login_answered(struct session *s, struct request *r, const struct upstream *from);
void hello_answered(struct session *s, struct request *r, const struct upstream *from);
/* It went well. On a lease several may be on their way: what one changes is what the one before left. */
void login_take_effect(struct session *s, struct request *r);

#endif
