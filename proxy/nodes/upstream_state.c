/*
 * upstream_state: the states of an upstream, and the ways in which it ends. However it ends, it happens in this
 * order: the socket is closed, the owner hears of it, then a lease's holder, and last those whose requests are on it,
 * so that whoever sends one again is not given the same upstream.
 */
#include "net/tls.h"
#include "nodes/upstream_parts.h"

#include "base/log.h"
#include "base/state.h"

#include <stdio.h>

static const struct state_row rows[] = {
    [UPSTREAM_CONNECTING] = {"connecting",
                             STATE_BIT(UPSTREAM_VERIFYING) | STATE_BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_VERIFYING] = {"verifying", STATE_BIT(UPSTREAM_ENTERING) | STATE_BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_ENTERING] = {"entering", STATE_BIT(UPSTREAM_READY) | STATE_BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_READY] = {"ready", STATE_BIT(UPSTREAM_CLOSED)},
    [UPSTREAM_CLOSED] = {"closed", 0},
};
static const struct state_table states = STATE_TABLE("upstream", rows);

static void begin_service(struct upstream *up)
{
    up->deadline_ms = 0;
    upstream_queue_pending(up);
    up->owner->on_ready(up);
}

/* The only place where the state changes. */
void upstream_enter(struct upstream *up, enum upstream_state state)
{
    state_check(&states, up->state, state);
    up->state = state;
    if (state == UPSTREAM_READY)
        begin_service(up);
}

/* ---- its end ---- */

/* Closes the socket, tells the pool and a lease's holder, then fails what is left. */
static void end(struct upstream *up, const char *why, bool error, enum request_failure unsent_as,
                const char *text)
{
    struct list *node, doomed;
    struct request_pool *requests = &up->turn->requests;
    if (up->state == UPSTREAM_CLOSED)
        return;
    if (why != up->why)
        snprintf(up->why, sizeof(up->why), "%s", why);
    stream_close(&up->stream);
    up->owner->on_cut(up, up->why, error);
    upstream_enter(up, UPSTREAM_CLOSED);
    if (up->on_lost)
        up->on_lost(up->lease_data);
    list_remove(&up->in_pool);
    list_remove(&up->in_idle);
    list_remove(&up->in_turn);
    list_remove(&up->in_evicting);
    list_init(&doomed);
    list_splice(&doomed, &up->queue);
    list_splice(&doomed, &up->pending);
    up->send_at = &up->queue;
    up->evict_at = NULL;
    buf_free(&up->stash);
    while ((node = list_take(&doomed))) {
        struct request *request = queued(node);
        bool sent = request->state == REQUEST_SENT;
        request_fail(requests, request, sent ? REQUEST_LOST : unsent_as, text);
    }
    identity_release(up->identity);
    up->identity = NULL;
}

void upstream_cut(struct upstream *up, const char *why)
{
    end(up, why, true, REQUEST_UNSENT, NULL);
}

void upstream_close(struct upstream *up, const char *why)
{
    end(up, why, false, REQUEST_UNSENT, NULL);
}

void upstream_refused(struct upstream *up, const char *error_line)
{
    end(up, error_line, false, REQUEST_REFUSED, error_line);
}

void upstream_cut_refused(struct upstream *up, const char *why, bool waits)
{
    up->refused = true;
    up->waits = waits;
    upstream_cut(up, why);
}

/* With TLS 1.3 a node tells after the handshake that it does not like our certificate. */
static bool is_disagreement(const struct upstream *up)
{
    return up->state != UPSTREAM_READY && tls_disagrees(stream_tls(&up->stream));
}

void upstream_broke(struct upstream *up, int error)
{
    char why[160];
    snprintf(why, sizeof(why), "%s",
             error == UV_EOF ? "closed by the node" : stream_strerror(&up->stream, error));
    if (is_disagreement(up))
        upstream_cut_refused(up, why, true); /* the files are read again when they change */
    else
        upstream_cut(up, why);
}

void upstream_retire(struct upstream *up, const char *why)
{
    if (up->retired || up->state == UPSTREAM_CLOSED)
        return;
    up->retired = true;
    snprintf(up->why, sizeof(up->why), "%s", why);
    upstream_withdraw(up);
    upstream_close_if_done(up);
}

/* ---- no longer shared ---- */

void upstream_unshare(struct upstream *up, const void *owner_data, const char *why)
{
    if (up->leased || up->retired || up->state == UPSTREAM_CLOSED)
        return;
    log_event(LOG_INFO, "an upstream is no longer shared", "node=%s reason=\"%s\"", up->name, why);
    upstream_retire(up, why);
    upstream_evict_reads(up, owner_data);
}

bool upstream_stop_reading(struct upstream *up, const void *owner_data)
{
    if (up->paused || up->state == UPSTREAM_CLOSED)
        return false;
    upstream_unshare(up, owner_data, "a client does not read a large reply");
    if (!up->leased && upstream_serves_others(up, owner_data))
        return false;
    upstream_pause(up, true);
    return up->paused;
}
