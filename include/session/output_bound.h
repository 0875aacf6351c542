/*
 * output_bound: what waits for a client has a bound, output_limit, and all that waits one, output_memory: replies that
 * the client does not take, replies that are kept whole until their turn comes or until they are rewritten (EXEC), and
 * requests that were read ahead (ahead.h). Usually a reply that is not taken waits at its node. It cannot where others'
 * requests are behind it, and is read on; who is over the bound then is disconnected, as by Redis.
 *
 * Up to output_high is not counted: most clients never have more.
 */
#ifndef REDISPROXY_SESSION_OUTPUT_BOUND_H
#define REDISPROXY_SESSION_OUTPUT_BOUND_H

#include "session/state.h"

/* Counts what waits now. */
void session_count_output(struct session *s);
/* The same; returns false when it was over a bound: it is disconnected. */
bool session_bound_output(struct session *s);
/* Nothing waits any longer, for a session that ends. */
void session_forget_output(struct session *s);
/* All replies that are kept until their turn comes. */
size_t session_kept_bytes(const struct session *s);

#endif
