/* transaction: see the header. */
#include "session/transaction.h"

#include "session/lease.h"

/* ---- as of a request ---- */

void session_tx_apply(const struct session_request *r, bool *open, bool *watching)
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

/* What it is to a transaction that is `open` when it comes to the node. */
void session_tx_mark(struct session_request *r, bool open)
{
    uint8_t verb = r->command->verb;
    r->in_tx = open && verb != VERB_EXEC && verb != VERB_DISCARD && verb != VERB_MULTI;
    r->logged = r->in_tx || (verb == VERB_MULTI && !open && command_arity_ok(r->command, r->argc));
}

/* After requests were taken back from the lease, or a MULTI was refused: what is it that was really
 * sent? */
void session_recount(struct session *s)
{
    bool open = s->tx.confirmed || s->tx.lost, watching = s->tx.watch_confirmed;
    for (struct list *it = s->queue.requests.next; it != &s->queue.requests; it = it->next) {
        struct session_request *r = session_request(it);
        if (!r->leased || (r->state != REQUEST_QUEUED && r->state != REQUEST_SENT))
            continue;
        session_tx_mark(r, open);
        session_tx_apply(r, &open, &watching);
    }
    if (s->tx.state == TX_OPEN || s->tx.state == TX_NONE)
        session_tx_enter(s, open ? TX_OPEN : TX_NONE);
    s->tx.refused &= open;
    session_tx_watch(s, watching);
}

/* ---- keeping ---- */

void session_tx_forget(struct session *s)
{
    tx_forget(&s->tx, session_pool(s));
}

void session_tx_over(struct session *s)
{
    if (s->tx.state == TX_OPEN) /* the next one: whether it is lost is another matter */
        tx_empty_log(&s->tx, session_pool(s));
    else
        session_tx_forget(s);
}

void session_tx_again(struct session *s)
{
    if (tx_answered_here(&s->tx))
        return; /* it was given up meanwhile: its EXEC hears that */
    session_tx_enter(s, TX_OPEN);
    s->tx.lost = true;
    s->tx.rejected = false;
}

void session_tx_lease_lost(struct session *s, bool watching)
{
    if (watching || s->tx.refused || !s->tx.logged) {
        session_tx_enter(s, watching ? TX_NIL : TX_ABORT);
        session_tx_forget(s);
    } else {
        session_tx_again(s);
    }
}

void session_give_up_tx(struct session *s, enum tx state)
{
    session_lease_drop(s);
    session_tx_forget(s);
    session_tx_enter(s, state);
    session_tx_watch(s, false);
}

void session_break_tx(struct session *s)
{
    session_give_up_tx(s, s->tx.watching ? TX_NIL : TX_ABORT);
}

bool session_is_switch_error(const char *reply, size_t len)
{
    static const char *const words[] = {"READONLY ", "LOADING ", "MASTERDOWN ", "NOREPLICAS "};
    static const char abort_of[] = "-EXECABORT Transaction discarded because of: ";
    size_t skip = 1;
    if (resp_starts(reply, len, abort_of))
        skip = sizeof(abort_of) - 1;
    if (len == 0 || reply[0] != '-')
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (len >= skip && resp_starts(reply + skip, len - skip, words[i]))
            return true;
    return false;
}
