/*
 * held: requests that join the queue, and those that wait in the hold for
 * somebody to send them to. What cannot be held, or not any longer, is answered
 * -MASTERDOWN, and never so that half a transaction would be executed.
 */
#include "session/held.h"

#include "session/blocking.h"
#include "session/client.h"
#include "session/hooks.h"
#include "session/life.h"
#include "session/output.h"
#include "session/queue.h"
#include "session/replies.h"
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
    bool open = s->tx != TX_NONE;
    *multi = NULL;
    for (struct list *it = s->requests.next; it != &r->in_session; it = it->next) {
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
        struct request *r = session_request(it);
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
    each_carried(s, held);
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
