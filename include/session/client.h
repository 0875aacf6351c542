/*
 * client: the least that all files of a session need: to be woken, and to be written to.
 */
#ifndef REDISPROXY_SESSION_CLIENT_H
#define REDISPROXY_SESSION_CLIENT_H

#include "session/state.h"

/* The session has replies to write: before the loop sleeps. */
void session_mark_dirty(struct session *s);
/* The session's requests are to be looked at again: before the loop sleeps. */
void session_mark_woken(struct session *s);
/* Everything is answered, and written. */
static inline bool session_is_finished(const struct session *s)
{
    return s->queue.count == 0 && (list_empty(&s->client.ahead) || !life_frames(&s->life)) &&
           buf_len(&s->client.out) == 0 && !stream_is_behind(&s->client.stream);
}
/* Appends to what the client is to get. */
void session_put(struct session *s, const char *bytes, size_t len);
/* The session of this worker with this id, or NULL. */
struct session *session_find(struct session_host *host, uint64_t id);

/* A reply to `r` will end the session: nothing more is read, and nothing dispatched. */
void session_quits(struct session *s, struct session_request *r);

#endif
