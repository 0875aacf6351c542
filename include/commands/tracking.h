/* tracking: CLIENT TRACKING, NO-EVICT, NO-TOUCH: what the node was told about the connection. */
#ifndef REDISPROXY_COMMANDS_TRACKING_H
#define REDISPROXY_COMMANDS_TRACKING_H

#include "session/hooks.h"

/* Their hooks, and that of CLIENT GETREDIR and TRACKINGINFO. */
enum step tracking_prepare(struct session *s, struct request *r);
void tracking_answered(struct session *s, struct request *r, const struct upstream *from);
enum step tracking_redir_prepare(struct session *s, struct request *r);
extern const struct carried tracking_carried;
/* Tells the lease all of it again. */
void tracking_tell_again(struct session *s);

#endif
