/* tracking: CLIENT TRACKING, NO-EVICT and NO-TOUCH: what a client tells its node about its connection, to stay so. */
#ifndef REDISPROXY_COMMANDS_TRACKING_H
#define REDISPROXY_COMMANDS_TRACKING_H

#include "session/hooks.h"

/* Their hooks, and the hook `prepare` of CLIENT GETREDIR and TRACKINGINFO. */
enum step tracking_prepare(struct session *s, struct session_request *r);
void tracking_answered(struct session *s, struct session_request *r, const struct upstream *from);
enum step tracking_redir_prepare(struct session *s, struct session_request *r);
/* What a session carries to its next lease. */
extern const struct carried tracking_carried;
/* Sends the commands that are in effect to the session's lease again. */
void tracking_tell_again(struct session *s);

#endif
