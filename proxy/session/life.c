/* life: see the header. */
#include "session/life.h"

#include "base/log.h"
#include "nodes/learn.h"
#include "nodes/router.h"
#include "nodes/upstream.h"
#include "session/client.h"
#include "session/copies.h"
#include "session/hooks.h"
#include "session/input.h"
#include "session/large.h"
#include "session/lease.h"
#include "session/output_bytes.h"
#include "session/transaction.h"
#include "session/walk.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* A request loses its session: it is taken back if no byte of it was sent, swallowed otherwise. */
static void abandon(struct session *s, struct session_request *r)
{
    list_remove(&r->in_session);
    if (r->copies)
        copies_forget(r);
    if (r->state == REQUEST_QUEUED)
        upstream_unqueue(r->upstream, &r->wire);
    if (r->state == REQUEST_SENT) {
        r->owner = NULL;
        session_request_leave(r);
    } else {
        session_request_free(session_pool(s), r);
    }
}

void session_close(struct session *s, enum close_reason reason, const char *why)
{
    struct list *node;
    struct session_request *asking;
    if (life_closing(&s->life))
        return;
    life_advance(&s->life, LIFE_CLOSING);
    counter_add(&s->counters->closed[reason], 1);
    if (log_enabled(LOG_DEBUG)) {
        char quoted[200];
        log_event(LOG_DEBUG, "a session ended", "session=%" PRIu64 " reason=%s", s->id,
                  log_quote(quoted, sizeof(quoted), why));
    }
    stream_close(&s->client.stream);
    hold_leave(&s->queue.held);
    list_remove(&s->place.in_admission);
    logins_forget(&s->place.login);
    list_remove(&s->in_woken);
    list_remove(&s->in_dirty);
    list_remove(&s->in_expiring);
    list_remove(&s->in_unread);
    list_remove(&s->in_move);
    s->host->stopping -= s->move == MOVE_STOPPING;
    list_remove(&s->client.in_starved);
    list_remove(&s->lease.in_doubted);
    session_forget_large(s);
    list_remove(&s->special.in_script_wait);
    session_walks_pass(s);
    list_remove(&s->in_host);
    s->host->count--;
    while ((node = s->queue.requests.next) != &s->queue.requests)
        abandon(s, session_request(node));
    if (s->client.paused)
        upstream_pause(s->client.paused, false);
    if (s->client.early)
        upstream_pause(s->client.early, false);
    session_lease_drop(s);
    each_carried(s, forget);
    session_tx_forget(s);
    if (s->learning)
        learn_cancel(s->learning);
    asking = barrier_of(&s->barrier, BARRIER_QUESTION);
    if (asking)
        asking->owner = NULL;
    session_forget_partial(s);
    session_forget_ahead(s);
    session_forget_output(s);
    router_leave_replica(s->host->router, &s->place);
    identity_release(s->identity);
    buf_free(&s->client.out);
    free(s->client.name);
    free(s->client.library[0]);
    free(s->client.library[1]);
    free(s->client.hello_name);
}

void session_count_disconnected(struct session *s, const char *why)
{
    log_event(LOG_WARN, "a client is disconnected", "session=%" PRIu64 " reason=\"%s\"", s->id,
              why);
    s->host->disconnected++;
}

void session_disconnect(struct session *s, enum close_reason reason, const char *why)
{
    session_count_disconnected(s, why);
    session_close(s, reason, why);
}

void session_disconnect_over(struct session *s, const char *why)
{
    s->host->over_output++;
    session_disconnect(s, CLOSED_LIMIT, why);
}
