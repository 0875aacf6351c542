/*
 * session_ahead: a client may write all its requests before it reads the first reply. While its replies
 * wait, no more of its requests are taken (session_read.c), and so each would wait for the other. So when
 * its socket has taken nothing for a moment, what it sends is read on, and kept as bytes: a request that is
 * not framed costs its length. They are framed when replies go out again.
 *
 *     socket --> ahead: [chunk][chunk][chunk] --session_take_ahead()--> session_feed() --> requests
 *
 * A client that reads, however slowly, is just not read meanwhile: that costs nothing. Bounded for each
 * client (output_limit) and for all (output_memory); who is over it, goes on sending and takes nothing is
 * disconnected, for neither side would ever go on. tests/system/test_slow.c plays it.
 */
#include "traffic/session_state.h"

#include <stdlib.h>
#include <string.h>

/* A client that has taken nothing for so long is read ahead. */
#define STALLED_MS 50
/* And for so long, while there is no room for more of what it sends, is disconnected. */
#define STUCK_MS 5000

struct chunk {
    struct list in_ahead;
    size_t len;
    char data[];
};

/* Replies wait, nothing is read for that, and nothing else has ended the reading. */
static bool may_stall(const struct session *s)
{
    return buf_len(&s->out) > 0 && !s->ahead_end && !s->eof && !s->last_words && !s->draining &&
           !s->tunnel && !session_reads(s);
}

void session_watch_stall(struct session *s)
{
    bool may = may_stall(s);
    if (may == list_linked(&s->in_stalled))
        return;
    s->reads_ahead = false;
    s->taken_ms = turn_now(s->host->turn);
    if (may)
        list_append(&s->host->stalled, &s->in_stalled);
    else
        list_remove(&s->in_stalled);
}

void session_was_taken_from(struct session *s)
{
    s->reads_ahead = false;
    s->taken_ms = turn_now(s->host->turn);
}

/* ---- the bounds ---- */

static void account(struct session *s, size_t more, size_t less)
{
    atomic_size_t *all = &s->host->stop.shared->ahead_bytes;
    s->ahead_bytes += more - less;
    s->host->ahead_bytes += more - less;
    atomic_fetch_add_explicit(all, more - less, memory_order_relaxed);
}

static bool has_room(const struct session *s)
{
    const struct traffic_options *options = s->host->options;
    return s->ahead_bytes < options->output_limit &&
           atomic_load_explicit(&s->host->stop.shared->ahead_bytes, memory_order_relaxed) <
               options->output_memory;
}

void session_look_at_stalled(struct session_host *host, int64_t now_ms)
{
    list_each (it, &host->stalled) {
        struct session *s = container_of(it, struct session, in_stalled);
        int64_t stalled_ms = now_ms - s->taken_ms;
        if (stalled_ms < STALLED_MS)
            continue;
        if (has_room(s)) {
            s->reads_ahead = true;
            session_update_interest(s);
        } else if (stalled_ms >= STUCK_MS && stream_has_input(&s->stream)) {
            session_disconnect(s, s->ahead_bytes < host->options->output_limit
                                      ? "it sends requests and reads no replies: output_memory"
                                      : "it sends requests and reads no replies: output_limit");
        }
    }
}

/* ---- the bytes ---- */

static void keep(struct session *s, const char *bytes, size_t len)
{
    struct chunk *chunk = malloc(sizeof(*chunk) + len);
    if (!chunk)
        abort();
    list_init(&chunk->in_ahead);
    chunk->len = len;
    memcpy(chunk->data, bytes, len);
    list_append(&s->ahead, &chunk->in_ahead);
    account(s, sizeof(*chunk) + len, 0);
}

static void drop(struct session *s, struct chunk *chunk)
{
    list_remove(&chunk->in_ahead);
    account(s, 0, sizeof(*chunk) + chunk->len);
    explicit_bzero(chunk->data, chunk->len); /* a password may have been in it */
    free(chunk);
}

void session_read_ahead(struct session *s)
{
    char *bytes = s->host->turn->read;
    ssize_t n = stream_read(&s->stream, bytes, sizeof(s->host->turn->read));
    if (n > 0)
        keep(s, bytes, (size_t)n);
    explicit_bzero(bytes, n > 0 ? (size_t)n : 0);
    if (n == UV_EOF) {
        s->gone = s->ahead_end = true;
        if (hold_waits(&s->held) || s->blocked)
            n = UV_ECONNRESET;
    }
    if (n < 0 && n != UV_EOF) {
        session_close(s, "the client closed the connection");
        return;
    }
    if (!has_room(s))
        s->reads_ahead = false;
    session_update_interest(s);
}

void session_take_ahead(struct session *s)
{
    struct chunk *chunk;
    if (list_empty(&s->ahead) || !session_wants_to_read(s))
        return;
    chunk = container_of(list_take(&s->ahead), struct chunk, in_ahead);
    session_feed(s, chunk->data, chunk->len);
    drop(s, chunk);
    if (!s->closing)
        session_dispatch(s);
    if (!s->closing && list_empty(&s->ahead) && s->ahead_end)
        session_ended(s);
    else if (!s->closing)
        session_update_interest(s);
}

void session_forget_ahead(struct session *s)
{
    while (!list_empty(&s->ahead))
        drop(s, container_of(s->ahead.next, struct chunk, in_ahead));
    list_remove(&s->in_stalled);
}
