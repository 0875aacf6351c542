/*
 * lease_answers: what an answer on a lease means for its session: is the transaction open now, does the
 * connection have to be kept? And what becomes of a request whose lease failed.
 */
#include "session/lease_answers.h"

#include "nodes/router.h"
#include "session/large.h"
#include "session/lease.h"
#include "session/requests.h"
#include "session/transaction.h"

#include <string.h>

/* Whether EXEC or DISCARD was sent behind a part of a transaction. */
static bool is_ended(const struct session *s, const struct session_request *r)
{
    for (const struct list *it = r->in_session.next; it != &s->queue.requests; it = it->next) {
        const struct session_request *later = session_const_request(it);
        if (later->leased && later->ends_tx && later->state != REQUEST_WAITING)
            return true;
    }
    return false;
}

/* The client was told that a part of its transaction is wrong: EXEC will fail, also on another node,
 * where that part might be right. It is answered in its turn: an EXEC in flight is behind it. */
static void part_refused(struct session *s)
{
    if (s->queue.inflight_ends == 0)
        s->tx.refused = s->tx.dirty = s->tx.state == TX_OPEN;
}

/* Not so if the node did not even know it, as many do not know what libraries ask them for when they
 * connect. Another one may be behind it. */
static void unstick(struct session *s, struct session_request *unknown)
{
    unknown->sticks = false;
    lease_let(&s->lease, LEASE_CHANGED);
    for (struct list *it = unknown->in_session.next; it != &s->queue.requests; it = it->next) {
        struct session_request *r = session_request(it);
        if (r->leased && (r->state == REQUEST_QUEUED || r->state == REQUEST_SENT) &&
            session_keeps_lease(r)) {
            r->sticks = true;
            lease_keep(&s->lease, LEASE_CHANGED);
            break;
        }
    }
}

void session_lease_part_answered(struct session *s, struct session_request *r)
{
    if (r->in_tx && r->reply_type == '-' && !router_is_settled(s->host->router, s->place.group) &&
        session_is_switch_error(buf_head(&r->reply), buf_len(&r->reply))) {
        /* Redis has marked the transaction: EXEC will say EXECABORT, and it is sent again. */
        buf_free(&r->reply);
        buf_append(&r->reply, "+QUEUED\r\n", 9);
        r->reply_type = '+';
        s->tx.rejected = true;
    } else if (r->in_tx && r->reply_type == '-' && !command_is_transaction(r->command->verb)) {
        part_refused(s);
    }
    if (r->reply_type == '-' && !r->in_tx)
        r->logged = false; /* a MULTI that was refused */
}

/* Whether it would have changed what those behind it are to the transaction, had it not been refused. */
static bool was_counted_on(const struct session *s, const struct session_request *r)
{
    bool open = s->tx.confirmed || s->tx.lost, watching = s->tx.watch_confirmed;
    bool opens = open, watches = watching;
    session_tx_apply(r, &opens, &watches);
    return opens != open || watches != watching;
}

void session_lease_answered(struct session *s, struct session_request *r)
{
    session_large_answered(s, r);
    if (r->unknown && r->sticks)
        unstick(s, r);
    if (r->reply_type != '-' || r->command->verb == VERB_EXEC) {
        session_tx_apply(r, &s->tx.confirmed, &s->tx.watch_confirmed);
    } else if (r->command->verb != VERB_NONE &&
               (r->command->way == WAY_LEASE || r->command->way == WAY_SESSION)) {
        /* What was refused had no effect; for certainty the connection is not used again. */
        s->lease.dirty = true;
        if (was_counted_on(s, r))
            session_recount(s);
    }
}

bool session_lease_failed(struct session *s, struct session_request *r, enum request_failure why)
{
    uint8_t verb = r->command->verb;
    if (why == REQUEST_REFUSED)
        return false;
    if (why == REQUEST_UNSENT) {
        if (verb == VERB_MULTI && r->logged && s->tx.refused && !is_ended(s, r))
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
    else if (command_is_transaction(verb))
        session_settle(s, r, "+OK\r\n");
    else
        return false;
    return true;
}
