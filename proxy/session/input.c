/* input: see the header. */
#include "session/input.h"

#include <stdlib.h>
#include <string.h>

void session_forget_partial(struct session *s)
{
    if (!s->client.partial)
        return;
    if (s->host->growing == s)
        s->host->growing = NULL;
    session_request_free(session_pool(s), s->client.partial->request);
    free(s->client.partial);
}

static void account(struct session *s, size_t more, size_t less)
{
    atomic_size_t *all = &s->host->stop.shared->unread_bytes;
    s->client.ahead_bytes += more - less;
    s->host->ahead_bytes += more - less;
    atomic_fetch_add_explicit(all, more - less, memory_order_relaxed);
}

bool session_has_input_room(const struct session *s)
{
    const struct traffic_options *options = s->host->options;
    return session_is_within_limit(s) &&
           atomic_load_explicit(&s->host->stop.shared->unread_bytes, memory_order_relaxed) <
               options->output_memory;
}

static struct input_chunk *copy(struct session *s, const char *bytes, size_t len)
{
    struct input_chunk *chunk = malloc(sizeof(*chunk) + len);
    if (!chunk)
        return NULL;
    list_init(&chunk->in_ahead);
    chunk->len = len;
    memcpy(chunk->data, bytes, len);
    account(s, sizeof(*chunk) + len, 0);
    return chunk;
}

bool session_keep_input(struct session *s, const char *bytes, size_t len)
{
    struct input_chunk *chunk = copy(s, bytes, len);
    if (chunk)
        list_append(&s->client.ahead, &chunk->in_ahead);
    return chunk != NULL;
}

bool session_put_input_back(struct session *s, const char *bytes, size_t len)
{
    struct input_chunk *chunk = copy(s, bytes, len);
    if (chunk)
        list_prepend(&s->client.ahead, &chunk->in_ahead);
    return chunk != NULL;
}

struct input_chunk *session_first_input(struct session *s)
{
    return container_of(list_take(&s->client.ahead), struct input_chunk, in_ahead);
}

void session_drop_input(struct session *s, struct input_chunk *chunk)
{
    list_remove(&chunk->in_ahead);
    account(s, 0, sizeof(*chunk) + chunk->len);
    explicit_bzero(chunk->data, chunk->len); /* a password may have been in it */
    free(chunk);
}

void session_forget_ahead(struct session *s)
{
    while (!list_empty(&s->client.ahead))
        session_drop_input(s, container_of(s->client.ahead.next, struct input_chunk, in_ahead));
    list_remove(&s->client.in_stalled);
}
