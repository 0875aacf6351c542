/* pubsub: subscriptions and MONITOR, and what of them is renewed at another node. */
#ifndef REDISPROXY_COMMANDS_PUBSUB_H
#define REDISPROXY_COMMANDS_PUBSUB_H

#include "session/hooks.h"

/* The hooks of SUBSCRIBE and kin, MONITOR. */
enum step subscribe_prepare(struct session *s, struct request *r);
void monitor_answered(struct session *s, struct request *r, const struct upstream *from);
/* What a session carries of them. */
extern const struct carried pubsub_carried;
/* From now on the lease may bring what nobody asked for. False: not in the middle of a reply. */
bool pubsub_tap_lease(struct session *s);
/* Whether it is subscribed to the channel of RESP2's invalidations. */
bool pubsub_hears_invalidations(const struct session *s);

#endif
