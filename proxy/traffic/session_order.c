/*
 * session_order: which request may go now, and where.
 *
 * Invariant (decision 2): a request is sent only when every unfinished request
 * before it is on the same upstream, or when it and all of them are reads. So
 * the requests of a session execute in the order in which they came, on
 * however many connections. tests/system/test_order.c proves it.
 */
#include "traffic/session_state.h"

#include "base/log.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* Requests over this travel on a connection of their own: nobody shall wait behind them. */
#define SHARE_MAX ((size_t)1024 * 1024)

/* So much of a command's arguments Redis shows in an error. */
#define ERROR_ARGS_MAX 128

struct slice session_arg(const struct request *r, int number)
{
    return resp_arg(r->data, r->len, number);
}

/* ---- sending ---- */

void session_send(struct session *s, struct request *r, struct upstream *to)
{
    session_leave_waiting(s, r);
    r->leased = to == s->lease;
    if (s->inflight == 0) {
        s->at = to;
        s->mixed = false;
    } else if (s->at != to) {
        s->mixed = true;
    }
    s->inflight++;
    if (r->command->verb == VERB_SCAN)
        session_scan_goes(s, to);
    if (r->write) {
        s->inflight_writes++;
        s->wrote |= r->command->verb != VERB_WAIT;
    }
    if (s->identity->scripted && upstream_purpose(to) == PURPOSE_MASTER)
        session_tell_scripts(s, r, to);
    upstream_submit(to, r);
}

enum target_role session_target_role(const struct session *s, const struct request *r)
{
    switch (s->place.route) {
    case ROUTE_MASTER:
        return TARGET_MASTER;
    case ROUTE_REPLICA:
        return TARGET_REPLICA;
    case ROUTE_SPLIT:
        break;
    }
    /* A read that was sent behind a write sees it: also when a barrier had the write answered first. */
    return (r->command->flags & COMMAND_READONLY) && !r->after_write ? TARGET_REPLICA
                                                                     : TARGET_MASTER;
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
    enum target_role role = session_target_role(s, r);
    struct upstream *up =
        r->authenticates
            ? router_auth_upstream(s->host->router, &s->place, role, identity, session_proves(r))
            : router_shared(s->host->router, &s->place, role, identity);
    if (!up)
        return STEP_HOLD;
    if (!session_in_order(s, r, up))
        return STEP_WAIT;
    session_send(s, r, up);
    if (r->command->verb == VERB_EVERYWHERE)
        session_fan_out(s, r);
    return STEP_ON;
}

/* ---- dispatching ---- */

static bool allowed_on_read_port(const struct session *s, const struct request *r)
{
    if (r->command->verb == VERB_ACL_LOG && slice_is(session_arg(r, 2), "reset"))
        return false;
    return ((r->command->flags & (COMMAND_READONLY | COMMAND_READ_PORT)) &&
            !(r->command->flags & COMMAND_WRITE)) ||
           session_replicates(s, r);
}

/* EVAL, EVALSHA, FCALL become EVAL_RO, ...: Redis itself refuses a write inside them. */
static void make_read_only_form(struct session *s, struct request *r)
{
    struct slice name = session_arg(r, 0);
    struct buf whole = {0};
    char form[32];
    int len = snprintf(form, sizeof(form), "%.*s_RO", (int)name.len, name.data);
    resp_append_replaced(&whole, (struct slice){r->data, r->len}, 0,
                         (struct slice){form, (size_t)len});
    session_rewrite(s, r, &whole);
    buf_free(&whole);
    r->read_form = true;
    r->write = false;
}

/* A node would send a client that can be REDIRECTed to the master: here nobody has to go anywhere. It
 * says OK to what it has never heard of, if it knows the command. */
static void say_nothing_of_redirect(struct session *s, struct request *r)
{
    static const struct slice argv[3] = {{"CLIENT", 6}, {"CAPA", 4}, {"none", 4}};
    struct buf whole = {0};
    resp_append_command(&whole, 3, argv);
    session_rewrite(s, r, &whole);
    buf_free(&whole);
}

/* Once per request, when its command is known. */
static void classify(struct session *s, struct request *r)
{
    const struct command *c = r->command;
    bool script = c->verb == VERB_EVAL || c->verb == VERB_EVALSHA || c->verb == VERB_FCALL;
    if (s->unplaced > 0)
        session_place_refused(s, &r->in_session);
    r->placed = true;
    s->last = c;
    r->silent = (s->reply_off || s->reply_skip) && !session_is_subscribe_verb(c->verb);
    s->reply_skip = false;
    r->script = script;
    r->publishes = (c->verb != VERB_NONE || c->flags & (COMMAND_MAY_REPLICATE | COMMAND_MODULE)) &&
                   session_may_publish(c);
    /* What neither reads nor is harmless may change something: it is never sent twice. */
    r->write = !(c->flags & COMMAND_READONLY) && (script || !(c->flags & COMMAND_READ_PORT));
    r->blocking = c->way == WAY_BLOCK && session_is_blocking(r);
    if (script && s->place.route == ROUTE_REPLICA && !(c->flags & COMMAND_READONLY))
        make_read_only_form(s, r);
    if (c->verb == VERB_INFO)
        session_info_goes(s, r);
    if (c->verb == VERB_SCAN)
        session_scan_comes(s, r);
    if (c->verb == VERB_CLIENT_CAPA && command_arity_ok(c, r->argc))
        say_nothing_of_redirect(s, r);
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
    s->question = learn_ask(s->host->learn, s->host->router, &s->place,
                            s->place.route == ROUTE_REPLICA ? TARGET_REPLICA : TARGET_MASTER, name,
                            on_learnt, s);
    s->learning = r;
    return s->question ? STEP_WAIT : STEP_HOLD;
}

/* An argument, as Redis shows it in an error: up to a NUL, without line ends. */
static void show_argument(struct buf *out, struct slice arg, size_t most)
{
    for (size_t i = 0; i < arg.len && i < most && arg.data[i]; i++) {
        char c = arg.data[i] == '\r' || arg.data[i] == '\n' ? ' ' : arg.data[i];
        buf_append(out, &c, 1);
    }
}

/* In the words of Redis 7.0 (commandCheckExistence in server.c): tools look for them. The node itself is
 * not asked, for it may know it the next moment, and be a master. */
static void say_unknown(struct session *s, struct request *r)
{
    struct buf text = {0};
    struct resp_args args = resp_args(r->data, r->len);
    struct slice name = {NULL, 0}, arg;
    (void)resp_args_next(&args, &name);
    if (r->command->subs) {
        buf_append(&text, "-ERR unknown subcommand '", 25);
        show_argument(&text, session_arg(r, 1), ERROR_ARGS_MAX);
        buf_append(&text, "'. Try ", 7);
        for (size_t i = 0; i < name.len; i++)
            buf_printf(&text, "%c", toupper((unsigned char)name.data[i]));
        buf_append(&text, " HELP.\r\n", 8);
    } else {
        size_t begins;
        buf_append(&text, "-ERR unknown command '", 22);
        show_argument(&text, name, ERROR_ARGS_MAX);
        buf_append(&text, "', with args beginning with: ", 29);
        begins = buf_len(&text);
        while (buf_len(&text) - begins < ERROR_ARGS_MAX && resp_args_next(&args, &arg)) {
            size_t left = ERROR_ARGS_MAX - (buf_len(&text) - begins);
            buf_append(&text, "'", 1);
            show_argument(&text, arg, left);
            buf_append(&text, "' ", 2);
        }
        buf_append(&text, "\r\n", 2);
    }
    session_answer_bytes(s, r, buf_head(&text), buf_len(&text));
    buf_free(&text);
}

static void refuse_on_read_port(struct session *s, struct request *r)
{
    bool container = r->command->subs && r->argc > 1;
    /* Inside MULTI, as Redis does: the transaction cannot be executed any more. */
    if (s->tx == TX_OPEN)
        s->tx_refused = true;
    if (r->command == learn_unknown() || container)
        say_unknown(s, r);
    else if (r->command->subs)
        session_answerf(s, r, "-ERR wrong number of arguments for '%s' command\r\n",
                        r->command->name);
    else
        session_answer(s, r, "-READONLY You can't write against a read only replica.\r\n");
}

static enum step refuse(struct session *s, struct request *r)
{
    if (slice_is(session_arg(r, 0), "post") || slice_is(session_arg(r, 0), "host:")) {
        /* Somebody made a browser talk to us (cross-protocol scripting): Redis hangs up, too. */
        log_event(LOG_WARN, "an HTTP request on a Redis port was cut off", "session=%" PRIu64,
                  s->id);
        session_close(s, "an HTTP request");
        return STEP_ON;
    }
    if (s->tx == TX_OPEN)
        s->tx_refused = true;
    session_answerf(s, r, "-ERR redisproxy: '%s' is not available through the proxy%s\r\n",
                    r->command->name,
                    session_is_replication(r) ? " without allow_replication = yes" : "");
    return STEP_ON;
}

static enum step send_in_any_db(struct session *s, struct request *r)
{
    struct identity *identity =
        identity_with_db(router_identities(s->host->router), s->identity, 0);
    enum step step = session_send_shared(s, r, identity);
    identity_release(identity);
    return step;
}

/* Inside MULTI, and subscribed, Redis has to answer: QUEUED, or that it is not allowed there. */
static bool performs_itself(const struct session *s, uint8_t verb)
{
    if (verb == VERB_QUIT || verb == VERB_RESET)
        return true;
    if (s->tx == TX_OPEN || (session_subscribed(s) && !s->identity->resp3))
        return false;
    return session_verb_is_local(verb) ||
           (!s->lease && s->listener->multiplexing == MULTIPLEXING_YES);
}

static enum step dispatch_one(struct session *s, struct request *r)
{
    const struct command *c;
    if (s->tunnel)
        return session_tunnel_rest(s, r);
    if (s->adopting || s->blocked || s->fanning || s->question || s->asking || s->rejected)
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
    if (c->way == WAY_REFUSE)
        return session_replicates(s, r) ? session_replicate(s, r) : refuse(s, r);
    if ((s->tx != TX_NONE && s->tx != TX_OPEN) ||
        (c->verb == VERB_MULTI && s->tx == TX_NONE && (s->watch_broken || r->doomed)))
        return session_tx_local(s, r);
    if (c->verb == VERB_UNWATCH)
        s->watch_broken = false;
    if (c->way == WAY_SESSION && s->lease && session_subscribing(s))
        return STEP_WAIT; /* a subscriber may not do the same as others */
    if (c->way == WAY_SESSION && s->tx == TX_OPEN && !s->tx_confirmed && !s->tx_lost &&
        s->inflight > 0)
        return STEP_WAIT; /* MULTI may be refused */
    if (c->way == WAY_SESSION && performs_itself(s, c->verb))
        return session_perform(s, r);
    if ((r->publishes || c->verb == VERB_EXEC) && session_waits_for_subscribers(s, r))
        return STEP_HOLD;
    if (c->verb == VERB_SCAN && r->len <= SHARE_MAX)
        return session_send_scan(s, r);
    if (session_needs_lease(s, r) || r->len > SHARE_MAX)
        return session_send_on_lease(s, r);
    if (c->verb == VERB_ANY_DB)
        return send_in_any_db(s, r);
    return session_send_shared(s, r, s->identity);
}

/* The node does not let the session's identity in any more: as when a new connection is refused. */
static void refuse_entry(struct session *s)
{
    if (!s->next) {
        session_close(s, "it is not let in any more");
        return;
    }
    s->next->close_after = s->quitting = true;
    session_answerf(s, s->next, "-%s\r\n", s->place.refusal);
}

/* There is nobody to send to. Returns whether what is next has changed. */
static bool not_now(struct session *s)
{
    const struct request *r = s->next;
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
        return s->next != r;
    }
}

void session_dispatch(struct session *s)
{
    struct request *r;
    enum step step = STEP_ON;
    bool changed = false;
    list_remove(&s->in_woken);
    list_remove(&s->place.in_admission);
    hold_leave(&s->held);
    s->place.entry = ENTRY_NONE;
    if (session_doubts(s))
        step = STEP_WAIT;
    else if (session_wants_resubscribe(s) && s->inflight == 0 && !session_take_lease(s))
        step = STEP_HOLD;
    while (step == STEP_ON && (r = s->next) != NULL && !s->closing && !s->quitting)
        step = dispatch_one(s, r);
    if (s->closing)
        return;
    if (step == STEP_HOLD)
        changed = not_now(s);
    if (!s->closing)
        session_deliver(s);
    list_remove(&s->in_woken);
    if (changed)
        session_mark_woken(s); /* what is next now may need no node, or can have one */
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
