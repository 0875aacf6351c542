/*
 * session_order: which request may go now, and which reply is next.
 *
 * Invariant (decision 2): a request is sent only when every unfinished request
 * before it is on the same upstream, or when it and all of them are reads. So
 * the requests of a session execute in the order in which they came, on
 * however many connections. tests/system/test_order.c proves it.
 *
 * A node may reject a request without executing it (READONLY, LOADING, ...).
 * Then nothing more is sent until what is in flight is answered, and only then
 * it is decided: if no later write was executed, the rejected request and what
 * follows it are sent again; otherwise the rejection is the answer (decision 3).
 */
#include "traffic/session_state.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests over this travel on a connection of their own: nobody shall wait behind them. */
#define SHARE_MAX ((size_t)1024 * 1024)
/* A reply this long, to a client that does not read, costs its upstream the sharing. */
#define LARGE_REPLY ((size_t)1024 * 1024)
/* So do this many times output_high of small ones. */
#define OUTPUT_FACTOR 32

struct fan {
    unsigned left;
    struct request *origin; /* NULL: its session is gone */
    struct request_pool *requests;
};

static const struct request_owner owner;

static struct request *in_list(struct list *node)
{
    return container_of(node, struct request, in_session);
}

static struct request_pool *pool_of(struct session *s)
{
    return &s->host->turn->requests;
}

struct slice session_arg(const struct request *r, int number)
{
    return resp_arg(r->data, r->len, number);
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
    snprintf(out, size, "-MASTERDOWN redisproxy: no master for %s within %" PRId64 " ms\r\n",
             group->name, group->hold_timeout_ms);
    return out;
}

/* ---- in and out of WAITING ---- */

static void leave_waiting(struct session *s, struct request *r)
{
    assert(r->state == REQUEST_WAITING);
    s->waiting_bytes -= r->len;
    if (hold_waits(&s->held))
        hold_shrink(&s->held, r->len);
    if (s->next == r)
        s->next = first_waiting(s, r->in_session.next);
}

static void forget_copies(struct session *s, struct request *r)
{
    if (r->fan)
        session_forget_fan(r);
    if (s->fanning == r)
        s->fanning = NULL;
}

/* A request that was on its way stands before all that waits again. */
static void wait_again(struct session *s, struct request *r)
{
    forget_copies(s, r);
    r->state = REQUEST_WAITING;
    r->retried = true;
    r->reply_type = 0;
    r->reply_len = 0;
    r->rejecting = false;
    r->taken_back = false;
    buf_free(&r->reply);
    s->waiting_bytes += r->len;
    if (hold_waits(&s->held))
        hold_grow(&s->held, r->len);
    s->next = first_waiting(s, s->requests.next);
    session_mark_woken(s);
}

/* The MULTI that waits and whose transaction `r` belongs to. */
static struct request *waiting_multi(struct session *s, const struct request *r)
{
    struct request *multi = NULL;
    for (struct list *it = s->requests.next; it != &r->in_session; it = it->next) {
        struct request *earlier = in_list(it);
        if (earlier->state != REQUEST_WAITING || !earlier->command)
            continue;
        if (earlier->command->verb == VERB_MULTI)
            multi = earlier;
        else if (earlier->command->verb == VERB_EXEC || earlier->command->verb == VERB_DISCARD)
            multi = NULL;
    }
    return multi;
}

/* A request is not held, or no longer. Half a transaction must not be executed for that: without
 * its MULTI the rest of what was pipelined is refused, too; without another part EXEC says
 * EXECABORT. */
static void refuse_to_hold(struct session *s, struct request *r)
{
    struct request *multi = waiting_multi(s, r);
    uint8_t verb = r->command ? r->command->verb : VERB_NONE;
    char text[160];
    bool ends = verb == VERB_EXEC || verb == VERB_DISCARD;
    if (s->refused_multi) {
        if (ends)
            s->refused_multi = NULL;
    } else if (multi) {
        multi->doomed = true;
        if (ends)
            return; /* it is answered here, behind its MULTI: it needs no node */
    } else if (s->tx == TX_OPEN) {
        session_break_tx(s); /* a reply cut short by that ends the session */
        if (s->closing)
            return;
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
    r->owner = &owner;
    r->owner_data = s;
    r->after_write = s->writes > 0;
    r->maybe_write = !r->command || !(r->command->flags & (COMMAND_READONLY | COMMAND_READ_PORT));
    s->writes += r->maybe_write;
    list_append(&s->requests, &r->in_session);
    s->count++;
    s->waiting_bytes += r->len;
    if (!s->next)
        s->next = r;
    if (!hold_waits(&s->held))
        return;
    if (hold_has_room(s->held.hold, r->len) && !s->refused_multi) {
        hold_grow(&s->held, r->len);
        r->held_since_ms = turn_now(s->host->turn);
    } else {
        hold_grow(&s->held, r->len);
        refuse_to_hold(s, r);
    }
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

void session_answer(struct session *s, struct request *r, const char *reply)
{
    leave_waiting(s, r);
    if (!r->placed)
        r->silent = s->reply_off;
    buf_free(&r->reply);
    buf_append(&r->reply, reply, strlen(reply));
    r->reply_type = reply[0];
    r->state = REQUEST_ANSWERED;
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

/* ---- sending ---- */

void session_send(struct session *s, struct request *r, struct upstream *to)
{
    leave_waiting(s, r);
    r->leased = to == s->lease;
    if (s->inflight == 0) {
        s->at = to;
        s->mixed = false;
    } else if (s->at != to) {
        s->mixed = true;
    }
    s->inflight++;
    if (r->write)
        s->inflight_writes++;
    router_send(to, r);
}

enum wish session_wish(const struct session *s, const struct request *r)
{
    switch (s->place.route) {
    case ROUTE_MASTER:
        return WISH_MASTER;
    case ROUTE_REPLICA:
        return WISH_REPLICA;
    case ROUTE_SPLIT:
        break;
    }
    /* A read that was sent behind a write sees it: also when a barrier had the write answered first. */
    return (r->command->flags & COMMAND_READONLY) && !r->after_write ? WISH_REPLICA : WISH_MASTER;
}

bool session_in_order(const struct session *s, const struct request *r, const struct upstream *to)
{
    if (s->inflight == 0)
        return true;
    if (!s->mixed && s->at == to)
        return true;
    return !r->write && s->inflight_writes == 0;
}

enum step session_send_shared(struct session *s, struct request *r, struct identity *identity)
{
    struct upstream *up = router_shared(s->host->router, &s->place, session_wish(s, r), identity);
    if (!up)
        return STEP_HOLD;
    if (!session_in_order(s, r, up))
        return STEP_WAIT;
    session_send(s, r, up);
    return STEP_ON;
}

/* ---- copies on every node ---- */

static void fan_part_done(struct request *copy)
{
    struct fan *fan = copy->owner_data;
    struct request *origin = fan->origin;
    request_free(fan->requests, copy);
    if (--fan->left > 0)
        return;
    free(fan);
    if (!origin)
        return;
    origin->fan = NULL;
    if (origin->state == REQUEST_ANSWERED || origin->state == REQUEST_REJECTED) {
        struct session *s = origin->owner_data;
        s->fanning = NULL;
        session_mark_woken(s);
    }
}

static void fan_on_reply(struct request *copy, const char *data, size_t len, bool first, bool last)
{
    (void)data;
    (void)len;
    (void)first;
    if (last)
        fan_part_done(copy);
}

static void fan_on_failed(struct request *copy, enum request_failure why, const char *text)
{
    (void)why;
    (void)text;
    fan_part_done(copy);
}

static const struct request_owner fan_owner = {fan_on_reply, fan_on_failed};

void session_forget_fan(struct request *r)
{
    r->fan->origin = NULL;
    r->fan = NULL;
}

/* A script that is loaded on one node only would be missing after a switch, and on the replicas.
 * What is written (FUNCTION LOAD) Redis replicates itself. */
static enum step send_everywhere(struct session *s, struct request *r)
{
    enum step step = session_send_shared(s, r, s->identity);
    struct fan *fan;
    if (step != STEP_ON || (r->command->flags & COMMAND_WRITE))
        return step;
    fan = calloc(1, sizeof(*fan));
    if (!fan)
        abort();
    fan->left = 1; /* not done while copies are being made */
    fan->origin = r;
    fan->requests = pool_of(s);
    r->fan = fan;
    fan->left += router_send_everywhere(s->host->router, s->place.group, s->identity, r->upstream,
                                        r, &fan_owner, fan);
    if (--fan->left == 0) {
        r->fan = NULL;
        free(fan);
        return STEP_ON;
    }
    s->fanning = r;
    return STEP_ON;
}

/* ---- dispatching ---- */

static bool allowed_on_read_port(const struct session *s, const struct request *r)
{
    (void)s;
    return (r->command->flags & (COMMAND_READONLY | COMMAND_READ_PORT)) &&
           !(r->command->flags & COMMAND_WRITE);
}

/* EVAL, EVALSHA, FCALL become EVAL_RO, ...: Redis itself refuses a write inside them. */
static void make_read_only_form(struct session *s, struct request *r)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct buf whole = {0};
    struct slice arg;
    bool name = true;
    buf_printf(&whole, "*%d\r\n", r->argc);
    while (resp_args_next(&args, &arg)) {
        buf_printf(&whole, "$%zu\r\n", arg.len + (name ? 3 : 0));
        buf_append(&whole, arg.data, arg.len);
        if (name)
            buf_append(&whole, "_RO", 3);
        buf_append(&whole, "\r\n", 2);
        name = false;
    }
    session_rewrite(s, r, &whole);
    buf_free(&whole);
    r->read_form = true;
    r->write = false;
}

/* Once per request, when its command is known. */
static void classify(struct session *s, struct request *r)
{
    const struct command *c = r->command;
    bool script = c->verb == VERB_EVAL || c->verb == VERB_EVALSHA || c->verb == VERB_FCALL;
    r->placed = true;
    r->silent = s->reply_off || s->reply_skip;
    s->reply_skip = false;
    r->script = script;
    /* What neither reads nor is harmless may change something: it is never sent twice. */
    r->write = !(c->flags & COMMAND_READONLY) && (script || !(c->flags & COMMAND_READ_PORT));
    r->blocking = c->way == WAY_BLOCK && session_is_blocking(r);
    if (script && s->place.route == ROUTE_REPLICA && !(c->flags & COMMAND_READONLY))
        make_read_only_form(s, r);
}

static void on_learnt(void *data, const struct command *command)
{
    struct session *s = data;
    s->question = NULL;
    s->learning->command = command; /* NULL: it got no answer, and is asked again */
    session_mark_woken(s);
}

static enum step learn_command(struct session *s, struct request *r)
{
    struct slice name = session_arg(r, 0);
    r->command = learn_find(s->host->learn, name);
    if (r->command)
        return STEP_ON;
    s->question =
        learn_ask(s->host->learn, s->host->router, &s->place,
                  s->place.route == ROUTE_REPLICA ? WISH_REPLICA : WISH_MASTER, name, on_learnt, s);
    s->learning = r;
    return s->question ? STEP_WAIT : STEP_HOLD;
}

static void refuse_on_read_port(struct session *s, struct request *r)
{
    /* Inside MULTI, as Redis does: the transaction cannot be executed any more. */
    if (s->tx == TX_OPEN)
        s->tx_refused = true;
    session_answer(s, r, "-READONLY You can't write against a read only replica.\r\n");
}

static void refuse(struct session *s, struct request *r)
{
    if (slice_is(session_arg(r, 0), "post") || slice_is(session_arg(r, 0), "host:")) {
        /* Somebody made a browser talk to us (cross-protocol scripting): Redis hangs up, too. */
        log_event(LOG_WARN, "an HTTP request on a Redis port was cut off", "session=%" PRIu64,
                  s->id);
        session_close(s, "an HTTP request");
        return;
    }
    session_answerf(s, r, "-ERR redisproxy: '%s' is not available through the proxy\r\n",
                    r->command->name);
}

/* Inside MULTI, and subscribed, Redis has to answer: QUEUED, or that it is not allowed there. */
static bool performs_itself(const struct session *s, uint8_t verb)
{
    if (verb == VERB_QUIT || verb == VERB_RESET)
        return true;
    if (s->tx == TX_OPEN || session_subscribed(s))
        return false;
    return !s->lease || session_verb_is_local(verb);
}

static enum step dispatch_one(struct session *s, struct request *r)
{
    const struct command *c;
    if (s->adopting || s->blocked || s->fanning || s->question || s->knock || s->rejected)
        return STEP_WAIT;
    if (!r->command) {
        enum step step = learn_command(s, r);
        if (step != STEP_ON)
            return step;
    }
    if (!r->placed)
        classify(s, r);
    c = r->command;
    if (s->place.route == ROUTE_REPLICA && c->way != WAY_REFUSE && !allowed_on_read_port(s, r)) {
        refuse_on_read_port(s, r);
        return STEP_ON;
    }
    if (c->way == WAY_REFUSE) {
        refuse(s, r);
        return STEP_ON;
    }
    if (s->tx == TX_ABORT || s->tx == TX_NIL || s->tx == TX_UNHELD ||
        (c->verb == VERB_MULTI && s->tx == TX_NONE && (s->watch_broken || r->doomed)))
        return session_tx_local(s, r);
    if (c->verb == VERB_UNWATCH)
        s->watch_broken = false;
    if (c->way == WAY_SESSION && performs_itself(s, c->verb))
        return session_perform(s, r);
    if (session_needs_lease(s, r) || r->len > SHARE_MAX)
        return session_send_on_lease(s, r);
    if (c->verb == VERB_EVERYWHERE)
        return send_everywhere(s, r);
    return session_send_shared(s, r, s->identity);
}

/* Nobody to send to: the session joins the hold, in bounds. */
static void enter_hold(struct session *s)
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
        if (!room || s->refused_multi)
            refuse_to_hold(s, r);
        if (s->closing)
            return;
    }
}

void session_dispatch(struct session *s)
{
    struct request *r;
    enum step step = STEP_ON;
    list_remove(&s->in_woken);
    hold_leave(&s->held);
    if (session_wants_resubscribe(s) && s->inflight == 0) {
        session_resubscribe(s);
        if (!s->lease)
            step = STEP_HOLD;
    }
    while (step == STEP_ON && (r = s->next) != NULL && !s->closing && !s->quitting)
        step = dispatch_one(s, r);
    if (s->closing)
        return;
    if (step == STEP_HOLD)
        enter_hold(s);
    if (!s->closing)
        session_deliver(s);
    list_remove(&s->in_woken);
}

void session_wake(struct held *held)
{
    session_mark_woken(container_of(held, struct session, held));
}

void session_run_woken(struct list *woken)
{
    struct list *node;
    while ((node = list_take(woken)))
        session_dispatch(container_of(node, struct session, in_woken));
}

/* ---- answers ---- */

/* Hands out the replies whose turn it is. */
void session_deliver(struct session *s)
{
    struct list *node;
    bool delivered = false;
    if (s->closing)
        return;
    while ((node = s->requests.next) != &s->requests) {
        struct request *r = in_list(node);
        if (r->state != REQUEST_ANSWERED || r->fan)
            break;
        if (!r->silent && buf_len(&r->reply) > 0)
            buf_append(&s->out, buf_head(&r->reply), buf_len(&r->reply));
        if (r->close_after)
            s->last_words = s->said_all = true;
        if (s->refused_multi == r)
            s->refused_multi = NULL;
        list_remove(&r->in_session);
        s->count--;
        s->writes -= r->maybe_write;
        if (r->logged && s->tx_logged) {
            session_tx_keep(s, r);
        } else {
            if (r->ends_tx)
                session_tx_forget(s);
            request_free(pool_of(s), r);
        }
        delivered = true;
    }
    if (delivered)
        session_mark_dirty(s);
}

static bool starts(const char *data, size_t len, const char *word)
{
    size_t word_len = strlen(word);
    return len >= word_len && memcmp(data, word, word_len) == 0;
}

/* Did the node refuse to execute it, for a reason that a switch will mend? */
static bool is_rejection(const struct session *s, const struct request *r, const char *data,
                         size_t len)
{
    const struct topology_group *view = router_view(s->host->router, s->place.group);
    if (r->script || r->adopt || r->in_tx)
        return false; /* part of a script may have been executed; a transaction has its own rule */
    if (r->ends_tx)
        return starts(data, len, "-EXECABORT ") && s->tx_logged && !s->tx_refused && view &&
               (view->settling || !view->writable) &&
               (s->tx_rejected || session_is_switch_error(data, len));
    if (starts(data, len, "-READONLY ") || starts(data, len, "-LOADING ") ||
        starts(data, len, "-MASTERDOWN "))
        return true;
    if (starts(data, len, "-NOREPLICAS "))
        return view && (view->settling || !view->writable);
    if (starts(data, len, "-UNBLOCKED "))
        return r->blocking && (r->taken_back || starts(data, len, "-UNBLOCKED force unblock"));
    return false;
}

/* All that was in flight is answered: what of the rejected ones? Overtaken they are by a write, and
 * by whatever changed the connection (SELECT, MULTI, ...). */
static void decide_rejected(struct session *s)
{
    struct request *first = NULL;
    bool overtaken = false;
    for (struct list *it = s->requests.next; it != &s->requests; it = it->next) {
        struct request *r = in_list(it);
        if (!first && r->state == REQUEST_REJECTED)
            first = r;
        else if (first && r->state == REQUEST_ANSWERED && r->executed)
            overtaken |= r->command->verb != VERB_EVERYWHERE && /* may be done twice */
                         (r->write || r->in_tx || r->command->verb != VERB_NONE);
    }
    s->rejected = 0;
    for (struct list *it = &first->in_session; it != &s->requests; it = it->next) {
        struct request *r = in_list(it);
        if (r->state != REQUEST_REJECTED && !(r->state == REQUEST_ANSWERED && r->executed))
            continue;
        if (!overtaken && r->ends_tx)
            session_tx_again(s);
        if (overtaken)
            r->state = REQUEST_ANSWERED;
        else
            wait_again(s, r); /* reads behind it were answered too early: their turn comes again */
    }
    session_mark_woken(s);
}

/* A request left its upstream. */
static void landed(struct session *s, struct request *r)
{
    s->inflight--;
    if (r->write)
        s->inflight_writes--;
    if (s->blocked == r)
        s->blocked = NULL;
    if (s->adopting == r)
        s->adopting = NULL;
    if (s->inflight == 0) {
        s->mixed = false;
        s->at = NULL;
    }
}

static void all_landed(struct session *s)
{
    if (s->inflight > 0 || s->closing)
        return;
    if (s->rejected > 0)
        decide_rejected(s);
    session_lease_settle(s);
}

static void answered(struct session *s, struct request *r, struct upstream *up)
{
    landed(s, r);
    r->upstream = NULL;
    if (r->rejecting) {
        bool not_master = starts(buf_head(&r->reply), buf_len(&r->reply), "-READONLY ");
        r->state = REQUEST_REJECTED;
        s->rejected++;
        if (!starts(buf_head(&r->reply), buf_len(&r->reply), "-UNBLOCKED "))
            router_rejected(s->host->router, s->place.group, up, not_master);
    } else {
        r->state = REQUEST_ANSWERED;
        r->executed = true;
        if (r->adopt)
            session_adopted(s, r);
        if (r->capture)
            session_rewrite_reply(s, r);
        if (up == s->lease)
            session_lease_answered(s, r);
    }
    if (s->fanning == r && !r->fan)
        s->fanning = NULL;
    all_landed(s);
    if (s->closing)
        return;
    session_deliver(s);
    if (s->next)
        session_mark_woken(s);
}

/* The client does not read as fast as its replies come. `so_far`: bytes of a reply that goes on. */
static void throttle(struct session *s, struct upstream *up, size_t so_far)
{
    size_t high = s->host->options->output_high;
    if (buf_len(&s->out) <= high)
        return;
    session_flush(s);
    if (s->closing || s->paused || buf_len(&s->out) <= high)
        return;
    if (up == s->lease || so_far > LARGE_REPLY ||
        (so_far && buf_len(&s->out) > high * OUTPUT_FACTOR)) {
        s->paused = up;
        router_pause(s->host->router, up, s);
    }
}

static void on_reply(struct request *r, const char *data, size_t len, bool first, bool last)
{
    struct session *s = r->owner_data;
    struct upstream *up = r->upstream;
    bool head = s->requests.next == &r->in_session;

    if (first) {
        r->reply_type = data[0];
        r->rejecting = data[0] == '-' && is_rejection(s, r, data, len);
    }
    r->reply_len += len;
    if (!head || r->rejecting || r->capture || r->fan || r->in_tx) {
        buf_append(&r->reply, data, len);
    } else if (!r->silent) {
        if (buf_len(&r->reply) > 0) {
            buf_append(&s->out, buf_head(&r->reply), buf_len(&r->reply));
            buf_free(&r->reply);
        }
        buf_append(&s->out, data, len);
        r->streaming = true;
        session_mark_dirty(s);
    }
    if (last)
        answered(s, r, up);
    if (!s->closing)
        throttle(s, up, last ? 0 : r->reply_len);
}

void session_settle(struct session *s, struct request *r, const char *reply)
{
    buf_free(&r->reply);
    if (reply)
        buf_append(&r->reply, reply, strlen(reply));
    r->state = REQUEST_ANSWERED;
    session_mark_woken(s);
}

void session_outcome_unknown(struct session *s, struct request *r, const char *error)
{
    r->executed = true; /* perhaps: that is the point */
    if (router_group(s->host->router, s->place.group)->inflight_writes == INFLIGHT_CLOSE)
        session_close(s, "the outcome of a write is unknown, and inflight_writes = close");
    else
        session_settle(s, r, error);
}

static void on_failed(struct request *r, enum request_failure why, const char *text)
{
    struct session *s = r->owner_data;
    char line[200];

    landed(s, r);
    r->state = REQUEST_ANSWERED; /* it is nowhere any more; what it becomes is decided below */
    if (s->paused == r->upstream && why == REQUEST_LOST)
        s->paused = NULL;
    r->upstream = NULL;
    forget_copies(s, r);
    if (r->streaming) {
        session_close(s, "a reply was cut short: the connection to the node was lost");
        return;
    }
    if (r->leased && session_lease_failed(s, r, why)) {
        session_mark_woken(s);
    } else if (why == REQUEST_REFUSED) {
        snprintf(line, sizeof(line), "-%s\r\n", text);
        session_settle(s, r, line);
    } else if (why == REQUEST_UNSENT || !r->write) {
        wait_again(s, r);
    } else {
        session_outcome_unknown(s, r,
                                "-ERR redisproxy: outcome unknown, the connection to the master "
                                "was lost after the command was sent\r\n");
    }
    all_landed(s);
}

static const struct request_owner owner = {on_reply, on_failed};

/* ---- the hold's time ---- */

static void expire(struct session *s, int64_t now_ms)
{
    int64_t timeout = s->held.hold->timeout_ms;
    struct request *r;
    while ((r = s->next) != NULL) {
        if (session_blocked_expired(r, now_ms))
            session_answer(s, r, "*-1\r\n");
        else if (s->refused_multi || (r->held_since_ms && now_ms - r->held_since_ms >= timeout))
            refuse_to_hold(s, r);
        else
            break;
        if (s->closing)
            return;
        if (s->next && !s->refused_multi && s->next->command &&
            s->next->command->way == WAY_SESSION)
            break; /* may need no node: it is dispatched before its own time is up */
    }
    session_deliver(s);
}

void session_expire_held(struct hold *hold, int64_t now_ms)
{
    list_each (it, &hold->sessions)
        expire(container_of(it, struct session, held.in_hold), now_ms);
}
