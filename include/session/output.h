/*
 * output: what a client gets. What it does not take as fast as it comes waits here, and then at the node: a
 * connection that brings more than output_high is not read for a while.
 */
#ifndef REDISPROXY_SESSION_OUTPUT_H
#define REDISPROXY_SESSION_OUTPUT_H

#include "session/state.h"

/* Writes now what can be written. */
void session_flush(struct session *s);
/* Flushes all in this list. */
void session_flush_dirty(struct list *dirty);
/* What nobody asked for goes to the client as it is. */
void session_pass_on(struct session *s, const char *message, size_t len);
/* The client does not read as fast as its replies come: `up` brings no more of them for a while, if it must be.
 * `so_far`: bytes of a reply that goes on. */
void session_throttle(struct session *s, struct upstream *up, size_t so_far);
/* A piece that nothing waits before goes to the client: a large one from where it is, as far as it is taken. What
 * is wrong with the connection, the flush will find. */
void session_stream(struct session *s, const char *data, size_t len);
/* A reply goes on that has to wait for its turn: a large one waits in the kernel and at its node. */
void session_throttle_early(struct session *s, const struct request *r);
/* Reads on where a reply was too early, when its turn has come. */
void session_resume_early(struct session *s);

#endif
