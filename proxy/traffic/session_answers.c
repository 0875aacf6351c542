/*
 * session_answers: what comes back, and which reply is next.
 *
 * A node may reject a request without executing it (READONLY, LOADING, ...).
 * Then nothing more is sent until what is in flight is answered, and only then
 * it is decided: if no later write was executed, the rejected request and what
 * follows it are sent again; otherwise the rejection is the answer (decision 3).
 */
#include "traffic/session_state.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A reply this long, to a client that does not read, costs its upstream the sharing. */
#define LARGE_REPLY ((size_t)1024 * 1024)
/* This long, to one that does: others would wait for some ms. */
#define HUGE_REPLY ((size_t)4 * 1024 * 1024)
/* Pieces of a reply from this size on are not copied if they need not be. */
#define DIRECT_MIN ((size_t)16 * 1024)
/* So do this many times output_high of small ones. */
#define OUTPUT_FACTOR 32
/* Redis' words for who was ended by CLIENT UNBLOCK ERROR: others follow the first one, too. */
#define UNBLOCKED "-UNBLOCKED client unblocked "
/* And this many times of replies that come before their turn: on another connection than the first. */
#define EARLY_FACTOR 8
#define EARLY_MIN 16384
/* A read that its node does not answer but ends the connection is sent again less often than this. */
#define ENDS_MAX 5

static struct request *in_list(struct list *node)
{
    return container_of(node, struct request, in_session);
}

static struct request_pool *pool_of(struct session *s)
{
    return &s->host->turn->requests;
}

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
        if (s->unplaced > 0)
            session_place_refused(s, node->next);
        if (!r->silent && buf_len(&r->reply) > 0)
            session_put(s, buf_head(&r->reply), buf_len(&r->reply));
        if (r->close_after)
            s->last_words = s->said_all = true;
        if (s->refused_multi == r)
            s->refused_multi = NULL;
        list_remove(&r->in_session);
        s->count--;
        s->writes -= r->maybe_write;
        if (r->logged) {
            session_tx_keep(s, r);
        } else {
            if (r->ends_tx)
                session_tx_over(s);
            request_free(pool_of(s), r);
        }
        delivered = true;
    }
    if (!delivered)
        return;
    session_mark_dirty(s);
    if (s->unrenewed)
        session_look_renewed(s);
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
    /* A script, or a module, may have executed a part, and may say what it likes; a transaction has its
     * own rule. */
    if (r->script || r->login || r->in_tx || (r->write && (r->command->flags & COMMAND_MODULE)))
        return false;
    if (r->ends_tx)
        return starts(data, len, "-EXECABORT ") && s->tx_logged && !r->discards && view &&
               (view->settling || !view->writable) &&
               (s->tx_rejected || session_is_switch_error(data, len));
    if (starts(data, len, "-READONLY ") || starts(data, len, "-LOADING ") ||
        starts(data, len, "-MASTERDOWN "))
        return true;
    if (starts(data, len, "-NOREPLICAS "))
        return view && (view->settling || !view->writable);
    if (starts(data, len, "-UNBLOCKED force unblock"))
        return r->blocking;
    return starts(data, len, UNBLOCKED) && session_is_taken_back(s, r);
}

/* The node has no such command: it did nothing. In Redis' words, from 6.2 on. */
static bool is_unknown(const char *data, size_t len)
{
    return starts(data, len, "-ERR unknown command") ||
           starts(data, len, "-ERR unknown subcommand") ||
           starts(data, len, "-ERR Unknown subcommand");
}

/* It is EVAL_RO, or one of its kin, that the node does not have, and not something that the script named. */
static bool names_read_form(const char *data, size_t len)
{
    const char *end = memchr(data, ',', len);
    return end && memmem(data, (size_t)(end - data), "_RO", 3) != NULL;
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
                         r->command->verb != VERB_SCAN &&       /* reads */
                         r->command->verb != VERB_PUBSUB &&     /* asks */
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
            request_move(r, REQUEST_ANSWERED);
        else
            session_wait_again(
                s, r); /* reads behind it were answered too early: their turn comes again */
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

/* It may have changed who is let in, or will, at EXEC. */
static void rights_change(struct session *s, const struct request *r)
{
    if (r->in_tx)
        s->tx_rights = true;
    else
        router_rights_changed(s->host->router, s->place.group);
    if (r->ends_tx)
        s->tx_rights = false;
}

static void answered(struct session *s, struct request *r, struct upstream *up)
{
    landed(s, r);
    r->upstream = NULL;
    if (r->rejecting) {
        const char *reply = buf_head(&r->reply);
        size_t len = buf_len(&r->reply);
        request_move(r, REQUEST_REJECTED);
        s->rejected++;
        s->unblocks -= starts(reply, len, UNBLOCKED);
        if (!starts(reply, len, "-UNBLOCKED "))
            router_rejected(s->host->router, s->place.group, up, starts(reply, len, "-READONLY "));
    } else {
        request_move(r, REQUEST_ANSWERED);
        r->executed = true;
        if (r->login)
            session_adopted(s, r, up);
        if (r->command->flags & COMMAND_RIGHTS || (r->ends_tx && s->tx_rights))
            rights_change(s, r);
        if (r->capture)
            session_rewrite_reply(s, r, up);
        if (up == s->lease)
            session_lease_answered(s, r);
    }
    if (s->fanning == r && !r->fan)
        s->fanning = NULL;
    all_landed(s);
    if (s->closing)
        return;
    session_deliver(s);
    session_resume_early(s);
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
    if (s->closing || s->paused || up == s->early || buf_len(&s->out) <= high)
        return;
    if (up == s->lease || so_far > LARGE_REPLY ||
        (so_far && buf_len(&s->out) > high * OUTPUT_FACTOR)) {
        s->paused = up;
        upstream_stop_reading(up, s);
    }
}

/* A large piece that nothing waits before goes to the client from where it is, as far as it is taken.
 * What is wrong with the connection, the flush will find. */
static void stream_on(struct session *s, const char *data, size_t len)
{
    struct iovec part = {(char *)data, len};
    ssize_t n = 0;
    if (len >= DIRECT_MIN && buf_len(&s->out) == 0)
        n = stream_write(&s->stream, &part, 1);
    if (n < 0)
        n = 0;
    if ((size_t)n < len)
        session_put(s, data + n, len - (size_t)n);
}

static size_t bytes_kept(const struct session *s)
{
    size_t sum = 0;
    for (const struct list *it = s->requests.next; it != &s->requests; it = it->next)
        sum += buf_len(&container_of(it, struct request, in_session)->reply);
    return sum;
}

/* Whether what comes from there waits for the first request's reply from elsewhere. If that one is to be
 * sent again, it does not: all that is in flight may have to land first. */
static bool is_early(const struct session *s, const struct upstream *up)
{
    const struct request *head = in_list(s->requests.next);
    return s->requests.next != &s->requests && head->upstream && head->upstream != up;
}

/* A reply goes on that has to wait for its turn: a large one waits in the kernel and at its node. */
static void throttle_early(struct session *s, const struct request *r)
{
    if (s->early || r->upstream == s->lease || r->reply_len < EARLY_MIN ||
        !is_early(s, r->upstream) || bytes_kept(s) <= s->host->options->output_high * EARLY_FACTOR)
        return;
    s->early = r->upstream;
    upstream_stop_reading(s->early, s);
}

void session_resume_early(struct session *s)
{
    if (!s->early || is_early(s, s->early))
        return;
    if (s->early != s->paused)
        upstream_pause(s->early, false);
    s->early = NULL;
}

static void on_reply(struct request *r, const char *data, size_t len, bool first, bool last)
{
    struct session *s = r->owner_data;
    struct upstream *up = r->upstream;
    bool head = s->requests.next == &r->in_session;

    if (first) {
        r->reply_type = data[0];
        r->rejecting = data[0] == '-' && is_rejection(s, r, data, len);
        r->unknown = data[0] == '-' && is_unknown(data, len);
        r->page_begins = r->command->verb == VERB_SCAN && data[0] != '-' && !r->in_tx;
        r->page_lost = false;
        r->capture |= r->unknown && r->read_form && names_read_form(data, len);
    }
    r->reply_len += len;
    if (r->page_lost) {
        /* another page was put in its place */
    } else if (!head || r->rejecting || r->capture || r->fan || r->in_tx || r->page_begins) {
        buf_append(&r->reply, data, len);
        if (r->page_begins)
            session_scan_answers(s, r, up);
    } else if (!r->silent) {
        if (buf_len(&r->reply) > 0) {
            session_put(s, buf_head(&r->reply), buf_len(&r->reply));
            buf_free(&r->reply);
        }
        stream_on(s, data, len);
        r->streaming = true;
    }
    if (!last && r->reply_len > HUGE_REPLY)
        upstream_unshare(up, s, "a reply is very large");
    if (last)
        answered(s, r, up);
    else if (!head)
        throttle_early(s, r);
    if (!s->closing)
        throttle(s, up, last ? 0 : r->reply_len);
}

void session_settle(struct session *s, struct request *r, const char *reply)
{
    buf_free(&r->reply);
    if (reply)
        buf_append(&r->reply, reply, strlen(reply));
    request_move(r, REQUEST_ANSWERED);
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

/* Sent, and certainly not executed: the node was shutting down, and paused what may change data or
 * goes to replicas (is_may_replicate_command in Redis' server.c). A transaction without such a
 * command may have been executed: it is harmless twice. */
static bool is_undone(const struct request *r)
{
    uint16_t paused = COMMAND_WRITE | COMMAND_MAY_REPLICATE;
    return upstream_is_undone(r->upstream) &&
           ((r->command->flags & paused) || r->in_tx || session_is_tx_verb(r->command->verb) ||
            r->command->verb == VERB_WAIT);
}

/* The node does not let the session's identity in. If it did before, its password was changed, or
 * the user is gone, and the client has to come in anew: on this connection it never would. */
static void refused(struct session *s, struct request *r, const char *text)
{
    char line[ERROR_LINE_MAX + 4];
    snprintf(line, sizeof(line), "-%s\r\n", text);
    router_rights_refused(s->host->router, s->place.group);
    if (!r->login)
        r->close_after = s->quitting = true;
    session_settle(s, r, line);
}

/* It would have been sent again, and is the reason for which its connections end: a reply over the node's
 * client-output-buffer-limit, for example. Redis' own client is disconnected then. */
static bool ends_connections(struct session *s, const struct request *r)
{
    if (r->ends < ENDS_MAX)
        return false;
    session_disconnect(s, "the node ends the connection instead of answering");
    return true;
}

static void on_failed(struct request *r, enum request_failure why, const char *text)
{
    struct session *s = r->owner_data;

    if (why == REQUEST_LOST && (r->command->flags & COMMAND_RIGHTS || (r->ends_tx && s->tx_rights)))
        rights_change(s, r); /* perhaps */
    if (why == REQUEST_LOST && (r->unbegun || is_undone(r)))
        why = REQUEST_UNSENT;
    r->unbegun = false;
    landed(s, r);
    request_move(r,
                 REQUEST_ANSWERED); /* it is nowhere any more; what it becomes is decided below */
    if (s->paused == r->upstream && why == REQUEST_LOST)
        s->paused = NULL;
    if (s->early == r->upstream && why == REQUEST_LOST)
        s->early = NULL;
    r->upstream = NULL;
    session_forget_copies(s, r);
    if (r->streaming) {
        session_close(s, "a reply was cut short: the connection to the node was lost");
        return;
    }
    if (why == REQUEST_LOST && !r->write && ends_connections(s, r))
        return;
    if (r->leased && session_lease_failed(s, r, why)) {
        session_mark_woken(s);
    } else if (why == REQUEST_REFUSED && r->command->verb == VERB_MULTI &&
               starts(text, strlen(text), "BUSY ")) {
        /* Redis takes a MULTI while it is busy, and nothing that follows: EXEC says so. */
        session_settle(s, r, "+OK\r\n");
        s->tx = TX_BUSY;
    } else if (why == REQUEST_REFUSED) {
        refused(s, r, text);
    } else if (why == REQUEST_UNSENT || !r->write) {
        session_wait_again(s, r);
    } else {
        session_outcome_unknown(s, r,
                                "-ERR redisproxy: outcome unknown, the connection to the master "
                                "was lost after the command was sent\r\n");
    }
    all_landed(s);
    if (!s->closing)
        session_resume_early(s);
}

const struct request_owner session_owner = {on_reply, on_failed};
