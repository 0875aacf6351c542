/* pubsub: subscriptions and MONITOR, which are made again at another node when their connection is lost. */
#ifndef REDISPROXY_COMMANDS_PUBSUB_H
#define REDISPROXY_COMMANDS_PUBSUB_H

#include "session/hooks.h"

/* The hook `prepare` of SUBSCRIBE, UNSUBSCRIBE, their kin and MONITOR, and MONITOR's `answered`. */
enum step subscribe_prepare(struct session *s, struct session_request *r);
void monitor_answered(struct session *s, struct session_request *r, const struct upstream *from);
/* What a session with subscriptions carries to its next lease. */
extern const struct carried pubsub_carried;
/* From now on the session's lease may bring messages that are no replies. Returns false in the middle of a reply,
 * when that cannot begin. */
bool pubsub_tap_lease(struct session *s);
/* Whether the session is subscribed to the channel on which RESP2 clients get invalidations (CLIENT TRACKING). */
bool pubsub_hears_invalidations(const struct session *s);

#endif
