/*
 * output_bytes: how much waits for a client: replies that it does not take, and those that are kept until their turn comes
 * or until they are rewritten. Up to output_high it counts as nothing: most clients never have more.
 */
#ifndef REDISPROXY_SESSION_OUTPUT_BYTES_H
#define REDISPROXY_SESSION_OUTPUT_BYTES_H

#include "session/state.h"

/* Counts what waits now, towards output_memory, too: nothing else keeps it from growing. */
void session_count_output(struct session *s);
/* What waits now is shown. Towards output_memory it counts only if it did already: where the connection that brings more is
 * not read meanwhile, it does not grow. */
void session_show_output(struct session *s);
/* Nothing waits any longer, for a session that ends. */
void session_forget_output(struct session *s);
/* All replies that are kept until their turn comes. */
size_t session_kept_bytes(const struct session *s);

#endif
