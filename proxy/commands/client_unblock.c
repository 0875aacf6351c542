/*
 * client_unblock: CLIENT UNBLOCK id ends the blocking command of another client. The id is that of a session, of any
 * worker; the node knows the connection on which the command blocks, which is that session's lease. So
 * the lease's id at the node is found out, and takes the session's place in the command, which then goes to the
 * node in the name of the client that sent it.
 *
 * An id that is no session's goes to the node as it is. A session that blocks at another node, or at none, is
 * answered as Redis answers for a client that does not block: 0.
 */
#include "commands/client_unblock.h"

#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/leasing.h"
#include "session/question.h"
#include "session/requests.h"
#include "session/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The session that is to be unblocked, and the node to which the command will go. */
struct blocked {
    uint64_t session, node;
    size_t group;
    bool error;       /* CLIENT UNBLOCK id ERROR */
    uint64_t at_node; /* the id of its lease there; 0: it does not block there, or does not exist */
};

/* The question to the worker that has the session. */
struct unblock_inquiry {
    struct inquiry inquiry;
    struct blocked blocked;
};

/* Reads the id of a session. Returns false for a number below those, which is a connection's at the node, and for
 * what is no number, about which Redis will complain. */
static bool session_id(struct slice text, uint64_t *id)
{
    int64_t number;
    if (!resp_parse_integer(text, &number) || number < (int64_t)SESSION_ID_BASE)
        return false;
    *id = (uint64_t)number;
    return true;
}

/* Looks for the session among those of this worker. When it is found, it will be unblocked. */
static void find_blocked(struct session_host *host, struct blocked *blocked)
{
    struct session *other = session_find(host, blocked->session);
    if (!other || !barrier_of(&other->barrier, BARRIER_BLOCKED) || !other->lease.upstream ||
        other->place.group != blocked->group ||
        upstream_node(other->lease.upstream) != blocked->node)
        return;
    blocked->at_node = upstream_client_id(other->lease.upstream);
    barrier_of(&other->barrier, BARRIER_BLOCKED)->called_back |= blocked->error;
    other->lease.dirty = true; /* an UNBLOCK that comes late must not end the next one's */
}

static struct upstream *way_to_node(struct session *s, const struct session_request *r)
{
    struct upstream *up = s->lease.upstream;
    if (!up)
        up = router_shared(s->host->router, &s->place, session_target_role(s, r), s->identity);
    return up && router_may_send(s->host->router, up) ? up : NULL;
}

static void unblock(struct session *s, struct session_request *r, struct upstream *up,
                    uint64_t at_node)
{
    struct buf bytes = {0};
    char text[24];
    if (at_node == 0) {
        session_answer(s, r, ":0\r\n"); /* the session does not block there, or does no longer */
        return;
    }
    snprintf(text, sizeof(text), "%" PRIu64, at_node);
    struct slice argv[4] = {{"CLIENT", 6}, {"UNBLOCK", 7}, {text, strlen(text)}, session_arg(r, 3)};
    resp_append_command(&bytes, r->argc, argv);
    session_rewrite(s, r, &bytes);
    buf_free(&bytes);
    session_send(s, r, up);
}

/* ---- a session of another worker ---- */

static bool visit(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *there = session_host_at(stop);
    find_blocked(there, &container_of(relay, struct unblock_inquiry, inquiry.relay)->blocked);
    return true;
}

static void worker_answered(struct session *s, struct session_request *r, struct inquiry *inquiry)
{
    const struct blocked *blocked =
        &container_of(inquiry, struct unblock_inquiry, inquiry)->blocked;
    struct upstream *up = way_to_node(s, r);
    if (up && upstream_node(up) == blocked->node)
        unblock(s, r, up, blocked->at_node);
    /* Otherwise there was a switch meanwhile: the command is dispatched, or held, and asks again. */
}

static void free_inquiry(struct inquiry *inquiry)
{
    free(container_of(inquiry, struct unblock_inquiry, inquiry));
}

static void ask_worker(struct session *s, const struct session_request *r,
                       const struct blocked *blocked)
{
    struct unblock_inquiry *q = calloc(1, sizeof(*q));
    if (!q)
        abort();
    q->blocked = *blocked;
    q->inquiry.told = worker_answered;
    q->inquiry.free = free_inquiry;
    session_inquire(s, &q->inquiry, r);
    session_ask_worker(&q->inquiry,
                       session_worker_of(blocked->session, s->host->stop.shared->worker_count),
                       visit);
}

static enum step unblock_session(struct session *s, struct session_request *r)
{
    struct blocked blocked = {.group = s->place.group,
                              .error = slice_is(session_arg(r, 3), "error")};
    struct upstream *up;
    bool ours = session_id(session_arg(r, 2), &blocked.session);
    if (!ours && !r->retried)
        return s->lease.upstream ? session_send_on_lease(s, r)
                                 : session_send_shared(s, r, s->identity);
    up = way_to_node(s, r);
    if (!up)
        return STEP_HOLD;
    if (!session_in_order(s, r, up))
        return STEP_WAIT;
    blocked.node = upstream_node(up);
    if (!r->retried && session_is_elsewhere(s->host, blocked.session)) {
        ask_worker(s, r, &blocked);
        return STEP_WAIT;
    }
    if (!r->retried)
        find_blocked(s->host, &blocked);
    unblock(s, r, up, blocked.at_node);
    return STEP_ON;
}

static void let_in_answered(struct session *s, struct session_request *r,
                            const struct upstream *from, struct slice reply)
{
    (void)from;
    if (!s->auth_not_needed)
        session_answer_bytes(s, r, reply.data, reply.len);
}

/* Where a password is asked for, Redis answers NOAUTH to a client that has not logged in. Such a session may not be
 * answered before the node has said to it whether it is let in. */
static enum step ask_whether_let_in(struct session *s, struct session_request *r)
{
    static const char question[] = "*2\r\n$6\r\nCLIENT\r\n$7\r\nGETNAME\r\n";
    return session_ask(s, r, false, (struct slice){question, sizeof(question) - 1},
                       let_in_answered);
}

enum step client_unblock_perform(struct session *s, struct session_request *r)
{
    return s->identity->authenticated || s->auth_not_needed ? unblock_session(s, r)
                                                            : ask_whether_let_in(s, r);
}
