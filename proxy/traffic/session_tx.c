/*
 * session_tx: a transaction that lost its connection. Until EXEC nothing of it
 * was executed, so it is simply sent again: the session keeps its requests
 * (their answers were +QUEUED) until EXEC is answered, and a fresh lease gets
 * them before anything else.
 *
 * Not sent again, but answered here up to EXEC: a transaction that watched
 * something (EXEC answers nil: it counts as touched), one of which a part was
 * refused by a full hold, and one over TX_LOG_MAX (EXEC answers EXECABORT).
 */
#include "traffic/session_state.h"

#include <string.h>

/* Bytes of one open transaction that are kept. */
#define TX_LOG_MAX ((size_t)16 * 1024 * 1024)

static struct request *in_log(struct list *node)
{
    return container_of(node, struct request, in_session);
}

/* ---- keeping ---- */

static void empty_log(struct session *s)
{
    struct list *node;
    while ((node = list_take(&s->tx_log)))
        request_free(&s->host->turn->requests, in_log(node));
    s->tx_bytes = 0;
    s->tx_logged = true;
}

void session_tx_forget(struct session *s)
{
    empty_log(s);
    s->tx_lost = s->tx_rejected = false;
}

void session_tx_over(struct session *s)
{
    if (s->tx == TX_OPEN) /* the next one: whether it is lost is another matter */
        empty_log(s);
    else
        session_tx_forget(s);
}

void session_tx_keep(struct session *s, struct request *r)
{
    if (r->command->verb == VERB_MULTI)
        empty_log(s); /* parts of one that was given up may have been answered after that */
    if (!s->tx_logged) {
        request_free(&s->host->turn->requests, r);
        return;
    }
    buf_free(&r->reply);
    s->tx_bytes += r->len;
    list_append(&s->tx_log, &r->in_session);
    if (s->tx_bytes > TX_LOG_MAX) {
        session_tx_forget(s);
        s->tx_logged = false;
    }
}

void session_tx_again(struct session *s)
{
    s->tx = TX_OPEN;
    s->tx_lost = true;
    s->tx_rejected = false;
}

void session_tx_lease_lost(struct session *s, bool watching)
{
    if (watching || s->tx_refused || !s->tx_logged) {
        s->tx = watching ? TX_NIL : TX_ABORT;
        session_tx_forget(s);
    } else {
        session_tx_again(s);
    }
}

void session_break_tx(struct session *s)
{
    bool watching = s->watching;
    session_lease_drop(s);
    session_tx_forget(s);
    s->tx = watching ? TX_NIL : TX_ABORT;
    s->watching = false;
}

/* ---- sending again ---- */

/* The answers were given long ago. What goes wrong now, EXEC will tell. */
static void on_copy_reply(struct request *copy, const char *data, size_t len, bool first, bool last)
{
    struct session *s = copy->owner_data;
    if (first && session_is_switch_error(data, len))
        s->tx_rejected = true;
    if (last)
        request_free(&s->host->turn->requests, copy);
}

static void on_copy_failed(struct request *copy, enum request_failure why, const char *text)
{
    struct session *s = copy->owner_data;
    (void)text;
    request_free(&s->host->turn->requests, copy);
    if (s->closing || why != REQUEST_UNSENT || list_empty(&s->tx_log))
        return;
    session_lease_drop(s); /* a part is missing there: all of it goes on the next one */
    session_tx_again(s);
    session_mark_woken(s);
}

static const struct request_owner copy_owner = {on_copy_reply, on_copy_failed};

static void send_copy(struct session *s, const struct request *kept)
{
    struct request *copy = request_new(&s->host->turn->requests, kept->len);
    request_set_bytes(copy, kept->data, kept->len);
    copy->owner = &copy_owner;
    copy->owner_data = s;
    upstream_submit(s->lease, copy);
}

void session_tx_replay(struct session *s)
{
    session_deliver(s); /* what is answered is part of it */
    for (struct list *it = s->tx_log.next; it != &s->tx_log; it = it->next) {
        const struct command *command = in_log(it)->command;
        send_copy(s, in_log(it));
        /* AUTH and kin: with EXEC they change the connection, which is nobody else's then. */
        s->sticky |= command->way == WAY_SESSION ||
                     (command->way == WAY_LEASE && command->verb == VERB_NONE);
    }
    s->tx_lost = false;
    s->tx_confirmed = true;
}

bool session_is_switch_error(const char *reply, size_t len)
{
    static const char *const words[] = {"READONLY ", "LOADING ", "MASTERDOWN ", "NOREPLICAS "};
    static const char abort_of[] = "-EXECABORT Transaction discarded because of: ";
    size_t skip = 1;
    if (len >= sizeof(abort_of) - 1 && memcmp(reply, abort_of, sizeof(abort_of) - 1) == 0)
        skip = sizeof(abort_of) - 1;
    if (len == 0 || reply[0] != '-')
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (len >= skip + strlen(words[i]) && memcmp(reply + skip, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* ---- answered here ---- */

static void answer_broken_exec(struct session *s, struct request *r)
{
    const struct topology_group *view = router_view(s->host->router, s->place.group);
    if (s->tx == TX_NIL)
        session_answer(s, r, session_null_array(s));
    else if (s->tx == TX_BUSY)
        session_answer(s, r, "-EXECABORT Transaction discarded because of previous errors.\r\n");
    else if (s->tx == TX_UNHELD)
        session_answer(
            s, r,
            "-EXECABORT Transaction discarded because of: redisproxy: a part of it could "
            "not be held\r\n");
    else if (view && view->master >= 0)
        session_answerf(s, r,
                        "-EXECABORT Transaction discarded because of: redisproxy: the master of %s "
                        "changed, it is now %s\r\n",
                        view->name, view->nodes[view->master].name);
    else
        session_answerf(s, r,
                        "-EXECABORT Transaction discarded because of: redisproxy: the master of %s "
                        "changed\r\n",
                        router_group(s->host->router, s->place.group)->name);
}

enum step session_tx_local(struct session *s, struct request *r)
{
    uint8_t verb = r->command->verb;
    if (!command_arity_ok(r->command, r->argc)) {
        session_answerf(s, r, "-ERR wrong number of arguments for '%s' command\r\n",
                        r->command->name);
        return STEP_ON;
    }
    switch (verb) {
    case VERB_MULTI:
        if (s->tx == TX_NONE) { /* what it watched was lost, or a part of it could not be held */
            if (s->inflight > 0)
                return STEP_WAIT; /* what is in flight may have to be sent again, outside of it */
            if (r->doomed)
                session_break_tx(s);
            s->tx = r->doomed ? TX_UNHELD : TX_NIL;
            session_answer(s, r, "+OK\r\n");
        } else {
            session_answer(s, r, "-ERR MULTI calls can not be nested\r\n");
        }
        return STEP_ON;
    case VERB_EXEC:
        answer_broken_exec(s, r);
        break;
    case VERB_DISCARD:
        session_answer(s, r, "+OK\r\n");
        break;
    case VERB_QUIT:
    case VERB_RESET:
        return session_perform(s, r);
    default:
        session_answer(s, r, "+QUEUED\r\n");
        return STEP_ON;
    }
    s->tx = TX_NONE;
    s->watch_broken = s->tx_refused = false;
    return STEP_ON;
}
