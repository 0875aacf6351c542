/*
 * connection: a client's connection, from its beginning to its end: what its stream tells, goes from here to
 * those who read, read ahead and write.
 */
#include "session/session.h"

#include "nodes/router.h"
#include "session/ahead.h"
#include "session/client.h"
#include "session/interest.h"
#include "session/life.h"
#include "session/output.h"
#include "session/read.h"
#include "session/secure.h"
#include "session/state.h"

#include <assert.h>
#include <stdlib.h>

static struct session *session_of(struct stream *stream)
{
    struct session *s = container_of(stream, struct session, client.stream);
    assert(s->magic == SESSION_MAGIC);
    return s;
}

static bool may_read(const struct session *s)
{
    return s->client.reads_ahead || session_reads(s);
}

static void read_client(struct session *s)
{
    if (s->client.reads_ahead)
        session_read_ahead(s);
    else
        session_read(s);
}

/* When the turn's budget is spent, or others wait already, its turn comes later. */
static void take_turn_to_read(struct session *s)
{
    struct session_host *host = s->host;
    if (list_empty(&host->unread) && !host->turn->over) {
        read_client(s);
    } else if (!list_linked(&s->in_unread)) {
        list_append(&host->unread, &s->in_unread);
        host->turn->rare = true;
    }
}

void session_run_unread(struct session_host *host)
{
    turn_renew(host->turn);
    while (!list_empty(&host->unread) && !turn_spent(host->turn)) {
        struct session *s = container_of(list_take(&host->unread), struct session, in_unread);
        if (may_read(s))
            read_client(s);
    }
}

static void on_gone(struct session *s)
{
    life_client_left(&s->life, CLIENT_GONE);
    if (hold_waits(&s->queue.held) || login_waits(&s->place.login) ||
        barrier_of(&s->barrier, BARRIER_BLOCKED))
        session_close(s, CLOSED_CLIENT, "the client closed the connection");
}

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct session *s = session_of(stream);
    turn_look(s->host->turn);
    if (error) {
        session_not_secured(s, error);
        return;
    }
    if (events & STREAM_OPEN)
        session_secured(s);
    if ((events & STREAM_WRITABLE) && !life_closing(&s->life))
        session_flush(s);
    if ((events & STREAM_WRITABLE) && !life_closing(&s->life))
        session_take_ahead(s);
    if (life_closing(&s->life))
        return;
    if ((events & STREAM_READABLE) && may_read(s))
        take_turn_to_read(s);
    else if ((events & STREAM_READABLE) && (events & STREAM_GONE))
        session_close(s, CLOSED_CONNECTION, "the client's connection broke");
    else if (events & STREAM_GONE)
        on_gone(s);
    else if (events & STREAM_READABLE)
        session_update_interest(s); /* others' requests have used up the worker's part */
}

static void on_closed(struct stream *stream)
{
    struct session *s = session_of(stream);
    s->magic = 0;
    traffic_listener_release(s->listener);
    free(s);
}

int session_open(struct session_host *host, const struct traffic_listener_options *listener, int fd,
                 uint64_t id)
{
    struct session *s = calloc(1, sizeof(*s));
    int status;
    if (!s)
        abort();
    status = stream_accept(&s->client.stream, host->turn->loop, fd, on_event, on_closed);
    if (status) {
        free(s);
        return status;
    }
    stream_watch_peer(&s->client.stream, host->options->tcp_keepalive_ms,
                      host->options->tcp_user_timeout_ms);
    s->magic = SESSION_MAGIC;
    s->host = host;
    s->listener = traffic_listener_retain(listener);
    s->counters = &host->counters->listeners[listener->number];
    s->commands = s->counters->commands;
    counter_add(&s->counters->opened, 1);
    s->id = id;
    s->timed = host->slowlog_ms > 0;
    s->client.opened_ms = s->client.read_ms = turn_now(host->turn);
    queue_init(&s->queue);
    tx_init(&s->tx);
    lease_keep_if(&s->lease, LEASE_DEDICATED, listener->multiplexing == MULTIPLEXING_NO);
    router_place(&s->place, listener, &s->queue.held);
    s->identity = identity_nobody(router_identities(host->router));
    list_init(&s->client.ahead);
    list_init(&s->client.in_stalled);
    list_init(&s->client.in_starved);
    list_init(&s->lease.in_doubted);
    list_init(&s->lease.in_large);
    list_init(&s->in_woken);
    list_init(&s->in_dirty);
    list_init(&s->in_expiring);
    list_init(&s->in_unread);
    list_init(&s->in_move);
    list_init(&s->special.in_script_wait);
    list_append(&host->sessions, &s->in_host);
    host->count++;
    if (listener->tls)
        session_secure(s);
    session_update_interest(s);
    return 0;
}
