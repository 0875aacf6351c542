/*
 * client_kill: CLIENT KILL ends connections by id, address, user, type or age. A node knows the proxy's connections,
 * not its clients; so the proxy ends the sessions that are meant, those of the other workers too, and the node is
 * asked in one of two ways:
 *
 *   - The command as it is, when it means connections at the node that no session is: an id below SESSION_ID_BASE,
 *     TYPE master or replica, or an address that no session has. It goes on a lease of its own, for the node may
 *     end the connection on which the command came.
 *   - Otherwise the same command with an id that nobody has. It ends nothing, but the node judges its arguments,
 *     and whether this user may CLIENT KILL. An error is the client's answer.
 *
 *     [does any worker have a session with this address?] -> the node -> each worker ends its own -> the answer
 *
 * Each worker does so in slices (session/walk.h): others do not wait for that.
 *
 * The number in the answer counts the sessions, and what the node ended.
 */
#include "commands/client_kill.h"

#include "commands/client_filter.h"
#include "session/client.h"
#include "session/life.h"
#include "session/question.h"
#include "session/requests.h"
#include "session/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the workers are asked: first whether they have such a session, if need be, then to end theirs. */
struct kill_inquiry {
    struct inquiry inquiry;
    struct client_filter filter;
    struct asker asker;
    struct session_walk walk;
    bool found; /* of the first question: some worker has a session that passes the filter */
    bool
        kills_asker; /* the session that sent the command is meant, too: it ends when it is answered */
    int64_t killed; /* sessions so far */
    char reply[80]; /* the node's */
};

static void kill_free(struct inquiry *inquiry)
{
    struct kill_inquiry *q = container_of(inquiry, struct kill_inquiry, inquiry);
    session_walk_end(&q->walk);
    free(q->filter.ids);
    free(q);
}

static struct kill_inquiry *kill_new(struct session *s, const struct session_request *r)
{
    struct kill_inquiry *q = calloc(1, sizeof(*q));
    if (!q)
        abort();
    session_inquire(s, &q->inquiry, r);
    session_walk_init(&q->walk);
    q->inquiry.free = kill_free;
    (void)client_filter_of_kill(q->inquiry.asking, &q->filter);
    q->asker = (struct asker){s->place.group, s->id};
    return q;
}

/* ---- is any session meant? ---- */

static bool find(void *data, struct session *s)
{
    struct kill_inquiry *q = data;
    q->found = client_filter_passes(&q->filter, s, &q->asker);
    return !q->found;
}

static bool find_visit(struct relay *relay, struct relay_stop *stop)
{
    struct kill_inquiry *q = container_of(relay, struct kill_inquiry, inquiry.relay);
    return q->found || session_walk(&q->walk, session_host_at(stop), find, q);
}

static void find_home(struct session *s, struct session_request *r, struct inquiry *inquiry)
{
    (void)s;
    r->looked = true;
    r->found = container_of(inquiry, struct kill_inquiry, inquiry)->found;
}

static void find_anywhere(struct session *s, struct session_request *r)
{
    struct kill_inquiry *q = kill_new(s, r);
    q->inquiry.told = find_home;
    session_ask_workers(&q->inquiry, find_visit);
}

/* Whether the filter means connections at the node that cannot be sessions. */
static bool means_node(const struct client_filter *filter)
{
    for (size_t i = 0; i < filter->id_count; i++)
        if (filter->ids[i] < SESSION_ID_BASE)
            return true;
    return filter->kind == CLIENT_MASTER || filter->kind == CLIENT_REPLICA;
}

/* ---- ending them ---- */

static bool kill_if_meant(void *data, struct session *s)
{
    struct kill_inquiry *q = data;
    if (!client_filter_passes(&q->filter, s, &q->asker))
        return true;
    q->killed++;
    if (s->id == q->asker.id)
        q->kills_asker = true;
    else
        session_close(s, CLOSED_KILLED, "CLIENT KILL");
    return true;
}

static bool kill_visit(struct relay *relay, struct relay_stop *stop)
{
    struct kill_inquiry *q = container_of(relay, struct kill_inquiry, inquiry.relay);
    return session_walk(&q->walk, session_host_at(stop), kill_if_meant, q);
}

static void kill_home(struct session *s, struct session_request *r, struct inquiry *inquiry)
{
    const struct kill_inquiry *q = container_of(inquiry, struct kill_inquiry, inquiry);
    int64_t at_node = 0;
    bool number = q->reply[0] == ':';
    if (q->kills_asker)
        session_quits(s, r);
    if (number)
        (void)resp_parse_integer((struct slice){q->reply + 1, strcspn(q->reply + 1, "\r\n")},
                                 &at_node);
    if (at_node < 0 || at_node > INT32_MAX)
        at_node = 0; /* so many clients no node has */
    if (r->argc == 3 && q->killed > 0)
        session_answer(s, r, "+OK\r\n");
    else if (r->argc == 3 &&
             number) /* the node was asked in the new form; the session has gone meanwhile */
        session_answer(s, r, "-ERR No such client\r\n");
    else if (q->killed > 0)
        session_answerf(s, r, ":%" PRId64 "\r\n", at_node + q->killed);
    else
        session_answer(s, r, q->reply);
}

static void kill_node_answered(struct session *s, struct session_request *r,
                               const struct upstream *from, struct slice reply)
{
    struct client_filter filter;
    struct kill_inquiry *q;
    bool known = client_filter_of_kill(r, &filter);
    (void)from;
    free(filter.ids);
    if (!known || reply.data[0] == '-' || reply.len >= sizeof(q->reply)) {
        session_answer_bytes(s, r, reply.data, reply.len);
        return;
    }
    q = kill_new(s, r);
    q->inquiry.told = kill_home;
    memcpy(q->reply, reply.data, reply.len);
    session_ask_workers(&q->inquiry, kill_visit);
}

/* ---- asking the node ---- */

/* Sends the command with an id that nobody has: the node judges it, and ends nothing. */
static enum step ask_node_harmlessly(struct session *s, struct session_request *r,
                                     const struct client_filter *filter)
{
    struct resp_args args = resp_args(r->data, r->len);
    struct buf question = {0};
    struct slice arg;
    char nobody[24];
    int left = r->argc == 3
                   ? 2
                   : r->argc; /* of the old form only its name: its address is replaced by an id */
    enum step step;
    snprintf(nobody, sizeof(nobody), "%" PRIu64, SESSION_ID_BASE);
    buf_printf(&question, "*%d\r\n", left + (filter->by_id ? 0 : 2));
    while (left-- > 0 && resp_args_next(&args, &arg))
        resp_append_bulk(&question, arg);
    if (!filter->by_id)
        buf_printf(&question, "$2\r\nID\r\n$%zu\r\n%s\r\n", strlen(nobody), nobody);
    step = session_ask(s, r, false, (struct slice){buf_head(&question), buf_len(&question)},
                       kill_node_answered);
    buf_free(&question);
    return step;
}

/* Whether the command means sessions, and not connections at the node. An address may be either's: *unsure is set
 * when the workers have not been asked yet whether a session has it. */
static bool means_sessions(const struct session_request *r, const struct client_filter *filter,
                           bool *unsure)
{
    *unsure = false;
    if (means_node(filter))
        return false;
    if ((!filter->addr.data && !filter->laddr.data) || r->found)
        return true;
    *unsure = !r->looked;
    return false;
}

enum step client_kill_perform(struct session *s, struct session_request *r)
{
    struct client_filter filter;
    bool unsure = false;
    enum step step = STEP_WAIT;
    if (s->queue.inflight > 0)
        return STEP_WAIT;
    if (client_filter_of_kill(r, &filter) && means_sessions(r, &filter, &unsure))
        step = ask_node_harmlessly(s, r, &filter);
    else if (unsure)
        find_anywhere(s, r);
    else /* on a lease of its own: it may end the connection on which it comes */
        step = session_ask(s, r, true, (struct slice){r->data, r->len}, kill_node_answered);
    free(filter.ids);
    /* When the workers have answered, the command is dispatched again. Of one worker with few sessions the answer is
     * there already. */
    return unsure && !barrier_stands(&s->barrier) ? client_kill_perform(s, r) : step;
}
