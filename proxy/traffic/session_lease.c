/*
 * session_lease: what needs a connection of its own: transactions, blocking
 * commands (session_blocking.c), subscriptions, and every command that is not known to leave its
 * connection as it was.
 *
 * A session that holds a lease sends everything on it (so order is free), and
 * gives it back as soon as nothing is in flight and the connection is as it
 * was: no MULTI open, nothing watched, nothing subscribed, nothing unknown done.
 *
 * When the lease is cut by a switch:
 *
 *     MULTI not yet sent     the whole transaction is sent on the next lease
 *     MULTI sent             it is sent again on the next lease (session_tx.c), unless it watches something
 *     EXEC sent              outcome unknown, unless the node was shutting down: as above
 *     blocked                taken back before (CLIENT UNBLOCK), or: a write is unknown, a read is sent again
 *     subscribed             subscribed again on the next lease
 */
#include "traffic/session_state.h"

#include <string.h>

static struct request *in_list(struct list *node)
{
    return container_of(node, struct request, in_session);
}

/* ---- transactions as of the last request that was dispatched ---- */

static void apply(const struct request *r, bool *open, bool *watching)
{
    if (!command_arity_ok(r->command, r->argc))
        return;
    switch (r->command->verb) {
    case VERB_MULTI:
        *open = true;
        break;
    case VERB_EXEC:
    case VERB_DISCARD:
        *open = false;
        *watching = false;
        break;
    case VERB_WATCH:
        if (!*open)
            *watching = true;
        break;
    case VERB_UNWATCH:
        if (!*open)
            *watching = false;
        break;
    default:
        break;
    }
}

bool session_is_tx_verb(uint8_t verb)
{
    return verb == VERB_MULTI || verb == VERB_EXEC || verb == VERB_DISCARD || verb == VERB_WATCH ||
           verb == VERB_UNWATCH;
}

/* What it is to a transaction that is `open` when it comes to the node. */
static void mark(struct request *r, bool open)
{
    uint8_t verb = r->command->verb;
    r->in_tx = open && verb != VERB_EXEC && verb != VERB_DISCARD && verb != VERB_MULTI;
    r->logged = r->in_tx || (verb == VERB_MULTI && !open && command_arity_ok(r->command, r->argc));
}

/* After requests were taken back from the lease, or a MULTI was refused: what is it that was really
 * sent? */
void session_recount(struct session *s)
{
    bool open = s->tx_confirmed || s->tx_lost, watching = s->watch_confirmed;
    for (struct list *it = s->requests.next; it != &s->requests; it = it->next) {
        struct request *r = in_list(it);
        if (!r->leased || (r->state != REQUEST_QUEUED && r->state != REQUEST_SENT))
            continue;
        mark(r, open);
        apply(r, &open, &watching);
    }
    if (s->tx == TX_OPEN || s->tx == TX_NONE)
        s->tx = open ? TX_OPEN : TX_NONE;
    s->tx_refused &= open;
    s->watching = watching;
}

/* ---- the lease ---- */

bool session_needs_lease(const struct session *s, const struct request *r)
{
    if (s->lease || session_subscribed(s) || s->tx == TX_OPEN ||
        s->listener->multiplexing == MULTIPLEXING_NO ||
        (s->host->paused_until_ms && session_waits_apart(s, r)))
        return true;
    if (r->command->way == WAY_BLOCK)
        return r->blocking || r->command->verb == VERB_WAIT;
    return r->command->way == WAY_LEASE || r->command->way == WAY_ALONE;
}

static void on_lost(void *data);

bool session_take_lease(struct session *s)
{
    enum target_role role = s->place.route == ROUTE_REPLICA ? TARGET_REPLICA : TARGET_MASTER;
    if (!session_kept_ready(s))
        return false;
    s->lease = router_lease(s->host->router, &s->place, role, s->identity, on_lost, s);
    if (!s->lease && s->place.entry == ENTRY_OTHER) {
        session_change_sides(s);
        s->lease = router_lease(s->host->router, &s->place, role, s->identity, on_lost, s);
    }
    s->tx_dirty = false;
    s->tx_confirmed = s->watch_confirmed = s->lease_dirty = s->lease_named = false;
    s->unblocks = 0;
    if (!s->lease)
        return false;
    if (session_tracks_for_itself(s) && router_park(s->lease)) {
        s->lease = NULL; /* its id there is known when it is READY */
        return false;
    }
    session_resubscribe(s);
    if (s->kept)
        session_restore_kept(s);
    if (s->tx_lost)
        session_tx_replay(s);
    return true;
}

void session_lease_drop(struct session *s)
{
    struct upstream *lease = s->lease;
    s->lease = NULL;
    session_subscriptions_lost(s);
    s->tx_confirmed = s->watch_confirmed = false;
    if (s->paused == lease)
        s->paused = NULL;
    if (lease)
        router_return(s->host->router, lease, false);
}

/* Nothing is in flight: may it go back? */
void session_lease_settle(struct session *s)
{
    struct upstream *lease = s->lease;
    if (!lease || s->tx == TX_OPEN || s->watching || s->sticky || s->monitoring || s->kept ||
        session_subscribed(s) || s->listener->multiplexing == MULTIPLEXING_NO)
        return;
    if (s->paused == lease) {
        upstream_pause(lease, false);
        s->paused = NULL;
    }
    s->lease = NULL;
    router_return(s->host->router, lease, !s->lease_dirty && s->unblocks == 0);
}

/* An open transaction that was begun behind a read that nobody answered: the read is sent again, so
 * the transaction has to be, behind it, as if it had never been sent. Neither is it known to be begun
 * where Redis refuses MULTI: to a subscriber, in RESP2. Returns whether there is such. */
static bool mark_unbegun(struct session *s)
{
    struct request *multi = NULL;
    bool read_again = session_subscribed(s) && !s->identity->resp3;
    for (struct list *it = s->requests.next; it != &s->requests; it = it->next) {
        struct request *r = in_list(it);
        uint8_t verb = r->command ? r->command->verb : VERB_NONE;
        if (!r->leased || r->state != REQUEST_SENT)
            continue;
        if (verb == VERB_MULTI && r->logged)
            multi = read_again ? r : NULL;
        else if (verb == VERB_EXEC || verb == VERB_DISCARD)
            multi = NULL;
        else if (!r->in_tx && !r->write && !session_is_tx_verb(verb))
            read_again = true;
    }
    for (struct list *it = multi ? &multi->in_session : &s->requests; it != &s->requests;
         it = it->next)
        in_list(it)->unbegun = in_list(it)->leased && in_list(it)->state == REQUEST_SENT;
    return multi != NULL;
}

/* The lease was cut; what was on it fails right after this. */
static void on_lost(void *data)
{
    struct session *s = data;
    bool open = s->tx_confirmed, watching = s->watch_confirmed;
    for (struct list *it = s->requests.next; it != &s->requests; it = it->next) {
        const struct request *r = in_list(it);
        if (r->leased && r->state == REQUEST_SENT && !upstream_is_undone(s->lease))
            apply(r, &open, &watching);
    }
    if (!upstream_is_undone(s->lease) &&
        mark_unbegun(s)) /* what is undone counts as unsent anyway */
        open = false;
    if (s->paused == s->lease)
        s->paused = NULL;
    if (upstream_is_ended(s->lease) &&
        (session_subscribed(s) || s->monitoring || session_tracks(s)))
        session_doubt(s, s->lease);
    s->lease = NULL;
    s->tx_confirmed = s->watch_confirmed = false;
    s->watching = false;
    if (open)
        session_tx_lease_lost(s, watching);
    else if (s->tx == TX_OPEN)
        s->tx = TX_NONE;
    if (!open && watching)
        s->watch_broken = true;
    s->sticky = false;
    if (!session_doubts(s))
        session_subscriptions_lost(s);
    session_kept_lost(s);
    if (s->tunnel)
        session_close(s, "the connection that it replicates from was lost");
    else
        session_mark_woken(s);
}

/* ---- sending ---- */

/* EXEC of a transaction in which a command was refused, and the node does not know. */
static void discard_instead(struct session *s, struct request *r)
{
    static const char discard[] = "*1\r\n$7\r\nDISCARD\r\n";
    struct buf bytes = {0};
    buf_append(&bytes, discard, sizeof(discard) - 1);
    session_rewrite(s, r, &bytes);
    buf_free(&bytes);
    r->capture = true;
}

/* It changes its connection, as far as one can tell. */
static bool keeps_lease(const struct request *r)
{
    return (r->command->way == WAY_LEASE && r->command->verb == VERB_NONE) ||
           r->command->way == WAY_SESSION;
}

/* Not so if the node did not even know it, as many do not know what libraries ask them for when they
 * connect. Another one may be behind it. */
static void unstick(struct session *s, struct request *unknown)
{
    unknown->sticks = false;
    s->sticky = false;
    for (struct list *it = unknown->in_session.next; it != &s->requests && !s->sticky;
         it = it->next) {
        struct request *r = in_list(it);
        if (r->leased && (r->state == REQUEST_QUEUED || r->state == REQUEST_SENT) && keeps_lease(r))
            s->sticky = r->sticks = true;
    }
}

/* It may end its connection. */
static bool may_end_lease(const struct request *r)
{
    return r->command->way == WAY_ALONE && !r->script && !(r->command->flags & COMMAND_READONLY) &&
           !command_has_keys(r->command);
}

/* A connection that no other session will have bears this one's name, for SLOWLOG, and for whoever asks
 * the node itself. What the node may not know (and then keeps no lease) is no reason. */
static void name_lease(struct session *s, const struct request *r)
{
    struct slice argv[3] = {{"Client", 6}, {"SETNAME", 7}, {s->name, strlen(s->name)}};
    struct buf bytes = {0};
    struct request *own;
    bool known = r->command != learn_unknown() && !r->command->subs;
    if (s->tx == TX_OPEN || session_subscribed(s) ||
        !(s->sticky || s->kept || s->listener->multiplexing == MULTIPLEXING_NO ||
          session_is_subscribe_verb(r->command->verb) || session_is_kept_verb(r->command->verb) ||
          (known && (keeps_lease(r) || may_end_lease(r)))))
        return;
    resp_append_command(&bytes, 3, argv);
    own = request_new(&s->host->turn->requests, buf_len(&bytes));
    request_set_bytes(own, buf_head(&bytes), buf_len(&bytes));
    buf_free(&bytes);
    upstream_submit(s->lease, own);
    s->lease_named = s->lease_dirty = true;
}

static void track(struct session *s, struct request *r)
{
    bool open = s->tx == TX_OPEN;
    uint8_t verb = r->command->verb;
    r->ends_tx = verb == VERB_EXEC || verb == VERB_DISCARD;
    mark(r, open);
    s->tx_scans |= r->in_tx && verb == VERB_SCAN;
    if (verb == VERB_EXEC && s->tx_scans)
        r->capture = r->scans = true;
    if (open && verb == VERB_EXEC && (s->tx_refused || r->discards)) {
        r->discards = true;
        if (!s->tx_dirty)
            discard_instead(s, r);
    } else if (open && verb == VERB_EXEC && s->sticky) {
        r->capture |= session_tx_performs(s);
    }
    apply(r, &open, &s->watching);
    s->tx = open ? TX_OPEN : TX_NONE;
    s->tx_publishes = s->tx == TX_OPEN && (s->tx_publishes || r->publishes);
    s->tx_scripts = s->tx == TX_OPEN && (s->tx_scripts || verb == VERB_EVALSHA);
    if (!open)
        s->tx_refused = s->tx_dirty = s->tx_scans = false;
    if (keeps_lease(r) && !s->sticky)
        s->sticky = r->sticks = true;
    if (may_end_lease(r))
        s->lease_dirty = true;
}

enum step session_send_on_lease(struct session *s, struct request *r)
{
    uint8_t verb = r->command->verb;
    bool blocking = r->blocking && s->tx != TX_OPEN;

    if (blocking && (s->eof || s->gone)) {
        session_deliver(s);
        session_flush(s);
        session_close(s, "its client left, and it would pop an item for nobody");
        return STEP_WAIT;
    }
    if (blocking && !r->blocked_until_ms)
        session_start_timeout(s, r);
    if (!s->lease) {
        if (s->inflight > 0)
            return STEP_WAIT;
        if (!session_take_lease(s))
            return STEP_HOLD;
    } else if (!session_in_order(s, r, s->lease)) {
        return STEP_WAIT; /* another session has made it take the lease: CLIENT TRACKING REDIRECT */
    } else if (!router_may_send(s->host->router, s->lease)) {
        return STEP_HOLD;
    } else if (s->tx_lost) {
        if (s->inflight > 0)
            return STEP_WAIT;
        session_tx_replay(s);
    }
    if (s->name && !s->lease_named)
        name_lease(s, r);
    if (session_is_subscribe_verb(verb) || verb == VERB_MONITOR)
        return session_send_subscribe(s, r);
    if ((verb == VERB_AUTH || verb == VERB_HELLO) && s->tx != TX_OPEN && s->inflight > 0)
        return STEP_WAIT; /* see pool_auth_upstream() */
    if (r->command->way == WAY_SESSION && session_prepare_adoption(s, r))
        return STEP_ON;
    if (session_is_kept_verb(verb)) {
        enum step step = session_prepare_kept(s, r);
        if (step != STEP_ON)
            return step;
    }
    if (r->script || verb == VERB_EXEC) {
        enum step step = session_prepare_script(s, r);
        if (step != STEP_ON)
            return step;
    }
    r->capture |= verb == VERB_CLIENT_REDIR;
    track(s, r);
    if (verb == VERB_WAIT && s->tx != TX_OPEN)
        session_count_all(s, r);
    if (blocking && r->blocked_until_ms && (r->held_since_ms || r->retried))
        session_rewrite_timeout(s, r);
    if (verb == VERB_CLIENT_PAUSE)
        session_pause_goes(s, r);
    session_send(s, r, s->lease);
    if ((r->login && !r->in_tx) || (r->capture && r->ends_tx))
        s->adopting = r; /* EXEC, if there is anything to be performed with it */
    if (verb == VERB_EVERYWHERE)
        session_fan_out(s, r);
    if (blocking)
        s->blocked = r;
    return STEP_ON;
}

/* ---- answers ---- */

/* Whether EXEC or DISCARD was sent behind a part of a transaction. */
static bool is_ended(const struct session *s, const struct request *r)
{
    for (const struct list *it = r->in_session.next; it != &s->requests; it = it->next) {
        const struct request *later = container_of(it, struct request, in_session);
        if (later->leased && later->ends_tx && later->state != REQUEST_WAITING)
            return true;
    }
    return false;
}

/* The client was told that a part of its transaction is wrong: EXEC will fail, also on another node,
 * where that part might be right. */
static void part_refused(struct session *s, struct request *r)
{
    if (!is_ended(s, r))
        s->tx_refused = s->tx_dirty = s->tx == TX_OPEN;
}

void session_lease_answered(struct session *s, struct request *r)
{
    if (r->in_tx && r->reply_type == '-' && !router_is_settled(s->host->router, s->place.group) &&
        session_is_switch_error(buf_head(&r->reply), buf_len(&r->reply))) {
        /* Redis has marked the transaction: EXEC will say EXECABORT, and it is sent again. */
        buf_free(&r->reply);
        buf_append(&r->reply, "+QUEUED\r\n", 9);
        r->reply_type = '+';
        s->tx_rejected = true;
    } else if (r->in_tx && r->reply_type == '-' && !session_is_tx_verb(r->command->verb)) {
        part_refused(s, r);
    }
    if (r->reply_type == '-' && !r->in_tx)
        r->logged = false; /* a MULTI that was refused */
    if (session_is_kept_verb(r->command->verb) && !r->in_tx)
        session_kept_answered(s, r);
    if (r->command->verb == VERB_MONITOR && r->reply_type == '+' && !r->in_tx)
        s->monitoring = true;
    if (r->command->verb == VERB_CLIENT_PAUSE || r->command->verb == VERB_CLIENT_UNPAUSE ||
        (r->command->verb == VERB_EXEC && s->pauses))
        session_pause_answered(s, r);
    if (r->unknown && r->sticks)
        unstick(s, r);
    if (r->reply_type != '-' || r->command->verb == VERB_EXEC) {
        apply(r, &s->tx_confirmed, &s->watch_confirmed);
    } else if (r->command->verb != VERB_NONE &&
               (r->command->way == WAY_LEASE || r->command->way == WAY_SESSION)) {
        /* What was refused had no effect; for certainty the connection is not used again. */
        s->lease_dirty = true;
        session_recount(s);
    }
}

bool session_lease_failed(struct session *s, struct request *r, enum request_failure why)
{
    uint8_t verb = r->command->verb;
    if (why == REQUEST_REFUSED)
        return false;
    if (why == REQUEST_UNSENT) {
        if (verb == VERB_MULTI && r->logged && s->tx_refused && !is_ended(s, r))
            r->doomed = true; /* it goes without the part that was refused */
        session_recount(s);
        r->in_tx = false;
        return false;
    }
    if (verb == VERB_EXEC && r->discards)
        session_settle(s, r, "-EXECABORT Transaction discarded because of previous errors.\r\n");
    else if (verb == VERB_EXEC)
        session_outcome_unknown(s, r,
                                "-ERR redisproxy: outcome unknown, the connection to the master "
                                "was lost after EXEC was sent\r\n");
    else if (r->in_tx && verb == VERB_WATCH)
        session_settle(s, r, "-ERR WATCH inside MULTI is not allowed\r\n");
    else if (r->in_tx)
        session_settle(s, r, "+QUEUED\r\n");
    else if (verb == VERB_MULTI && !r->logged)
        session_settle(s, r, "-ERR MULTI calls can not be nested\r\n");
    else if (session_is_tx_verb(verb))
        session_settle(s, r, "+OK\r\n");
    else
        return false;
    return true;
}
