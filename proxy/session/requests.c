/* requests: see the header. */
#include "session/requests.h"

#include "nodes/router.h"
#include "session/client.h"
#include "session/copies.h"
#include "session/life.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t when_sent(const struct session_request *r)
{
    return r->sent & ~(REQUEST_LATE | REQUEST_EARLY);
}

void requests_wait(struct session *s)
{
    uint64_t now = s->host->turn->ticks;
    for (struct list *it = s->queue.requests.prev; it != &s->queue.requests; it = it->prev) {
        struct session_request *r = session_request(it);
        if (r->state != REQUEST_WAITING)
            continue;
        if (r->sent & REQUEST_LATE)
            return; /* and so are those before it */
        r->came = now;
        r->sent = REQUEST_LATE;
    }
}

/* A request that was on its way stands before all that waits again. */
void session_wait_again(struct session *s, struct session_request *r, enum retry_cause cause)
{
    counter_add(&session_group_counters(s)->retries[cause], 1);
    if (!(r->sent & REQUEST_LATE))
        r->came = when_sent(r);
    r->sent = REQUEST_LATE;
    session_forget_copies(s, r);
    queue_move(&s->queue, r, REQUEST_WAITING);
    r->retried = true;
    r->reply_type = 0;
    r->unknown = r->denied = r->page_begins = r->page_lost = false;
    r->reply_len = 0;
    r->rejecting = false;
    r->taken_back = r->called_back = false;
    buf_free(&r->reply);
    session_mark_woken(s);
}

void session_rewrite(struct session *s, struct session_request *r, const struct buf *bytes)
{
    queue_set_bytes(&s->queue, r, bytes);
}

/* Whether the client wants to hear of it, and which one is to be skipped. */
static void classify_refused(struct session *s, struct session_request *r)
{
    r->classified = true;
    s->queue.unclassified--;
    r->silent = s->client.reply_off || s->client.reply_skip;
    s->client.reply_skip = false;
    if (r->command && r->command->verb == VERB_CLIENT_REPLY && slice_is(session_arg(r, 2), "on"))
        r->silent = false; /* it is answered whatever the mode */
}

/* A transaction that waits there may switch replies off, or not. */
void session_classify_refused(struct session *s, const struct session_request *last)
{
    struct session_request *r = s->queue.first_unclassified;
    while (s->queue.unclassified > 0 && !queue_before(last, r)) {
        if (!r->classified && r->state == REQUEST_ANSWERED)
            classify_refused(s, r);
        if (r->in_session.next == &s->queue.requests)
            break;
        r = session_request(r->in_session.next);
    }
    s->queue.first_unclassified = s->queue.unclassified > 0 ? r : NULL;
}

/* ---- answers of the proxy's own ---- */

void session_answer(struct session *s, struct session_request *r, const char *reply)
{
    session_answer_bytes(s, r, reply, strlen(reply));
}

void session_answer_bytes(struct session *s, struct session_request *r, const char *reply,
                          size_t len)
{
    if (!r->classified)
        queue_note_unclassified(&s->queue, r);
    queue_move(&s->queue, r, REQUEST_ANSWERED);
    buf_free(&r->reply);
    buf_append(&r->reply, reply, len);
    r->reply_type = reply[0];
    session_mark_woken(s);
}

void session_answerf(struct session *s, struct session_request *r, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    session_answer(s, r, text);
    free(text);
}

const char *session_null_array(const struct session *s)
{
    return s->identity->resp3 ? "_\r\n" : "*-1\r\n";
}

void session_settle(struct session *s, struct session_request *r, const char *reply)
{
    buf_free(&r->reply);
    if (reply) {
        buf_append(&r->reply, reply, strlen(reply));
        r->reply_type = reply[0];
    }
    queue_move(&s->queue, r, REQUEST_ANSWERED);
    session_mark_woken(s);
}

static void note_unknown(struct session *s, struct session_request *r)
{
    counter_add(&session_group_counters(s)->unknown, 1);
    request_conclude(r, RESULT_UNKNOWN);
}

/* Its client hears of none of these writes: `r`, and those that were sent behind it and would be the next to fail. What is
 * not delivered is counted here. */
static void close_over_unknown(struct session *s, struct session_request *r)
{
    request_count_other(s, r, s->host->turn->ticks);
    list_each (it, &s->queue.requests) {
        struct session_request *other = session_request(it);
        if (other->state != REQUEST_SENT || !other->write || other->in_tx)
            continue;
        note_unknown(s, other);
        request_count_other(s, other, s->host->turn->ticks);
    }
    session_close(s, CLOSED_UNKNOWN,
                  "the outcome of a write is unknown, and inflight_writes = close");
}

void session_outcome_unknown(struct session *s, struct session_request *r, const char *error)
{
    r->executed = true; /* perhaps: that is the point */
    note_unknown(s, r);
    if (router_group(s->host->router, s->place.group)->inflight_writes == INFLIGHT_CLOSE)
        close_over_unknown(s, r);
    else
        session_settle(s, r, error);
}

void session_rewrite_number(struct session_request *r, const char *at, uint64_t number)
{
    const char *reply = buf_head(&r->reply), *end = reply + buf_len(&r->reply);
    struct buf whole = {0};
    buf_append(&whole, reply, (size_t)(at - reply));
    buf_printf(&whole, "%" PRIu64, number);
    while (at < end && *at != '\r')
        at++;
    buf_append(&whole, at, (size_t)(end - at));
    buf_free(&r->reply);
    r->reply = whole;
}

/* ---- what is counted of them ---- */

/* How long it was in the hold, if it was: until it was sent, or refused. */
static void count_hold(struct session *s, const struct session_request *r, uint64_t now)
{
    struct group_counters *group = session_group_counters(s);
    uint64_t since = (uint64_t)r->held_since_ms * HISTOGRAM_TICKS_PER_MS;
    uint64_t until = when_sent(r) > since ? when_sent(r) : now,
             ticks = until > since ? until - since : 0;
    histogram_add(&group->hold, ticks);
    if (ticks > counter_read(&group->hold_max))
        counter_set(&group->hold_max, ticks);
}

void request_answered_early(struct session *s, struct session_request *r)
{
    r->at_node = s->host->turn->ticks - when_sent(r);
    r->sent |= REQUEST_EARLY;
}

static enum request_result result_of(const struct session_request *r)
{
    if (r->concluded)
        return (enum request_result)r->result;
    return r->reply_type == '-' ? RESULT_ERROR : RESULT_OK;
}

struct request_times request_times(const struct session_request *r, uint64_t now)
{
    struct request_times t = {.sent = when_sent(r), .answered = now};
    t.was_sent = t.sent != 0;
    if (!t.was_sent)
        t.sent = now;
    else if (r->sent & REQUEST_EARLY)
        t.answered = t.sent + r->at_node;
    t.came = r->sent & REQUEST_LATE ? r->came : t.sent;
    return t;
}

void request_count_other(struct session *s, const struct session_request *r, uint64_t now)
{
    struct request_times t = request_times(r, now);
    counters_note_other(s->counters,
                        &(struct counted_request){.command = r->command ? r->command->number : 0,
                                                  .class = r->command ? command_class(r->command)
                                                                      : COMMAND_CLASS_OTHER,
                                                  .result = result_of(r),
                                                  .whole = now - t.came,
                                                  .node = t.answered - t.sent,
                                                  .was_sent = t.was_sent});
    if (r->held_since_ms)
        count_hold(s, r, now);
}
