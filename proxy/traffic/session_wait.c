/*
 * session_wait: requests that wait: for their turn, or, in the hold, for
 * somebody to send them to. What cannot be held, or not any longer, is answered
 * -MASTERDOWN, and never so that half a transaction would be executed.
 */
#include "traffic/session_state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct request *in_list(struct list *node)
{
    return container_of(node, struct request, in_session);
}

/* The first WAITING request from `it` on. */
static struct request *first_waiting(struct session *s, struct list *it)
{
    for (; it != &s->requests; it = it->next)
        if (in_list(it)->state == REQUEST_WAITING)
            return in_list(it);
    return NULL;
}

static const char *masterdown(const struct session *s, char *out, size_t size)
{
    const struct traffic_group_options *group = router_group(s->host->router, s->place.group);
    char why[240];
    if (router_refusal(s->host->router, s->place.group, why, sizeof(why))) {
        const char *noauth = strstr(why, ": NOAUTH ");
        if (noauth && !s->identity->authenticated) /* as the node would say to its client */
            snprintf(out, size, "-%s\r\n", noauth + 2);
        else
            snprintf(out, size, "-MASTERDOWN redisproxy: %s\r\n", why);
        return out;
    }
    snprintf(out, size, "-MASTERDOWN redisproxy: no master for %s within %" PRId64 " ms\r\n",
             group->name, group->hold_timeout_ms);
    return out;
}

/* ---- in and out of WAITING ---- */

void session_leave_waiting(struct session *s, struct request *r)
{
    assert(r->state == REQUEST_WAITING);
    s->waiting_bytes -= r->len;
    if (hold_waits(&s->held))
        hold_shrink(&s->held, r->len);
    if (s->next == r)
        s->next = first_waiting(s, r->in_session.next);
}

/* A request that was on its way stands before all that waits again. */
void session_wait_again(struct session *s, struct request *r)
{
    session_forget_copies(s, r);
    request_move(r, REQUEST_WAITING);
    r->retried = true;
    r->reply_type = 0;
    r->reply_len = 0;
    r->rejecting = false;
    r->taken_back = r->called_back = false;
    buf_free(&r->reply);
    s->waiting_bytes += r->len;
    if (hold_waits(&s->held))
        hold_grow(&s->held, r->len);
    s->next = first_waiting(s, s->requests.next);
    session_mark_woken(s);
}

/* Whether `r` is part of a transaction, as far as can be told now; of one whose MULTI waits, too:
 * `*multi`, otherwise NULL. */
static bool is_in_tx(struct session *s, const struct request *r, struct request **multi)
{
    bool open = s->tx != TX_NONE;
    *multi = NULL;
    for (struct list *it = s->requests.next; it != &r->in_session; it = it->next) {
        struct request *earlier = in_list(it);
        uint8_t verb = earlier->command ? earlier->command->verb : VERB_NONE;
        if (earlier->state != REQUEST_WAITING)
            continue;
        if (verb == VERB_MULTI && !open) {
            open = true;
            *multi = earlier;
        } else if (verb == VERB_EXEC || verb == VERB_DISCARD || verb == VERB_RESET) {
            open = false;
            *multi = NULL;
        }
    }
    return open;
}

/* Whether it is of a transaction whose MULTI was refused, and not delivered yet. */
static bool follows_refused_multi(const struct session *s, const struct request *r)
{
    if (!s->refused_multi)
        return false;
    for (const struct list *it = s->refused_multi->in_session.next; it != &s->requests;
         it = it->next)
        if (it == &r->in_session)
            return true;
    return false;
}

/* The open transaction is lost already: the rest of it is answered here, and needs no hold. */
static bool answers_here(const struct session *s)
{
    return s->tx != TX_NONE && s->tx != TX_OPEN;
}

/* A request is not held, or no longer. Half a transaction must not be executed for that: without
 * its MULTI the rest of what was pipelined is refused, too; without another part EXEC says
 * EXECABORT. */
static void refuse_to_hold(struct session *s, struct request *r)
{
    struct request *multi;
    bool in_tx = is_in_tx(s, r, &multi);
    uint8_t verb = r->command ? r->command->verb : VERB_NONE;
    char text[280];
    bool ends = verb == VERB_EXEC || verb == VERB_DISCARD;
    if (verb == VERB_RESET || verb == VERB_QUIT) { /* these need no node, only their turn */
        if (follows_refused_multi(s, r))
            s->refused_multi = NULL;
        return;
    }
    if (follows_refused_multi(s, r)) {
        if (ends)
            s->refused_multi = NULL;
    } else if (multi) {
        multi->doomed = true;
        if (ends)
            return; /* it is answered here, behind its MULTI: it needs no node */
    } else if (in_tx && answers_here(s)) {
        session_mark_woken(s);
        return;
    } else if (in_tx) {
        if (ends && s->inflight > 0)
            return; /* later: what is in flight may be of no transaction, and is answered first */
        if (s->inflight > 0)
            s->tx_refused = true; /* EXEC will say so */
        else
            session_break_tx(s);
        if (ends && s->next != r) {
            session_mark_woken(s); /* what stands before it comes first; none needs a node now */
            return;
        }
        if (ends) {
            s->tx = TX_NONE;
            s->tx_refused = false;
        }
    } else if (verb == VERB_MULTI) {
        s->refused_multi = r;
    }
    session_answer(s, r, masterdown(s, text, sizeof(text)));
}

void session_add(struct session *s, struct request *r)
{
    bool room = true;
    r->owner = &session_owner;
    r->owner_data = s;
    r->after_write = s->writes > 0;
    r->maybe_write = !r->command || !(r->command->flags & (COMMAND_READONLY | COMMAND_READ_PORT));
    s->writes += r->maybe_write;
    list_append(&s->requests, &r->in_session);
    s->count++;
    s->waiting_bytes += r->len;
    if (!s->next)
        s->next = r;
    if (hold_waits(&s->held)) {
        room = hold_has_room(s->held.hold, r->len);
        hold_grow(&s->held, r->len);
        r->held_since_ms = turn_now(s->host->turn);
    }
    /* Behind a refused MULTI also when the hold is over: its client has not heard of that. */
    if (!room || s->refused_multi)
        refuse_to_hold(s, r);
}

void session_rewrite(struct session *s, struct request *r, const struct buf *bytes)
{
    assert(r->state == REQUEST_WAITING);
    s->waiting_bytes -= r->len;
    if (hold_waits(&s->held))
        hold_shrink(&s->held, r->len);
    request_set_bytes(r, buf_head(bytes), buf_len(bytes));
    r->argc = resp_args(r->data, r->len).left;
    s->waiting_bytes += r->len;
    if (hold_waits(&s->held))
        hold_grow(&s->held, r->len);
}

/* What was answered before its turn came, as it could not be held: whether the client wants to hear of it, and
 * which one is to be skipped, is known when all that stands before it has been performed. A transaction that
 * waits there may switch replies off, or not. */
void session_place_refused(struct session *s, const struct list *end)
{
    for (struct list *it = s->requests.next; it != end && s->unplaced > 0; it = it->next) {
        struct request *r = in_list(it);
        if (r->placed || r->state != REQUEST_ANSWERED)
            continue;
        r->placed = true;
        s->unplaced--;
        r->silent = s->reply_off || s->reply_skip;
        s->reply_skip = false;
        if (r->command && r->command->verb == VERB_CLIENT_REPLY &&
            slice_is(session_arg(r, 2), "on"))
            r->silent = false; /* it is answered whatever the mode */
    }
}

void session_answer(struct session *s, struct request *r, const char *reply)
{
    session_answer_bytes(s, r, reply, strlen(reply));
}

void session_answer_bytes(struct session *s, struct request *r, const char *reply, size_t len)
{
    s->unplaced += !r->placed;
    session_leave_waiting(s, r);
    buf_free(&r->reply);
    buf_append(&r->reply, reply, len);
    r->reply_type = reply[0];
    request_move(r, REQUEST_ANSWERED);
    session_mark_woken(s);
}

void session_answerf(struct session *s, struct request *r, const char *format, ...)
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

/* ---- the hold ---- */

/* Nobody to send to: the session joins the hold, in bounds. */
void session_enter_hold(struct session *s)
{
    struct hold *hold = router_hold(s->host->router, s->place.group);
    int64_t now = turn_now(s->host->turn);

    if (s->eof || s->gone) {
        session_deliver(s);
        session_flush(s); /* what is due is due */
        session_close(s, "its client left, and its requests would have been held");
        return;
    }
    hold_enter(hold, &s->held, 0, now);
    for (struct list *it = s->next ? &s->next->in_session : &s->requests; it != &s->requests;
         it = it->next) {
        struct request *r = in_list(it);
        bool room;
        if (r->state != REQUEST_WAITING)
            continue;
        room = hold_has_room(hold, r->len);
        hold_grow(&s->held, r->len);
        if (r->held_since_ms == 0)
            r->held_since_ms = now;
        if (!room || follows_refused_multi(s, r))
            refuse_to_hold(s, r);
    }
    session_subscription_waits(s);
}

static void expire(struct session *s, int64_t now_ms)
{
    int64_t timeout = s->held.hold->timeout_ms;
    char why[240];
    struct request *r;
    if (router_refusal(s->host->router, s->place.group, why, sizeof(why)))
        timeout = 0; /* nothing that waiting would mend */
    while ((r = s->next) != NULL && !answers_here(s)) {
        if (session_blocked_expired(r, now_ms))
            session_answer(s, r, session_null_array(s));
        else if (follows_refused_multi(s, r) ||
                 (r->held_since_ms && now_ms - r->held_since_ms >= timeout))
            refuse_to_hold(s, r);
        if (s->closing)
            return;
        if (s->next == r)
            break;
        if (s->next && !follows_refused_multi(s, s->next) && s->next->command &&
            s->next->command->way == WAY_SESSION)
            break; /* may need no node: it is dispatched before its own time is up */
    }
    if (answers_here(s))
        session_mark_woken(s);
    session_deliver(s);
}

void session_expire_held(struct hold *hold, int64_t now_ms)
{
    list_each (it, &hold->sessions)
        expire(container_of(it, struct session, held.in_hold), now_ms);
}
