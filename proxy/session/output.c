/* output: see the header. */
#include "session/output.h"

#include "nodes/upstream.h"
#include "session/boundary.h"
#include "session/client.h"
#include "session/interest.h"
#include "session/large.h"
#include "session/life.h"
#include "session/output_bound.h"
#include "session/output_bytes.h"

/* What a system call is worth of a turn (turn_took()). */
#define FLUSH_STEPS 4

/* A large reply to a client that does not read costs its upstream the sharing. So do this many times output_high of small
 * ones. */
#define OUTPUT_FACTOR 32

/* And this many times of replies that come before their turn: on another connection than the first. */
#define EARLY_FACTOR 8

#define EARLY_MIN 16384

/* The client took that much. */
static void took(struct session *s, size_t len)
{
    if (len > 0 && list_linked(&s->client.in_stalled))
        session_was_taken_from(s);
    if (len == buf_len(&s->client.out))
        buf_put(&s->client.out, &s->host->turn->stock);
    else
        buf_consume(&s->client.out, len);
}

/* Its client may send no more, or the proxy wants it to end. */
static bool has_come_to_its_end(const struct session *s)
{
    return life_ends_at_boundary(&s->life) ? session_at_boundary(s) : session_is_finished(s);
}

/* Everything is answered and written. */
static void close_finished(struct session *s)
{
    if (s->leaves_ms)
        session_close(s, CLOSED_DRAINED, "its listener is not configured any more");
    else if (s->life.stage > LIFE_OPEN && s->life.stage <= LIFE_DRAINING)
        session_close(s, CLOSED_DRAINED, "the proxy stops");
    else
        session_close(s, s->life.stage == LIFE_LAST_WORDS ? CLOSED_PROTOCOL : CLOSED_CLIENT,
                      "done");
}

void session_flush(struct session *s)
{
    list_remove(&s->in_dirty);
    if (life_closing(&s->life))
        return;
    if (buf_len(&s->client.out) > 0) {
        struct iovec part = {buf_head(&s->client.out), buf_len(&s->client.out)};
        ssize_t n = stream_write(&s->client.stream, &part, 1);
        if (n < 0) {
            session_close(s, CLOSED_CONNECTION, stream_strerror(&s->client.stream, (int)n));
            return;
        }
        counter_add(&s->counters->sent, (size_t)n);
        took(s, (size_t)n);
        turn_took(s->host->turn, FLUSH_STEPS + (size_t)n / 1024);
    }
    if (s->client.waiting_bytes > 0)
        session_show_output(s);
    if (s->client.paused && buf_len(&s->client.out) < s->host->options->output_high / 2) {
        upstream_pause(s->client.paused, false);
        s->client.paused = NULL;
    }
    session_resume_early(s);
    if (s->life.stage == LIFE_SAID_ALL && buf_len(&s->client.out) == 0 &&
        !stream_is_behind(&s->client.stream))
        session_close(s, CLOSED_CLIENT, "the client quit");
    else if (life_ends_when_finished(&s->life) && has_come_to_its_end(s))
        close_finished(s);
    else
        session_update_interest(s);
}

void session_flush_dirty(struct turn *turn)
{
    struct list *node;
    turn_renew(turn);
    while ((node = turn->dirty_sessions.next) != &turn->dirty_sessions && !turn_spent(turn))
        session_flush(container_of(node, struct session, in_dirty));
}

void session_pass_on(struct session *s, const char *message, size_t len)
{
    session_put(s, message, len);
    if (buf_len(&s->client.out) > s->host->options->output_high && !s->client.paused &&
        s->lease.upstream) {
        s->client.paused = s->lease.upstream;
        (void)upstream_stop_reading(s->lease.upstream, s);
        session_show_output(s);
    }
}

/* Over so much the connection that brings it is not read any more, if it can be. */
static size_t much(const struct traffic_options *options)
{
    size_t limit = options->output_limit < options->output_memory ? options->output_limit
                                                                  : options->output_memory;
    size_t most = options->output_high * OUTPUT_FACTOR;
    return most < limit / 2 ? most : limit / 2;
}

/* It brings no more, unless others' requests are behind what it brings. */
static void stop_reading(struct session *s, struct upstream *up)
{
    if (upstream_stop_reading(up, s))
        s->client.paused = up;
}

/* The client does not read as fast as its replies come. `so_far`: bytes of a reply that goes on. */
void session_throttle_now(struct session *s, struct upstream *up, size_t so_far)
{
    size_t high = s->host->options->output_high;
    session_flush(s);
    if (life_closing(&s->life) || s->client.paused || up == s->client.early ||
        buf_len(&s->client.out) <= high)
        return;
    if (up == s->lease.upstream || so_far > LARGE_REPLY ||
        (so_far && buf_len(&s->client.out) > much(s->host->options)))
        stop_reading(s, up);
    if (!s->client.paused)
        (void)session_bound_output(s);
    else
        session_show_output(s);
}

void session_stream_directly(struct session *s, const char *data, size_t len)
{
    struct iovec part = {(char *)data, len};
    ssize_t n = stream_write(&s->client.stream, &part, 1);
    if (n < 0)
        n = 0;
    counter_add(&s->counters->sent, (size_t)n);
    if ((size_t)n < len)
        session_put(s, data + n, len - (size_t)n);
}

/* ---- replies that come before their turn ---- */

/* Whether what comes from there waits for the first request's reply from elsewhere. If that one is to be
 * sent again, it does not: all that is in flight may have to land first. */
static bool is_early(const struct session *s, const struct upstream *up)
{
    const struct session_request *head = session_const_request(s->queue.requests.next);
    return s->queue.requests.next != &s->queue.requests && head->upstream && head->upstream != up;
}

/* A reply goes on that has to wait for its turn: a large one waits in the kernel and at its node. */
void session_throttle_early(struct session *s, const struct session_request *r)
{
    if (s->client.early || r->upstream == s->lease.upstream || r->reply_len < EARLY_MIN ||
        !is_early(s, r->upstream) ||
        session_kept_bytes(s) <= s->host->options->output_high * EARLY_FACTOR)
        return;
    if (upstream_stop_reading(r->upstream, s))
        s->client.early = r->upstream;
}

void session_resume_early_now(struct session *s)
{
    if (is_early(s, s->client.early))
        return;
    if (s->client.early != s->client.paused)
        upstream_pause(s->client.early, false);
    s->client.early = NULL;
}
