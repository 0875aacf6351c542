/*
 * leasing: what needs a connection of its own: transactions, blocking
 * commands (blocking.c), subscriptions, and every command that is not known to leave its
 * connection as it was.
 *
 * A session that holds a lease sends everything on it (so order is free), and
 * gives it back as soon as nothing is in flight and the connection is as it
 * was: no MULTI open, nothing watched, nothing subscribed, nothing unknown done.
 *
 * When the lease is cut by a switch:
 *
 *     MULTI not yet sent     the whole transaction is sent on the next lease
 *     MULTI sent             it is sent again on the next lease (replay.c), unless it watches something
 *     EXEC sent              outcome unknown, unless the node was shutting down: as above
 *     blocked                taken back before (CLIENT UNBLOCK), or: a write is unknown, a read is sent again
 *     subscribed             subscribed again on the next lease
 */
#include "session/leasing.h"

#include "nodes/learn.h"
#include "nodes/moved.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/blocking.h"
#include "session/client.h"
#include "session/ended.h"
#include "session/hooks.h"
#include "session/large.h"
#include "session/lease.h"
#include "session/life.h"
#include "session/output.h"
#include "session/replay.h"
#include "session/replies.h"
#include "session/requests.h"
#include "session/send.h"
#include "session/transaction.h"

#include <string.h>

/* While a node keeps writes waiting (CLIENT PAUSE): whether the request shall not stand before others'. */
static bool waits_apart(const struct session *s, const struct session_request *r)
{
    struct session_host *host = s->host;
    if (turn_now(host->turn) >= host->paused_until_ms) {
        host->paused_until_ms = 0;
        return false;
    }
    return (r->command->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)) &&
           router_do_writes_wait(host->router, s->place.group);
}

bool session_needs_lease(const struct session *s, const struct session_request *r)
{
    if (s->lease.upstream || lease_kept_for(&s->lease, LEASE_NEEDED) ||
        (s->host->paused_until_ms && waits_apart(s, r)) ||
        (s->host->large_keys && session_asks_large(s, r)))
        return true;
    if (r->command->way == WAY_BLOCK)
        return r->blocking || r->command->verb == VERB_WAIT;
    return r->command->way == WAY_LEASE || r->command->way == WAY_ALONE;
}

static void on_lost(void *data);

bool session_take_lease(struct session *s)
{
    enum target_role role = s->place.route == ROUTE_REPLICA ? TARGET_REPLICA : TARGET_MASTER;
    struct upstream *up;
    if (!all_carried(s, ready)) /* what a fresh lease is to be told is not known yet */
        return false;
    up = router_lease(s->host->router, &s->place, role, s->identity, on_lost, s);
    if (!up && s->place.entry == ENTRY_OTHER) {
        session_change_sides(s);
        up = router_lease(s->host->router, &s->place, role, s->identity, on_lost, s);
    }
    if (up)
        lease_renew(&s->lease, up);
    s->tx.dirty = s->tx.confirmed = s->tx.watch_confirmed = false;
    if (!up)
        return false;
    if (!all_carried(s, granted)) { /* nor may it be told yet */
        s->lease.upstream = NULL;
        return false;
    }
    each_carried(s, tell);
    if (s->tx.lost)
        session_tx_replay(s);
    return true;
}

bool session_adopt_lease(struct session *s, const struct moved_upstream *moved)
{
    struct upstream *up =
        router_adopt_lease(s->host->router, &s->place, moved, s->identity, on_lost, s);
    if (!up)
        return false;
    lease_renew(&s->lease, up);
    s->lease.dirty = true;
    each_carried(s, adopted);
    return true;
}

/* An open transaction that was begun behind a read that nobody answered: the read is sent again, so
 * the transaction has to be, behind it, as if it had never been sent. Neither is it known to be begun
 * where Redis refuses MULTI: to a subscriber, in RESP2. Returns whether there is such. */
static bool mark_unbegun(struct session *s)
{
    struct session_request *multi = NULL;
    bool read_again = session_subscribed(s) && !s->identity->resp3;
    for (struct list *it = s->queue.requests.next; it != &s->queue.requests; it = it->next) {
        struct session_request *r = session_request(it);
        uint8_t verb = r->command ? r->command->verb : VERB_NONE;
        if (!r->leased || r->state != REQUEST_SENT)
            continue;
        if (verb == VERB_MULTI && r->logged)
            multi = read_again ? r : NULL;
        else if (verb == VERB_EXEC || verb == VERB_DISCARD)
            multi = NULL;
        else if (!r->in_tx && !r->write && !command_is_transaction(verb))
            read_again = true;
    }
    for (struct list *it = multi ? &multi->in_session : &s->queue.requests;
         it != &s->queue.requests; it = it->next)
        session_request(it)->unbegun =
            session_request(it)->leased && session_request(it)->state == REQUEST_SENT;
    return multi != NULL;
}

/* The lease was cut; what was on it fails right after this. */
static void on_lost(void *data)
{
    struct session *s = data;
    bool open = s->tx.confirmed, watching = s->tx.watch_confirmed;
    for (struct list *it = s->queue.requests.next; it != &s->queue.requests; it = it->next) {
        const struct session_request *r = session_request(it);
        if (r->leased && r->state == REQUEST_SENT && !upstream_is_undone(s->lease.upstream))
            session_tx_apply(r, &open, &watching);
    }
    if (!upstream_is_undone(s->lease.upstream) &&
        mark_unbegun(s)) /* what is undone counts as unsent anyway */
        open = false;
    if (s->client.paused == s->lease.upstream)
        s->client.paused = NULL;
    if (upstream_is_ended(s->lease.upstream) && session_hears(s))
        session_doubt(s, s->lease.upstream);
    s->lease.upstream = NULL;
    s->tx.confirmed = s->tx.watch_confirmed = false;
    session_tx_watch(s, false);
    if (open)
        session_tx_lease_lost(s, watching);
    else if (s->tx.state == TX_OPEN)
        session_tx_enter(s, TX_NONE);
    if (!open && watching)
        s->tx.watch_broken = true;
    lease_let(&s->lease, LEASE_CHANGED);
    each_carried(s, lost);
    if (s->special.tunnel)
        session_close(s, CLOSED_NODE, "the connection that it replicates from was lost");
    else
        session_mark_woken(s);
}

/* ---- sending ---- */

/* EXEC of a transaction in which a command was refused, and the node does not know. */
static void discard_instead(struct session *s, struct session_request *r)
{
    static const char discard[] = "*1\r\n$7\r\nDISCARD\r\n";
    struct buf bytes = {0};
    buf_append(&bytes, discard, sizeof(discard) - 1);
    session_rewrite(s, r, &bytes);
    buf_free(&bytes);
    r->capture = true;
}

/* It may end its connection. */
static bool may_end_lease(const struct session_request *r)
{
    return r->command->way == WAY_ALONE && !r->script && !(r->command->flags & COMMAND_READONLY) &&
           !command_has_keys(r->command);
}

/* A connection that no other session will have bears this one's name, for SLOWLOG, and for whoever asks
 * the node itself. What the node may not know (and then keeps no lease) is no reason. */
static void name_lease(struct session *s, const struct session_request *r)
{
    struct slice argv[3] = {
        {"Client", 6}, {"SETNAME", 7}, {s->client.name, strlen(s->client.name)}};
    bool known = r->command != learn_unknown() && !r->command->subs;
    if (s->tx.state == TX_OPEN || session_subscribed(s) ||
        !(lease_kept_for(&s->lease, LEASE_CHANGED | LEASE_TOLD | LEASE_DEDICATED) ||
          command_is_subscription(r->command->verb) || command_is_told(r->command->verb) ||
          (known && (session_keeps_lease(r) || may_end_lease(r)))))
        return;
    session_tell_lease_words(s, 3, argv, NULL);
    s->lease.named = s->lease.dirty = true;
}

static void track(struct session *s, struct session_request *r)
{
    bool open = s->tx.state == TX_OPEN, watching = s->tx.watching;
    uint8_t verb = r->command->verb;
    r->ends_tx = verb == VERB_EXEC || verb == VERB_DISCARD;
    r->subscribes = command_is_subscription(verb);
    session_tx_mark(r, open);
    s->tx.scans |= r->in_tx && verb == VERB_SCAN;
    s->tx.performs |= r->in_tx && r->command->way == WAY_SESSION;
    s->tx.with_exec |= r->in_tx && r->verb->with_exec;
    if (verb == VERB_EXEC && s->tx.scans)
        r->capture = r->scans = true;
    if (verb == VERB_EXEC && s->tx.with_exec)
        r->capture = true;
    if (open && verb == VERB_EXEC && (s->tx.refused || r->discards)) {
        r->discards = true;
        if (!s->tx.dirty)
            discard_instead(s, r);
    } else if (open && verb == VERB_EXEC && lease_kept_for(&s->lease, LEASE_CHANGED)) {
        r->capture |= s->tx.performs;
    }
    session_tx_apply(r, &open, &watching);
    session_tx_watch(s, watching);
    session_tx_enter(s, open ? TX_OPEN : TX_NONE);
    s->tx.publishes = s->tx.state == TX_OPEN && (s->tx.publishes || r->publishes);
    s->tx.scripts = s->tx.state == TX_OPEN && (s->tx.scripts || verb == VERB_EVALSHA);
    if (!open)
        s->tx.refused = s->tx.dirty = s->tx.scans = s->tx.performs = s->tx.with_exec = false;
    if (session_keeps_lease(r) && !lease_kept_for(&s->lease, LEASE_CHANGED)) {
        r->sticks = true;
        lease_keep(&s->lease, LEASE_CHANGED);
    }
    if (may_end_lease(r))
        s->lease.dirty = true;
}

enum step session_send_on_lease(struct session *s, struct session_request *r)
{
    const struct verb *verb = r->verb;
    bool blocking = r->blocking && s->tx.state != TX_OPEN;

    if (blocking && (s->life.client != CLIENT_SENDS)) {
        session_deliver(s);
        session_flush(s);
        session_close(s, CLOSED_CLIENT, "its client left, and it would pop an item for nobody");
        return STEP_WAIT;
    }
    if (blocking && !r->blocked_until_ms)
        session_start_timeout(s, r);
    if (!s->lease.upstream) {
        if (s->queue.inflight > 0)
            return STEP_WAIT;
        if (!session_take_lease(s))
            return STEP_HOLD;
    } else if (!session_in_order(s, r, s->lease.upstream)) {
        return STEP_WAIT; /* another session has made it take the lease: CLIENT TRACKING REDIRECT */
    } else if (!router_may_send(s->host->router, s->lease.upstream)) {
        return STEP_HOLD;
    } else if (s->tx.lost) {
        if (s->queue.inflight > 0)
            return STEP_WAIT;
        session_tx_replay(s);
    }
    if (s->client.name && !s->lease.named)
        name_lease(s, r);
    if (verb->prepare) {
        enum step step = verb->prepare(s, r);
        if (step != STEP_ON || r->state != REQUEST_WAITING)
            return step;
    }
    track(s, r);
    if (blocking && r->blocked_until_ms && (r->held_since_ms || r->retried))
        session_rewrite_timeout(s, r);
    session_send(s, r, s->lease.upstream);
    if ((r->login && !r->in_tx) || (r->capture && r->ends_tx))
        barrier_raise(&s->barrier, BARRIER_LOGIN,
                      r); /* EXEC, if there is anything to be performed with it */
    if (verb->sent)
        verb->sent(s, r);
    if (blocking)
        barrier_raise(&s->barrier, BARRIER_BLOCKED, r);
    return STEP_ON;
}
