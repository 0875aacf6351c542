/*
 * blocking: commands that wait for other clients' writes (BLPOP and kin), with a timeout of their own.
 */
#ifndef REDISPROXY_SESSION_BLOCKING_H
#define REDISPROXY_SESSION_BLOCKING_H

#include "session/state.h"

bool session_is_blocking(const struct session_request *r);
/* A held blocking command waits its own time and no longer. */
void session_start_timeout(struct session *s, struct session_request *r);
/* What is left of its timeout, after it was held. */
void session_rewrite_timeout(struct session *s, struct session_request *r);
/* Its timeout, as its client gave it, has passed. */
bool session_blocked_expired(const struct session_request *r, int64_t now_ms);
/* Writing to the group's master has to stop: commands that block there are taken back. */
void session_take_back_blocked(struct session_host *host, size_t group);
/* It is answered -UNBLOCKED: was it the proxy that wanted this? */
bool session_is_taken_back(const struct session *s, const struct session_request *r);

#endif
