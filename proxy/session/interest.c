/* interest: see the header. */
#include "session/interest.h"

#include "session/budget.h"
#include "session/client.h"
#include "session/input.h"

/* A client may be this far ahead of its replies before it is not read any more; in bytes: budget.h. */
#define AHEAD_REQUESTS 2048

/* It may be further ahead than a little, and than those who are not let in. */
__attribute__((noinline)) static bool may_be_ahead(const struct session *s)
{
    return s->queue.count < AHEAD_REQUESTS && session_has_budget(s) &&
           (!session_is_ahead(s) || !session_is_stranger(s));
}

/* Asked several times for each request. */
static inline __attribute__((always_inline)) bool has_room(const struct session *s)
{
    bool little = s->queue.count < STRANGER_REQUESTS && s->queue.bytes < AHEAD_LITTLE;
    return s->client.growth <= GROWTH_HELD &&
           buf_len(&s->client.out) < s->host->options->output_high &&
           (__builtin_expect(little, 1) || may_be_ahead(s));
}

bool session_takes_ahead(const struct session *s)
{
    return !list_empty(&s->client.ahead) && life_frames(&s->life) && has_room(s);
}

bool session_reads(const struct session *s)
{
    return list_empty(&s->client.ahead) && !s->client.unread && life_reads(&s->life) && has_room(s);
}

/* ---- clients that take no replies ---- */

/* Replies wait, nothing is read for that, and nothing else has ended the reading. */
static bool may_stall(const struct session *s)
{
    return buf_len(&s->client.out) > 0 && !s->client.unread && life_reads(&s->life) &&
           !s->special.tunnel && !session_reads(s);
}

static void watch_stall(struct session *s)
{
    bool may = may_stall(s);
    if (may == list_linked(&s->client.in_stalled))
        return;
    s->client.reads_ahead = false;
    s->client.taken_ms = turn_now(s->host->turn);
    if (may)
        list_append(&s->host->stalled, &s->client.in_stalled);
    else
        list_remove(&s->client.in_stalled);
}

void session_was_taken_from(struct session *s)
{
    s->client.reads_ahead = false;
    s->client.taken_ms = turn_now(s->host->turn);
}

/* ---- what the stream is to tell ---- */

/* What was read ahead is taken when the socket is writable: replies go first. */
static bool waits_to_write(const struct session *s)
{
    if (buf_len(&s->client.out) > 0)
        return !list_linked(&s->in_dirty);
    if (stream_is_behind(&s->client.stream))
        return true; /* who ends the session then waits for that */
    return __builtin_expect(!list_empty(&s->client.ahead), 0) && session_takes_ahead(s);
}

/* The one place that decides. Whoever makes one of the reasons go away (a reply delivered, bytes
 * written) comes by here through session_flush(). */
void session_update_interest(struct session *s)
{
    unsigned want;
    if (s->client.growth == GROWTH_AWAITS_ANSWERS && s->queue.count == 0)
        session_mark_woken(s);
    if (buf_len(&s->client.out) > 0 || list_linked(&s->client.in_stalled))
        watch_stall(s);
    want = session_reads(s) || s->client.reads_ahead ? STREAM_READABLE : 0;
    if (!want && s->host->budget_spent)
        session_watch_budget(s);
    if (waits_to_write(s))
        want |= STREAM_WRITABLE;
    stream_want(&s->client.stream, want);
}
