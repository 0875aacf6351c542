/*
 * dispatch: which of the session's requests may go now, and by which way: it is answered here, performed by the
 * session, sent on its lease, or on a connection that it shares. What is to be waited for first, and what is held,
 * is decided here, too.
 */
#include "session/dispatch.h"

#include "nodes/learn.h"
#include "nodes/router.h"
#include "session/blocking.h"
#include "session/broken_transaction.h"
#include "session/client.h"
#include "session/ended.h"
#include "session/held.h"
#include "session/hooks.h"
#include "session/leasing.h"
#include "session/life.h"
#include "session/login_bound.h"
#include "session/perform.h"
#include "session/publishing.h"
#include "session/refuse.h"
#include "session/replies.h"
#include "session/requests.h"
#include "session/send.h"

/* Requests over this travel on a connection of their own: nobody shall wait behind them. */
#define SHARE_MAX ((size_t)1024 * 1024)

/* Commands of replication pass where the listener allows them. */
static bool replicates(const struct session *s, const struct session_request *r)
{
    return s->listener->allow_replication && r->verb->replicates;
}

static bool allowed_on_read_port(const struct session *s, const struct session_request *r)
{
    if (r->verb->changes && r->verb->changes(r))
        return false;
    return ((r->command->flags & (COMMAND_READONLY | COMMAND_READ_PORT)) &&
            !(r->command->flags & COMMAND_WRITE)) ||
           replicates(s, r);
}

/* Once per request, when its command is known. */
static void classify(struct session *s, struct session_request *r)
{
    const struct command *c = r->command;
    if (s->queue.unclassified > 0)
        session_classify_refused(s, r);
    r->classified = true;
    r->verb = &s->host->hooks->verbs[c->verb];
    s->client.last = c;
    r->silent = (s->client.reply_off || s->client.reply_skip) && !command_is_subscription(c->verb);
    s->client.reply_skip = false;
    r->publishes = (c->verb != VERB_NONE || c->flags & (COMMAND_MAY_REPLICATE | COMMAND_MODULE)) &&
                   session_may_publish(c);
    /* What neither reads nor is harmless may change something: it is never sent twice. */
    r->write = !(c->flags & COMMAND_READONLY) && !(c->flags & COMMAND_READ_PORT);
    r->blocking = c->way == WAY_BLOCK && session_is_blocking(r);
    if (r->verb->seen)
        r->verb->seen(s, r);
}

static void on_learnt(void *data, const struct command *command)
{
    struct session *s = data;
    struct session_request *r = barrier_of(&s->barrier, BARRIER_LEARNING);
    s->learning = NULL;
    barrier_lower(&s->barrier, BARRIER_LEARNING, r);
    r->command = command; /* NULL: it got no answer, and is asked again */
    session_mark_woken(s);
}

static enum step learn_command(struct session *s, struct session_request *r)
{
    struct slice name = session_arg(r, 0);
    r->command = learn_find(s->host->learn, name);
    if (r->command)
        return STEP_ON;
    s->learning = learn_ask(s->host->learn, s->host->router, &s->place,
                            s->place.route == ROUTE_REPLICA ? TARGET_REPLICA : TARGET_MASTER, name,
                            on_learnt, s);
    if (!s->learning)
        return STEP_HOLD;
    barrier_raise(&s->barrier, BARRIER_LEARNING, r);
    return STEP_WAIT;
}

static enum step send_in_any_db(struct session *s, struct session_request *r)
{
    struct identity *identity =
        identity_with_db(router_identities(s->host->router), s->identity, 0);
    enum step step = session_send_shared(s, r, identity);
    identity_release(identity);
    return step;
}

/* Inside MULTI, and subscribed, Redis has to answer: QUEUED, or that it is not allowed there. */
static bool performs_itself(const struct session *s, const struct session_request *r)
{
    uint8_t verb = r->command->verb;
    if (verb == VERB_QUIT || verb == VERB_RESET)
        return true;
    if (s->tx.state == TX_OPEN || (session_subscribed(s) && !s->identity->resp3))
        return false;
    return !r->verb->node_decides ||
           (!s->lease.upstream && s->listener->multiplexing == MULTIPLEXING_YES);
}

static enum step dispatch_one(struct session *s, struct session_request *r)
{
    const struct command *c;
    if (s->special.tunnel)
        return s->special.tunnel->request(s, r);
    if (barrier_stands(&s->barrier) || s->queue.rejected)
        return STEP_WAIT;
    if (!r->command) {
        enum step step = learn_command(s, r);
        if (step != STEP_ON)
            return step;
    }
    if (!r->classified)
        classify(s, r);
    c = r->command;
    if (s->place.route == ROUTE_REPLICA && c->way != WAY_REFUSE && !allowed_on_read_port(s, r)) {
        session_refuse_on_read_port(s, r);
        return STEP_ON;
    }
    if (c->way == WAY_REFUSE)
        return replicates(s, r) ? r->verb->route(s, r) : session_refuse(s, r);
    if ((s->tx.state != TX_NONE && s->tx.state != TX_OPEN) ||
        (c->verb == VERB_MULTI && s->tx.state == TX_NONE && (s->tx.watch_broken || r->doomed)))
        return session_tx_local(s, r);
    if (c->verb == VERB_UNWATCH)
        s->tx.watch_broken = false;
    if (c->way == WAY_SESSION && s->lease.upstream && s->queue.inflight_subscribe > 0)
        return STEP_WAIT; /* a subscriber may not do the same as others */
    if (c->way == WAY_SESSION && s->tx.state == TX_OPEN && !s->tx.confirmed && !s->tx.lost &&
        s->queue.inflight > 0)
        return STEP_WAIT; /* MULTI may be refused */
    if (c->way == WAY_SESSION && performs_itself(s, r))
        return session_perform(s, r);
    if ((r->publishes || c->verb == VERB_EXEC) && session_waits_for_subscribers(s, r))
        return STEP_HOLD;
    if (r->verb->route && r->len <= SHARE_MAX)
        return r->verb->route(s, r);
    if (session_needs_lease(s, r) || r->len > SHARE_MAX)
        return session_send_on_lease(s, r);
    if (c->verb == VERB_ANY_DB)
        return send_in_any_db(s, r);
    return session_send_shared(s, r, s->identity);
}

/* The node does not let the session's identity in any more: as when a new connection is refused. */
static void refuse_entry(struct session *s)
{
    if (!s->queue.next) {
        session_close(s, CLOSED_ENTRY, "it is not let in any more");
        return;
    }
    session_quits(s, s->queue.next);
    session_answerf(s, s->queue.next, "-%s\r\n", s->place.refusal);
}

/* There is nobody to send to. Returns whether what is next has changed. */
static bool not_now(struct session *s)
{
    const struct session_request *r = s->queue.next;
    switch (s->place.entry) {
    case ENTRY_WAITS:
        return false; /* the node's word will wake it */
    case ENTRY_OTHER:
        session_change_sides(s);
        return true;
    case ENTRY_REFUSED:
        refuse_entry(s);
        return false;
    default:
        session_enter_hold(s);
        return s->queue.next != r;
    }
}

void session_dispatch(struct session *s)
{
    struct session_request *r;
    enum step step = STEP_ON;
    bool changed = false;
    unsigned taken = 0;
    list_remove(&s->in_woken);
    list_remove(&s->place.in_admission);
    hold_leave(&s->queue.held);
    s->queue.at_end.known = false;
    s->place.entry = ENTRY_NONE;
    if (session_doubts(s))
        step = STEP_WAIT;
    else if (session_wants_lease(s) && !barrier_stands(&s->barrier) && s->queue.inflight == 0 &&
             !session_take_lease(s))
        step = STEP_HOLD;
    while (step == STEP_ON && (r = s->queue.next) != NULL && life_dispatches(&s->life)) {
        step = dispatch_one(s, r);
        if (__builtin_expect(++taken == TURN_STEPS, 0)) {
            taken = 0;
            turn_took(s->host->turn, TURN_STEPS);
            changed = turn_spent(s->host->turn) && step == STEP_ON; /* the others' turn */
            if (changed)
                break;
        }
    }
    turn_took(s->host->turn, taken);
    if (s->queue.next)
        requests_wait(s);
    if (life_closing(&s->life))
        return;
    if (step == STEP_HOLD)
        changed = not_now(s);
    if (s->client.growth != GROWTH_FREE)
        session_judge_partial(s);
    if (!life_closing(&s->life))
        session_deliver(s);
    list_remove(&s->in_woken);
    if (changed)
        session_mark_woken(
            s); /* what is next now may need no node, or can have one, or is more than for one turn */
}

void session_wake(struct held *held)
{
    session_mark_woken(container_of(held, struct session, queue.held));
}

void session_run_woken(struct turn *turn)
{
    turn_renew(turn);
    while (!list_empty(&turn->woken) && !turn_spent(turn))
        session_dispatch(container_of(list_take(&turn->woken), struct session, in_woken));
}
