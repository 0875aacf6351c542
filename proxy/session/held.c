/*
 * held: requests that join the queue, and those that wait in the hold for
 * somebody to send them to. What cannot be held, or not any longer, is answered
 * -MASTERDOWN, and never so that half a transaction would be executed.
 */
#include "session/held.h"

#include "nodes/router.h"
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

static void answer_masterdown(struct session *s, struct session_request *r)
{
    char text[280];
    counter_add(&session_group_counters(s)->refused, 1);
    session_answer(s, r, masterdown(s, text, sizeof(text)));
    request_conclude(r, RESULT_LIMIT);
}

/* What `earlier`, if it waits, makes of the transaction. */
static void pass(struct waiting_tx *tx, struct session_request *earlier)
{
    uint8_t verb = earlier->command ? earlier->command->verb : VERB_NONE;
    if (earlier->state != REQUEST_WAITING)
        return;
    if (verb == VERB_MULTI && !tx->open) {
        tx->open = true;
        tx->multi = earlier;
    } else if (verb == VERB_EXEC || verb == VERB_DISCARD || verb == VERB_RESET) {
        tx->open = false;
        tx->multi = NULL;
    }
}

/* Before all that waits. */
static struct waiting_tx at_first(const struct session *s)
{
    bool open = s->tx.state != TX_NONE;
    return (struct waiting_tx){.known = true, .begun = open, .open = open};
}

/* Before `r`, which is the last, and waits. What was reckoned for the one before it holds, unless something that
 * waited has gone on since. */
static struct waiting_tx before_last(const struct session *s, struct session_request *r)
{
    struct waiting_tx tx = at_first(s);
    if (s->queue.at_end.known && s->queue.at_end.begun == tx.begun)
        return s->queue.at_end;
    for (struct list *it = &s->queue.next->in_session; it != &r->in_session; it = it->next)
        pass(&tx, session_request(it));
    return tx;
}

/* Whether it is of a transaction whose MULTI was refused, and not delivered yet. */
static bool follows_refused_multi(const struct session *s, const struct session_request *r)
{
    return s->tx.refused_multi && queue_before(s->tx.refused_multi, r);
}

/* A request is not held, or no longer. Half a transaction must not be executed for that: without
 * its MULTI the rest of what was pipelined is refused, too; without another part EXEC says
 * EXECABORT. */
static void answer_unheld(struct session *s, struct session_request *r, const struct waiting_tx *tx)
{
    uint8_t verb = r->command ? r->command->verb : VERB_NONE;
    bool ends = verb == VERB_EXEC || verb == VERB_DISCARD;
    if (verb == VERB_RESET || verb == VERB_QUIT) { /* these need no node, only their turn */
        if (follows_refused_multi(s, r))
            s->tx.refused_multi = NULL;
        return;
    }
    if (follows_refused_multi(s, r)) {
        if (ends)
            s->tx.refused_multi = NULL;
    } else if (tx->multi) {
        tx->multi->doomed = true;
        if (ends)
            return; /* it is answered here, behind its MULTI: it needs no node */
    } else if (tx->open && tx_answered_here(&s->tx)) {
        session_mark_woken(s);
        return;
    } else if (tx->open) {
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
    answer_masterdown(s, r);
}

/* `tx` is what stands before `r`; afterwards, behind it. */
static void refuse_to_hold(struct session *s, struct session_request *r, struct waiting_tx *tx)
{
    answer_unheld(s, r, tx);
    if (tx->begun != (s->tx.state != TX_NONE))
        *tx = at_first(s); /* it has ended here, and nothing before it waits */
    pass(tx, r);
}

/* Behind a refused MULTI also when the hold is over: its client has not heard of that. */
static bool is_refused(const struct session *s, const struct session_request *r, bool room)
{
    return !room || follows_refused_multi(s, r);
}

static void refuse_last(struct session *s, struct session_request *r)
{
    struct waiting_tx tx = before_last(s, r);
    refuse_to_hold(s, r, &tx);
    s->queue.at_end = tx;
    s->queue.at_end.known = hold_waits(&s->queue.held);
}

/* It is held, or behind a refused MULTI. */
__attribute__((noinline)) static void judge_last(struct session *s, struct session_request *r,
                                                 bool room)
{
    bool held = hold_waits(&s->queue.held);
    if (held)
        r->held_since_ms = turn_now(s->host->turn);
    if (is_refused(s, r, room)) {
        refuse_last(s, r);
        return;
    }
    if (held)
        counter_add(&session_group_counters(s)->held, 1);
    pass(&s->queue.at_end, r);
}

static void join(struct session *s, struct session_request *r)
{
    r->owner = &session_owner;
    r->owner_data = s;
    r->after_write = s->queue.writes > 0;
    r->maybe_write = !r->command || !(r->command->flags & (COMMAND_READONLY | COMMAND_READ_PORT));
    queue_add(&s->queue, r);
}

void session_add(struct session *s, struct session_request *r)
{
    bool waits = hold_waits(&s->queue.held);
    bool room = !waits || hold_has_room(&s->queue.held, request_cost(r));
    join(s, r);
    if (__builtin_expect(waits || s->tx.refused_multi, 0))
        judge_last(s, r, room);
}

void session_add_refused(struct session *s, struct session_request *r)
{
    join(s, r);
    refuse_last(s, r);
    if (r->state == REQUEST_WAITING) /* there is nothing that could be done later */
        answer_masterdown(s, r);
}

/* ---- the hold ---- */

/* Nobody to send to: the session joins the hold, in bounds. */
void session_enter_hold(struct session *s)
{
    struct hold *hold = router_hold(s->host->router, s->place.group);
    int64_t now = turn_now(s->host->turn);
    struct waiting_tx tx = at_first(s);

    if (s->life.client != CLIENT_SENDS) {
        session_deliver(s);
        session_flush(s); /* what is due is due */
        session_close(s, CLOSED_CLIENT, "its client left, and its requests would have been held");
        return;
    }
    s->queue.held.outside = router_is_outside(s->host->router, &s->place, s->identity);
    hold_enter(hold, &s->queue.held, 0, now);
    for (struct list *it = s->queue.next ? &s->queue.next->in_session : &s->queue.requests;
         it != &s->queue.requests; it = it->next) {
        struct session_request *r = session_request(it);
        bool room, first = r->held_since_ms == 0;
        if (r->state != REQUEST_WAITING)
            continue;
        room = hold_has_room(&s->queue.held, request_cost(r));
        hold_grow(&s->queue.held, request_cost(r));
        if (first)
            r->held_since_ms = now;
        if (is_refused(s, r, room)) {
            refuse_to_hold(s, r, &tx);
            continue;
        }
        if (first)
            counter_add(&session_group_counters(s)->held, 1);
        pass(&tx, r);
    }
    s->queue.at_end = tx;
    each_carried(s, held);
}

/* Whether its time is up. */
static bool is_over(const struct session *s, const struct session_request *r, int64_t timeout_ms,
                    int64_t now_ms)
{
    return follows_refused_multi(s, r) ||
           (r->held_since_ms && now_ms - r->held_since_ms >= timeout_ms);
}

/* Whether it may need no node: then it is dispatched before its own time is up. */
static bool may_need_no_node(const struct session *s, const struct session_request *r)
{
    return !follows_refused_multi(s, r) && r->command && r->command->way == WAY_SESSION;
}

/* The first that waits, if its time is up. Returns whether the next one is to be looked at. */
static bool expire_first(struct session *s, int64_t timeout_ms, int64_t now_ms)
{
    struct session_request *r = s->queue.next;
    struct waiting_tx tx = at_first(s);
    if (session_blocked_expired(r, now_ms))
        session_answer(s, r, session_null_array(s));
    else if (is_over(s, r, timeout_ms, now_ms))
        refuse_to_hold(s, r, &tx);
    return !life_closing(&s->life) && s->queue.next && s->queue.next != r &&
           !may_need_no_node(s, s->queue.next);
}

/* Of this group: nothing that waiting would mend is waited for. */
static int64_t hold_timeout(const struct session_host *host, size_t group)
{
    char why[240];
    return router_refusal(host->router, group, why, sizeof(why))
               ? 0
               : router_hold(host->router, group)->timeout_ms;
}

/* As far as this turn goes. Returns whether that is all. */
static bool expire(struct session *s, int64_t now_ms)
{
    int64_t timeout = hold_timeout(s->host, s->place.group);
    bool more, spent = false;
    session_expire_partial(s, now_ms, timeout);
    more = !life_closing(&s->life) && s->queue.next != NULL;
    while (more && !spent && !tx_answered_here(&s->tx)) {
        more = expire_first(s, timeout, now_ms);
        spent = turn_spent(s->host->turn);
    }
    if (life_closing(&s->life))
        return true;
    if (tx_answered_here(&s->tx))
        session_mark_woken(s);
    session_deliver(s);
    return !more || !spent;
}

void session_run_expiring(struct session_host *host, int64_t now_ms)
{
    turn_renew(host->turn);
    while (!list_empty(&host->expiring) && !turn_spent(host->turn)) {
        struct session *s = container_of(list_take(&host->expiring), struct session, in_expiring);
        if (hold_waits(&s->queue.held) && !expire(s, now_ms))
            list_append(&host->expiring, &s->in_expiring);
    }
}

/* Whether something of what it holds is due. */
static bool is_due(const struct session *s, int64_t timeout_ms, int64_t now_ms)
{
    const struct session_request *r = s->queue.next;
    return tx_answered_here(&s->tx) || session_partial_is_over(s, now_ms, timeout_ms) ||
           (r && (session_blocked_expired(r, now_ms) || is_over(s, r, timeout_ms, now_ms)));
}

void session_expire_held(struct session_host *host, size_t group, int64_t now_ms)
{
    struct hold *hold = router_hold(host->router, group);
    int64_t timeout = list_empty(&hold->sessions) ? 0 : hold_timeout(host, group);
    list_each (it, &hold->sessions) {
        struct session *s = container_of(it, struct session, queue.held.in_hold);
        if (is_due(s, timeout, now_ms) && !list_linked(&s->in_expiring))
            list_append(&host->expiring, &s->in_expiring);
    }
    host->turn->rare |= !list_empty(&host->expiring);
}
