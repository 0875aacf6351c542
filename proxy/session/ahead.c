/*
 * ahead: a client may write all its requests before it reads the first reply. While its replies
 * wait, no more of its requests are taken (interest.c), and so each would wait for the other. So when
 * its socket has taken nothing for a moment, what it sends is read on, and kept as bytes: a request that is
 * not framed costs its length. They are framed when replies go out again.
 *
 *     socket --> ahead: [chunk][chunk][chunk] --session_take_ahead()--> session_feed() --> requests
 *
 * A client that reads, however slowly, is just not read meanwhile: that costs nothing. Bounded for each
 * client (output_limit) and for all (output_memory); who is over it, goes on sending and takes nothing is
 * disconnected, for neither side would ever go on. tests/system/test_slow.c plays it.
 */
#include "session/ahead.h"

#include "session/dispatch.h"
#include "session/input.h"
#include "session/interest.h"
#include "session/life.h"
#include "session/read.h"

#include <string.h>

/* A client that has taken nothing for so long is read ahead. */
#define STALLED_MS 50

/* And for so long, while there is no room for more of what it sends, is disconnected. */
#define STUCK_MS 5000

void session_look_at_stalled(struct session_host *host, int64_t now_ms)
{
    list_each (it, &host->stalled) {
        struct session *s = container_of(it, struct session, client.in_stalled);
        int64_t stalled_ms = now_ms - s->client.taken_ms;
        if (stalled_ms < STALLED_MS)
            continue;
        if (session_has_input_room(s)) {
            s->client.reads_ahead = true;
            session_update_interest(s);
        } else if (stalled_ms >= STUCK_MS && stream_has_input(&s->client.stream)) {
            session_disconnect_over(s,
                                    session_is_within_limit(s)
                                        ? "it sends requests and reads no replies: output_memory"
                                        : "it sends requests and reads no replies: output_limit");
        }
    }
}

void session_read_ahead(struct session *s)
{
    char *bytes = s->host->turn->read;
    ssize_t n = stream_read(&s->client.stream, bytes, sizeof(s->host->turn->read));
    bool kept = n <= 0 || session_keep_input(s, bytes, (size_t)n);
    explicit_bzero(bytes, n > 0 ? (size_t)n : 0);
    if (n > 0)
        counter_add(&s->counters->received, (size_t)n);
    if (!kept) {
        session_disconnect(s, CLOSED_LIMIT, "no memory for what it sends and reads no replies to");
        return;
    }
    if (n == UV_EOF) {
        s->client.unread |= UNREAD_ENDED;
        life_client_left(&s->life, CLIENT_GONE);
        if (hold_waits(&s->queue.held) || login_waits(&s->place.login) ||
            barrier_of(&s->barrier, BARRIER_BLOCKED))
            n = UV_ECONNRESET;
    }
    if (n < 0 && n != UV_EOF) {
        session_close(s, CLOSED_CLIENT, "the client closed the connection");
        return;
    }
    if (!session_has_input_room(s))
        s->client.reads_ahead = false;
    session_update_interest(s);
}

void session_take_ahead(struct session *s)
{
    struct input_chunk *chunk;
    if (!session_takes_ahead(s))
        return;
    chunk = session_first_input(s);
    session_feed(s, chunk->data, chunk->len);
    session_drop_input(s, chunk);
    if (!life_closing(&s->life))
        session_dispatch(s);
    if (!life_closing(&s->life) && list_empty(&s->client.ahead) &&
        (s->client.unread & UNREAD_ENDED))
        session_ended(s);
    else if (!life_closing(&s->life))
        session_update_interest(s);
}
