/*
 * question: what the session answers itself, and yet not without its node: whether this user may
 * come in at all, or may do this, and what the node knows of its connections. The request stays where
 * it is, the first that waits; a question goes to the node in its client's name, and what the node
 * says becomes the answer, or a part of it.
 *
 * Nothing else of the session is sent meanwhile. A question may be asked twice, when its node is lost.
 *
 * Other workers are asked in the same way: a request that is sent nowhere stands for the question.
 */
#include "session/question.h"

#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/lease.h"
#include "session/leasing.h"
#include "session/requests.h"
#include "session/send.h"

#include <assert.h>

static void on_reply(struct request *question, const char *data, size_t len, bool first, bool last)
{
    struct session *s = question->owner_data;
    struct slice reply;
    (void)first;
    buf_append(&question->reply, data, len);
    if (!last)
        return;
    assert(s->queue.next); /* it waits */
    reply = (struct slice){buf_head(&question->reply), buf_len(&question->reply)};
    barrier_lower(&s->barrier, BARRIER_QUESTION, session_request_of(question));
    s->auth_not_needed = !resp_starts(reply.data, reply.len, "-NOAUTH ");
    s->told(s, s->queue.next, question->upstream, reply);
    session_request_free(session_pool(s), session_request_of(question));
    if (life_closing(&s->life))
        return;
    session_lease_settle(s);
    session_mark_woken(s);
}

static void on_failed(struct request *question, enum request_failure why, const char *text)
{
    struct session *s = question->owner_data;
    barrier_lower(&s->barrier, BARRIER_QUESTION, session_request_of(question));
    if (why == REQUEST_REFUSED) {
        session_quits(s, s->queue.next); /* as for every other request */
        session_answerf(s, s->queue.next, "-%s\r\n", text);
    }
    session_mark_woken(s);
    session_request_free(session_pool(s), session_request_of(question));
}

static const struct request_owner asking_owner = {on_reply, on_failed, NULL};

enum step session_ask(struct session *s, struct session_request *r, bool alone,
                      struct slice question, session_told *told)
{
    struct upstream *up;
    struct session_request *asking;
    if (s->queue.inflight > 0)
        return STEP_WAIT;
    if (!s->lease.upstream && (alone || session_needs_lease(s, r)) && !session_take_lease(s))
        return STEP_HOLD;
    if (s->lease.upstream && !router_may_send(s->host->router, s->lease.upstream))
        return STEP_HOLD;
    up = s->lease.upstream
             ? s->lease.upstream
             : router_shared(s->host->router, &s->place, session_target_role(s, r), s->identity);
    if (!up)
        return STEP_HOLD;
    asking = session_request_own(session_pool(s), question, &asking_owner, s);
    barrier_raise(&s->barrier, BARRIER_QUESTION, asking);
    s->told = told;
    s->lease.dirty |= alone;
    upstream_submit(up, &asking->wire);
    return STEP_WAIT;
}

/* ---- other workers ---- */

static void end(struct inquiry *inquiry, struct session_host *home)
{
    session_request_free(&home->turn->requests, inquiry->asking);
    inquiry->free(inquiry);
}

static void on_back(struct relay *relay, struct relay_stop *stop)
{
    struct session_host *home = session_host_at(stop);
    struct inquiry *inquiry = container_of(relay, struct inquiry, relay);
    struct session *s = inquiry->asking->owner_data;
    if (inquiry->asking->owner) { /* it is still there */
        assert(s->queue.next && barrier_of(&s->barrier, BARRIER_QUESTION) == inquiry->asking);
        barrier_lower(&s->barrier, BARRIER_QUESTION, inquiry->asking);
        inquiry->told(s, s->queue.next, inquiry);
        if (!life_closing(&s->life) && s->queue.inflight == 0)
            session_lease_settle(s);
        session_mark_woken(s);
    }
    end(inquiry, home);
}

/* Its worker does not run any more, and so its session is closed. */
static void on_drop(struct relay *relay)
{
    struct inquiry *inquiry = container_of(relay, struct inquiry, relay);
    end(inquiry, inquiry->host);
}

void session_inquire(struct session *s, struct inquiry *inquiry, const struct session_request *r)
{
    inquiry->host = s->host;
    inquiry->asking =
        session_request_own(session_pool(s), (struct slice){r->data, r->len}, &asking_owner, s);
    inquiry->asking->argc = r->argc;
    inquiry->relay.back = on_back;
    inquiry->relay.drop = on_drop;
    barrier_raise(&s->barrier, BARRIER_QUESTION, inquiry->asking);
}

void session_ask_workers(struct inquiry *inquiry, relay_visit *visit)
{
    inquiry->relay.visit = visit;
    relay_start_here(&inquiry->relay, &inquiry->host->stop);
}

void session_ask_worker(struct inquiry *inquiry, size_t worker, relay_visit *visit)
{
    inquiry->relay.visit = visit;
    relay_start_at(&inquiry->relay, &inquiry->host->stop, worker);
}
