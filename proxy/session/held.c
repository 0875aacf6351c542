/*
 * held: requests that join the queue, and those that wait in the hold for
 * somebody to send them to. What cannot be held, or not any longer, is answered
 * -MASTERDOWN, and never so that half a transaction would be executed.
 */
#include "session/held.h"

#include "session/blocking.h"
#include "session/client.h"
#include "session/held_partial.h"
#include "session/hooks.h"
#include "session/life.h"
#include "session/output.h"
#include "session/replies.h"
#include "session/requests.h"
#include "session/transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* Whether `r` is part of a transaction, as far as can be told now; of one whose MULTI waits, too:
 * `*multi`, otherwise NULL. */
static bool is_in_tx(struct session *s, const struct request *r, struct request **multi)
{
    bool open = s->tx.state != TX_NONE;
    *multi = NULL;
    for (struct list *it = s->queue.requests.next; it != &r->in_session; it = it->next) {
        struct request *earlier = session_request(it);
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
    if (!s->tx.refused_multi)
        return false;
    for (const struct list *it = s->tx.refused_multi->in_session.next; it != &s->queue.requests;
         it = it->next)
        if (it == &r->in_session)
            return true;
    return false;
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
            s->tx.refused_multi = NULL;
        return;
    }
    if (follows_refused_multi(s, r)) {
        if (ends)
            s->tx.refused_multi = NULL;
    } else if (multi) {
        multi->doomed = true;
        if (ends)
            return; /* it is answered here, behind its MULTI: it needs no node */
    } else if (in_tx && tx_answered_here(&s->tx)) {
        session_mark_woken(s);
        return;
    } else if (in_tx) {
        if (ends && s->queue.inflight > 0)
            return; /* later: what is in flight may be of no transaction, and is answered first */
        if (s->queue.inflight > 0)
            s->tx.refused = true; /* EXEC will say so */
        else
            session_break_tx(s);
        if (ends && s->queue.next != r) {
            session_mark_woken(s); /* what stands before it comes first; none needs a node now */
            return;
        }
        if (ends) {
            session_tx_enter(s, TX_NONE);
            s->tx.refused = false;
        }
    } else if (verb == VERB_MULTI) {
        s->tx.refused_multi = r;
    }
    session_answer(s, r, masterdown(s, text, sizeof(text)));
}

static void join(struct session *s, struct request *r)
{
    r->owner = &session_owner;
    r->owner_data = s;
    r->after_write = s->queue.writes > 0;
    r->maybe_write = !r->command || !(r->command->flags & (COMMAND_READONLY | COMMAND_READ_PORT));
    queue_add(&s->queue, r);
}

void session_add(struct session *s, struct request *r)
{
    bool waits = hold_waits(&s->queue.held);
    bool room = !waits || hold_has_room(&s->queue.held, request_cost(r));
    join(s, r);
    if (waits)
        r->held_since_ms = turn_now(s->host->turn);
    /* Behind a refused MULTI also when the hold is over: its client has not heard of that. */
    if (!room || s->tx.refused_multi)
        refuse_to_hold(s, r);
}

void session_add_refused(struct session *s, struct request *r)
{
    char text[280];
    join(s, r);
    refuse_to_hold(s, r);
    if (r->state == REQUEST_WAITING) /* there is nothing that could be done later */
        session_answer(s, r, masterdown(s, text, sizeof(text)));
}

/* ---- the hold ---- */

/* Nobody to send to: the session joins the hold, in bounds. */
void session_enter_hold(struct session *s)
{
    struct hold *hold = router_hold(s->host->router, s->place.group);
    int64_t now = turn_now(s->host->turn);

    if (s->life.client != CLIENT_SENDS) {
        session_deliver(s);
        session_flush(s); /* what is due is due */
        session_close(s, "its client left, and its requests would have been held");
        return;
    }
    s->queue.held.outside = router_is_outside(s->host->router, &s->place, s->identity);
    hold_enter(hold, &s->queue.held, 0, now);
    for (struct list *it = s->queue.next ? &s->queue.next->in_session : &s->queue.requests;
         it != &s->queue.requests; it = it->next) {
        struct request *r = session_request(it);
        bool room;
        if (r->state != REQUEST_WAITING)
            continue;
        room = hold_has_room(&s->queue.held, request_cost(r));
        hold_grow(&s->queue.held, request_cost(r));
        if (r->held_since_ms == 0)
            r->held_since_ms = now;
        if (!room || follows_refused_multi(s, r))
            refuse_to_hold(s, r);
    }
    each_carried(s, held);
}

static void expire(struct session *s, int64_t now_ms)
{
    int64_t timeout = s->queue.held.hold->timeout_ms;
    char why[240];
    struct request *r;
    if (router_refusal(s->host->router, s->place.group, why, sizeof(why)))
        timeout = 0; /* nothing that waiting would mend */
    session_expire_partial(s, now_ms, timeout);
    while ((r = s->queue.next) != NULL && !tx_answered_here(&s->tx)) {
        if (session_blocked_expired(r, now_ms))
            session_answer(s, r, session_null_array(s));
        else if (follows_refused_multi(s, r) ||
                 (r->held_since_ms && now_ms - r->held_since_ms >= timeout))
            refuse_to_hold(s, r);
        if (life_closing(&s->life))
            return;
        if (s->queue.next == r)
            break;
        if (s->queue.next && !follows_refused_multi(s, s->queue.next) && s->queue.next->command &&
            s->queue.next->command->way == WAY_SESSION)
            break; /* may need no node: it is dispatched before its own time is up */
    }
    if (tx_answered_here(&s->tx))
        session_mark_woken(s);
    session_deliver(s);
}

void session_expire_held(struct hold *hold, int64_t now_ms)
{
    list_each (it, &hold->sessions)
        expire(container_of(it, struct session, queue.held.in_hold), now_ms);
}
