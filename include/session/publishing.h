/*
 * publishing: what may publish a message waits until the subscriptions of this proxy's clients stand again after a
 * switch (nodes/gate.h).
 */
#ifndef REDISPROXY_SESSION_PUBLISHING_H
#define REDISPROXY_SESSION_PUBLISHING_H

#include "session/state.h"

/* Whether the request may publish a message, or counts subscribers. */
bool session_may_publish(const struct command *command);
bool session_waits_for_subscribers(struct session *s, struct session_request *r);

#endif
