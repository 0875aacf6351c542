/*
 * replies: what comes back, and which reply is next.
 *
 * A node may reject a request without executing it (READONLY, LOADING, ...).
 * Then nothing more is sent until what is in flight is answered, and only then
 * it is decided: if no later write was executed, the rejected request and what
 * follows it are sent again; otherwise the rejection is the answer (decision 3).
 */
#include "session/replies.h"

#include "base/log.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/blocking.h"
#include "session/client.h"
#include "session/copies.h"
#include "session/hooks.h"
#include "session/large.h"
#include "session/lease.h"
#include "session/lease_answers.h"
#include "session/life.h"
#include "session/output.h"
#include "session/output_bound.h"
#include "session/requests.h"
#include "session/slowlog.h"
#include "session/transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A reply that is kept whole counts from here on, with all others that are (output_bound.h). */
#define KEPT_MIN ((size_t)16 * 1024)

/* Redis' words for who was ended by CLIENT UNBLOCK ERROR: others follow the first one, too. */
#define UNBLOCKED "-UNBLOCKED client unblocked "

/* A read that its node does not answer but ends the connection is sent again less often than this. */
#define ENDS_MAX 5

/* Hands out the replies whose turn it is. */
void session_deliver(struct session *s)
{
    struct list *node;
    bool delivered = false;
    if (life_closing(&s->life))
        return;
    while ((node = s->queue.requests.next) != &s->queue.requests) {
        struct session_request *r = session_request(node);
        if (r->state != REQUEST_ANSWERED || r->copies)
            break;
        if (s->queue.unclassified > 0)
            session_classify_refused(s, r);
        if (!r->silent && buf_len(&r->reply) > 0)
            session_put(s, buf_head(&r->reply), buf_len(&r->reply));
        request_count(s, r);
        if (r->close_after)
            life_advance(&s->life, LIFE_SAID_ALL);
        if (s->tx.refused_multi == r)
            s->tx.refused_multi = NULL;
        queue_remove(&s->queue, r);
        slowlog_delivered(s, r);
        if (r->logged) {
            tx_log(&s->tx, session_pool(s), r);
        } else {
            if (r->ends_tx)
                session_tx_over(s);
            session_request_free(session_pool(s), r);
        }
        delivered = true;
    }
    if (!delivered)
        return;
    session_mark_dirty(s);
    if (s->special.unrenewed)
        each_carried(s, delivered);
}

/* Did the node refuse to execute it, for a reason that a switch will mend? */
static bool is_rejection(const struct session *s, const struct session_request *r, const char *data,
                         size_t len)
{
    const struct topology_group *view = router_view(s->host->router, s->place.group);
    /* A script, or a module, may have executed a part, and may say what it likes; a transaction has its
     * own rule. */
    if (r->script || r->login || r->in_tx || (r->write && (r->command->flags & COMMAND_MODULE)))
        return false;
    if (r->ends_tx)
        return resp_starts(data, len, "-EXECABORT ") && s->tx.logged && !r->discards && view &&
               (view->settling || !view->writable) &&
               (s->tx.rejected || session_is_switch_error(data, len));
    if (resp_starts(data, len, "-READONLY ") || resp_starts(data, len, "-LOADING ") ||
        resp_starts(data, len, "-MASTERDOWN "))
        return true;
    if (resp_starts(data, len, "-NOREPLICAS "))
        return view && (view->settling || !view->writable);
    if (resp_starts(data, len, "-UNBLOCKED force unblock"))
        return r->blocking;
    return resp_starts(data, len, UNBLOCKED) && session_is_taken_back(s, r);
}

/* The node has no such command: it did nothing. In Redis' words, from 6.2 on. */
static bool is_unknown(const char *data, size_t len)
{
    return resp_starts(data, len, "-ERR unknown command") ||
           resp_starts(data, len, "-ERR unknown subcommand") ||
           resp_starts(data, len, "-ERR Unknown subcommand");
}

/* The node did nothing, for its user may not. A script may say the same, of what it tried. */
static bool is_denied(const char *data, size_t len)
{
    return resp_starts(data, len, "-NOAUTH ") || resp_starts(data, len, "-NOPERM ");
}

/* It is EVAL_RO, or one of its kin, that the node does not have, and not something that the script named. */
static bool names_read_form(const char *data, size_t len)
{
    const char *end = memchr(data, ',', len);
    return end && memmem(data, (size_t)(end - data), "_RO", 3) != NULL;
}

/* A MULTI, EXEC, ... whose connection was lost, and which was answered for that: for what follows, it has happened. */
static bool began_or_ended_tx(const struct session_request *r)
{
    return r->leased && command_is_transaction(r->command->verb);
}

/* All that was in flight is answered: what of the rejected ones? Overtaken they are by a write, and
 * by whatever changed the connection (SELECT, MULTI, ...). */
static void decide_rejected(struct session *s)
{
    struct session_request *first = NULL;
    bool overtaken = false;
    for (struct list *it = s->queue.requests.next; it != &s->queue.requests; it = it->next) {
        struct session_request *r = session_request(it);
        if (!first && r->state == REQUEST_REJECTED)
            first = r;
        else if (first && r->state == REQUEST_ANSWERED && (r->executed || began_or_ended_tx(r)))
            overtaken |=
                !r->verb->repeatable && (r->write || r->in_tx || r->command->verb != VERB_NONE);
    }
    for (struct list *it = &first->in_session; it != &s->queue.requests; it = it->next) {
        struct session_request *r = session_request(it);
        if (r->state != REQUEST_REJECTED && !(r->state == REQUEST_ANSWERED && r->executed))
            continue;
        if (!overtaken && r->ends_tx)
            session_tx_again(s);
        if (overtaken)
            queue_move(&s->queue, r, REQUEST_ANSWERED);
        else
            session_wait_again(
                s, r,
                RETRY_REJECTED); /* reads behind it were answered too early: their turn comes again */
    }
    session_mark_woken(s);
}

/* A request left its upstream. */
static inline void landed(struct session *s, struct session_request *r, enum request_state state)
{
    queue_move(&s->queue, r, state);
    if (!barrier_stands(&s->barrier))
        return;
    barrier_lower(&s->barrier, BARRIER_BLOCKED, r);
    barrier_lower(&s->barrier, BARRIER_LOGIN, r);
}

static void all_landed(struct session *s)
{
    if (s->queue.inflight > 0 || life_closing(&s->life))
        return;
    if (s->queue.rejected > 0)
        decide_rejected(s);
    session_lease_settle(s);
}

/* It may have changed who is let in, or will, at EXEC. */
static void rights_change(struct session *s, const struct session_request *r)
{
    if (r->in_tx)
        s->tx.rights = true;
    else
        router_rights_changed(s->host->router, s->place.group);
    if (r->ends_tx)
        s->tx.rights = false;
}

static void answered(struct session *s, struct session_request *r, struct upstream *up)
{
    r->upstream = NULL;
    if (r->rejecting) {
        const char *reply = buf_head(&r->reply);
        size_t len = buf_len(&r->reply);
        landed(s, r, REQUEST_REJECTED);
        s->lease.unblocks -= resp_starts(reply, len, UNBLOCKED);
        if (!resp_starts(reply, len, "-UNBLOCKED "))
            router_rejected(s->host->router, s->place.group, up,
                            resp_starts(reply, len, "-READONLY "));
    } else {
        landed(s, r, REQUEST_ANSWERED);
        r->executed = true;
        s->client.served |= !r->denied;
        if (up == s->lease.upstream)
            session_lease_part_answered(s, r);
        if ((r->command->flags & COMMAND_RIGHTS || (r->ends_tx && s->tx.rights)) &&
            !session_was_refused(s, r))
            rights_change(s, r);
        if (r->verb->answered)
            r->verb->answered(s, r, up);
        if (up == s->lease.upstream)
            session_lease_answered(s, r);
    }
    if (r->copies)
        copies_answered(r);
    if (!r->copies)
        barrier_lower(&s->barrier, BARRIER_COPIES, r);
    all_landed(s);
    if (life_closing(&s->life))
        return;
    session_deliver(s);
    session_resume_early(s);
    if (s->queue.next)
        session_mark_woken(s);
}

/* What the node's error means. (Of a reply that is none, nothing of this is said.) */
__attribute__((noinline)) static void error_begins(struct session *s, struct session_request *r,
                                                   const char *data, size_t len)
{
    r->rejecting = is_rejection(s, r, data, len);
    r->unknown = is_unknown(data, len);
    r->denied = is_denied(data, len);
    r->capture |= r->unknown && r->read_form && names_read_form(data, len);
}

static void on_reply(struct request *wire, const char *data, size_t len, bool first, bool last)
{
    struct session_request *r = session_request_of(wire);
    struct session *s = r->owner_data;
    struct upstream *up = r->upstream;
    bool head = s->queue.requests.next == &r->in_session;

    if (first) {
        r->reply_type = data[0];
        if (__builtin_expect(data[0] == '-', 0))
            error_begins(s, r, data, len);
        else if (r->verb->begins && !r->in_tx)
            r->page_begins = true;
    }
    r->reply_len += len;
    if (r->page_lost) {
        /* another page was put in its place */
    } else if (!head || r->rejecting || r->capture || r->copies || r->in_tx || r->page_begins) {
        buf_append(&r->reply, data, len);
        if (r->page_begins)
            r->verb->begins(s, r, up);
        if (!last && buf_len(&r->reply) > KEPT_MIN && !session_bound_output(s))
            return;
    } else if (!r->silent) {
        if (buf_len(&r->reply) > 0) {
            session_put(s, buf_head(&r->reply), buf_len(&r->reply));
            buf_free(&r->reply);
        }
        session_stream(s, data, len);
        r->streaming = true;
    }
    if (!last && r->reply_len > LARGE_REPLY)
        session_large_reply(s, r, up);
    if (!head && last)
        request_answered_early(s, r);
    if (last)
        answered(s, r, up);
    else if (!head)
        session_throttle_early(s, r);
    if (!life_closing(&s->life))
        session_throttle(s, up, last ? 0 : r->reply_len);
}

/* Sent, and certainly not executed: the node was shutting down, and paused what may change data or
 * goes to replicas (is_may_replicate_command in Redis' server.c). A transaction without such a
 * command may have been executed: it is harmless twice. */
static bool is_undone(const struct session_request *r)
{
    uint16_t paused = COMMAND_WRITE | COMMAND_MAY_REPLICATE;
    return upstream_is_undone(r->upstream) &&
           ((r->command->flags & paused) || r->in_tx || command_is_transaction(r->command->verb) ||
            r->command->verb == VERB_WAIT);
}

/* The node does not let the session's identity in. If it did before, its password was changed, or
 * the user is gone, and the client has to come in anew: on this connection it never would. */
static void refused(struct session *s, struct session_request *r, const char *text)
{
    char line[ERROR_LINE_MAX + 4];
    snprintf(line, sizeof(line), "-%s\r\n", text);
    router_rights_refused(s->host->router, s->place.group);
    router_login_ended(s->host->router, &s->place, false);
    if (!r->login)
        session_quits(s, r);
    session_settle(s, r, line);
}

/* It would have been sent again, and is the reason for which its connections end: a reply over the node's
 * client-output-buffer-limit, for example. Redis' own client is disconnected then. */
static bool ends_connections(struct session *s, const struct session_request *r)
{
    if (r->ends < ENDS_MAX)
        return false;
    session_disconnect(s, CLOSED_NODE, "the node ends the connection instead of answering");
    return true;
}

static void on_failed(struct request *wire, enum request_failure why, const char *text)
{
    struct session_request *r = session_request_of(wire);
    struct session *s = r->owner_data;

    if (why == REQUEST_LOST && !s->identity->outside &&
        (r->command->flags & COMMAND_RIGHTS || (r->ends_tx && s->tx.rights)))
        rights_change(s, r); /* perhaps */
    if (why == REQUEST_LOST && (r->unbegun || is_undone(r)))
        why = REQUEST_UNSENT;
    r->unbegun = false;
    if (why == REQUEST_LOST)
        session_suspect(s, r);
    if (s->queue.requests.next != &r->in_session)
        request_answered_early(s, r);
    landed(s, r, REQUEST_ANSWERED); /* what it becomes is decided below */
    if (s->client.paused == r->upstream && why == REQUEST_LOST)
        s->client.paused = NULL;
    if (s->client.early == r->upstream && why == REQUEST_LOST)
        s->client.early = NULL;
    r->upstream = NULL;
    session_forget_copies(s, r);
    if (r->streaming) {
        session_close(s, CLOSED_NODE, "a reply was cut short: the connection to the node was lost");
        return;
    }
    if (why == REQUEST_LOST && !r->write && ends_connections(s, r))
        return;
    if (r->leased && session_lease_failed(s, r, why)) {
        session_mark_woken(s);
    } else if (why == REQUEST_REFUSED && r->command->verb == VERB_MULTI &&
               resp_starts(text, strlen(text), "BUSY ")) {
        /* Redis takes a MULTI while it is busy, and nothing that follows: EXEC says so. */
        session_settle(s, r, "+OK\r\n");
        session_tx_enter(s, TX_BUSY);
    } else if (why == REQUEST_REFUSED) {
        refused(s, r, text);
    } else if (why == REQUEST_UNSENT || !r->write) {
        session_wait_again(s, r, why == REQUEST_UNSENT ? RETRY_UNSENT : RETRY_LOST);
    } else {
        session_outcome_unknown(s, r,
                                "-ERR redisproxy: outcome unknown, the connection to the master "
                                "was lost after the command was sent\r\n");
    }
    all_landed(s);
    if (!life_closing(&s->life))
        session_resume_early(s);
}

/* A read before a write of its own session has to stay: elsewhere it would see that write. */
static bool may_be_sent_again(const struct request *wire)
{
    const struct session_request *r = session_request_of_const(wire);
    const struct session *s = r->owner_data;
    return !queue_writes_behind(&s->queue, r);
}

const struct request_owner session_owner = {on_reply, on_failed, may_be_sent_again};
