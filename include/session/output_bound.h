/*
 * output_bound: what waits for a client has a bound, output_limit, and all that waits one, output_memory: replies
 * (output_bytes.h), and requests that were read ahead (ahead.h). Usually a reply that is not taken waits at its node. It
 * cannot where others' requests are behind it, and is read on; who is over the bound then is disconnected, as by Redis.
 */
#ifndef REDISPROXY_SESSION_OUTPUT_BOUND_H
#define REDISPROXY_SESSION_OUTPUT_BOUND_H

#include "session/state.h"

/* Counts what waits now; returns false when it is over a bound: the client is disconnected. */
bool session_bound_output(struct session *s);

#endif
