/* send: a request goes on its way, in the order of its session. */
#ifndef REDISPROXY_SESSION_SEND_H
#define REDISPROXY_SESSION_SEND_H

#include "session/state.h"

/* Sends a WAITING request, which is no longer WAITING then. */
void session_send(struct session *s, struct session_request *r, struct upstream *to);
/* Whether it may be sent to `to` while others are in flight. */
bool session_in_order(const struct session *s, const struct session_request *r,
                      const struct upstream *to);
/* On a connection that it shares with others of this identity. */
enum step session_send_shared(struct session *s, struct session_request *r,
                              struct identity *identity);
/* Which of the group's nodes it may go to. */
enum target_role session_target_role(const struct session *s, const struct session_request *r);
/* Whether the command shows its node a password. */
static inline bool session_proves(const struct session_request *r)
{
    return r->command->verb == VERB_AUTH || (r->command->verb == VERB_HELLO && r->argc > 2);
}
/* Not authenticated, it stands on the other side (identity->outside): let in where it was not, or the reverse. */
void session_change_sides(struct session *s);

#endif
