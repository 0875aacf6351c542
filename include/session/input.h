/*
 * input: what a client has sent that is no request yet: one that has not come wholly, and, of a client that
 * reads no replies, bytes that nobody has looked at (ahead.c).
 */
#ifndef REDISPROXY_SESSION_INPUT_H
#define REDISPROXY_SESSION_INPUT_H

#include "redis/resp.h"
#include "session/state.h"

/* A request that has not come wholly: its bytes so far, and how far they were understood. */
struct partial {
    struct session_request *request;
    struct resp_request parse;
    int64_t held_since_ms; /* in the hold (held_partial.h); 0: it never was */
    bool skipped;          /* its bytes are dropped, and it will be refused */
    size_t charged;        /* of its bytes, in the queue's */
};

/* Frees it; for a session that ends. */
void session_forget_partial(struct session *s);

/* Bytes that nobody has looked at, in session->client.ahead. */
struct input_chunk {
    struct list in_ahead;
    size_t len;
    char data[];
};

/* Whether the client may have more of them, and of replies (output_limit). */
static inline bool session_is_within_limit(const struct session *s)
{
    return s->client.ahead_bytes + s->client.output_bytes < s->host->options->output_limit;
}
/* Whether the client, and all clients together, may have more of them (output_limit, output_memory). */
bool session_has_input_room(const struct session *s);
/* Keeps a copy. Returns false when there is no memory for it. */
bool session_keep_input(struct session *s, const char *bytes, size_t len)
    __attribute__((warn_unused_result));
/* The same, before all that is kept already. */
bool session_put_input_back(struct session *s, const char *bytes, size_t len)
    __attribute__((warn_unused_result));
/* Takes the first piece out of the list, which must not be empty. It still counts until it is dropped. */
struct input_chunk *session_first_input(struct session *s);
/* Wipes and frees it. */
void session_drop_input(struct session *s, struct input_chunk *chunk);
/* Drops all; for a session that ends. */
void session_forget_ahead(struct session *s);

#endif
