/*
 * output: what a client gets. What it does not take as fast as it comes waits here, and then at the node: a
 * connection that brings more than output_high is not read for a while.
 */
#ifndef REDISPROXY_SESSION_OUTPUT_H
#define REDISPROXY_SESSION_OUTPUT_H

#include "session/client.h"

/* Pieces of a reply from this size on are not copied if they need not be. */
#define STREAM_MIN ((size_t)16 * 1024)

/* The rare cases of the inline functions below. */
void session_throttle_now(struct session *s, struct upstream *up, size_t so_far);
void session_stream_directly(struct session *s, const char *data, size_t len);
void session_resume_early_now(struct session *s);

/* Writes now what can be written. */
void session_flush(struct session *s);
/* Flushes those that have something to write, within the turn's budget. */
void session_flush_dirty(struct turn *turn);
/* What nobody asked for goes to the client as it is. */
void session_pass_on(struct session *s, const char *message, size_t len);
/* The client does not read as fast as its replies come: `up` brings no more of them for a while, if it must be.
 * `so_far`: bytes of a reply that goes on. */
static inline void session_throttle(struct session *s, struct upstream *up, size_t so_far)
{
    if (buf_len(&s->client.out) > s->host->options->output_high)
        session_throttle_now(s, up, so_far);
}
/* A piece that nothing waits before goes to the client: a large one from where it is, as far as it is taken. What
 * is wrong with the connection, the flush will find. */
static inline void session_stream(struct session *s, const char *data, size_t len)
{
    if (len >= STREAM_MIN && buf_len(&s->client.out) == 0)
        session_stream_directly(s, data, len);
    else
        session_put(s, data, len);
}
/* A reply goes on that has to wait for its turn: a large one waits in the kernel and at its node. */
void session_throttle_early(struct session *s, const struct session_request *r);
/* Reads on where a reply was too early, when its turn has come. */
static inline void session_resume_early(struct session *s)
{
    if (s->client.early)
        session_resume_early_now(s);
}

#endif
