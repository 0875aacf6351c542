/*
 * session: the connection's side: its beginning, its end, and what is written to it. What is read from
 * it: session_read.c.
 *
 * `closing` is terminal: session_close() lets go of everything at once, the
 * memory goes in the stream's last callback.
 */
#include "traffic/session_state.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct session *session_of(struct stream *stream)
{
    struct session *s = container_of(stream, struct session, stream);
    assert(s->magic == SESSION_MAGIC);
    return s;
}

void session_mark_dirty(struct session *s)
{
    if (!list_linked(&s->in_dirty))
        list_append(&s->host->turn->dirty_sessions, &s->in_dirty);
}

void session_mark_woken(struct session *s)
{
    if (!list_linked(&s->in_woken) && !s->closing)
        list_append(&s->host->turn->woken, &s->in_woken);
}

/* ---- writing ---- */

bool session_is_finished(const struct session *s)
{
    return s->count == 0 && buf_len(&s->out) == 0;
}

void session_put(struct session *s, const char *bytes, size_t len)
{
    if (!s->out.data)
        buf_take(&s->out, &s->host->turn->stock);
    buf_append(&s->out, bytes, len);
    session_mark_dirty(s);
}

/* The client took that much. */
static void took(struct session *s, size_t len)
{
    if (len > 0 && list_linked(&s->in_stalled))
        session_was_taken_from(s);
    if (len == buf_len(&s->out))
        buf_put(&s->out, &s->host->turn->stock);
    else
        buf_consume(&s->out, len);
}

void session_flush(struct session *s)
{
    list_remove(&s->in_dirty);
    if (s->closing)
        return;
    if (buf_len(&s->out) > 0) {
        struct iovec part = {buf_head(&s->out), buf_len(&s->out)};
        ssize_t n = stream_write(&s->stream, &part, 1);
        if (n < 0) {
            session_close(s, uv_strerror((int)n));
            return;
        }
        took(s, (size_t)n);
    }
    if (s->paused && buf_len(&s->out) < s->host->options->output_high / 2) {
        upstream_pause(s->paused, false);
        s->paused = NULL;
    }
    session_resume_early(s);
    if (s->said_all && buf_len(&s->out) == 0)
        session_close(s, "the client quit");
    else if (session_is_finished(s) && (s->last_words || s->eof || s->draining))
        session_close(s, s->draining ? "the proxy stops" : "done");
    else
        session_update_interest(s);
}

void session_flush_dirty(struct list *dirty)
{
    struct list *node;
    while ((node = dirty->next) != dirty)
        session_flush(container_of(node, struct session, in_dirty));
}

/* ---- life ---- */

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct session *s = session_of(stream);
    (void)error; /* only connecting fails here, and a session is accepted */
    if ((events & STREAM_WRITABLE) && !s->closing)
        session_flush(s);
    if ((events & STREAM_WRITABLE) && !s->closing)
        session_take_ahead(s);
    if ((events & STREAM_READABLE) && !s->closing) {
        if (s->reads_ahead)
            session_read_ahead(s);
        else if (session_reads(s))
            session_read(s);
        else if (events & STREAM_GONE)
            session_close(s, "the client's connection broke");
    } else if ((events & STREAM_GONE) && !s->closing) {
        s->gone = true;
        if (hold_waits(&s->held) || s->blocked)
            session_close(s, "the client closed the connection");
    }
}

static void on_closed(struct stream *stream)
{
    struct session *s = session_of(stream);
    s->magic = 0;
    free(s);
}

int session_open(struct session_host *host, const struct traffic_listener_options *listener, int fd,
                 uint64_t id)
{
    struct session *s = calloc(1, sizeof(*s));
    int status;
    if (!s)
        abort();
    status = stream_accept(&s->stream, host->turn->loop, fd, on_event, on_closed);
    if (status) {
        free(s);
        return status;
    }
    stream_watch_peer(&s->stream, host->options->tcp_keepalive_ms,
                      host->options->tcp_user_timeout_ms);
    s->magic = SESSION_MAGIC;
    s->host = host;
    s->listener = listener;
    s->id = id;
    s->opened_ms = s->read_ms = turn_now(host->turn);
    router_place(&s->place, listener, &s->held);
    s->identity = identity_nobody(router_identities(host->router));
    list_init(&s->requests);
    list_init(&s->tx_log);
    s->tx_logged = true;
    list_init(&s->ahead);
    list_init(&s->in_stalled);
    list_init(&s->in_doubted);
    list_init(&s->in_woken);
    list_init(&s->in_dirty);
    list_init(&s->in_script_wait);
    held_init(&s->held);
    list_append(&host->sessions, &s->in_host);
    host->count++;
    session_update_interest(s);
    return 0;
}

/* A request loses its session: it is taken back if no byte of it was sent, swallowed otherwise. */
static void abandon(struct session *s, struct request *r)
{
    list_remove(&r->in_session);
    if (r->fan)
        session_forget_fan(r);
    if (r->state == REQUEST_QUEUED)
        upstream_unqueue(r->upstream, r);
    if (r->state == REQUEST_SENT)
        r->owner = NULL;
    else
        request_free(&s->host->turn->requests, r);
}

void session_close(struct session *s, const char *why)
{
    struct list *node;
    if (s->closing)
        return;
    s->closing = true;
    if (log_enabled(LOG_DEBUG)) {
        char quoted[200];
        log_event(LOG_DEBUG, "a session ended", "session=%" PRIu64 " reason=%s", s->id,
                  log_quote(quoted, sizeof(quoted), why));
    }
    stream_close(&s->stream);
    hold_leave(&s->held);
    list_remove(&s->place.in_admission);
    list_remove(&s->in_woken);
    list_remove(&s->in_dirty);
    list_remove(&s->in_doubted);
    list_remove(&s->in_script_wait);
    list_remove(&s->in_host);
    s->host->count--;
    while ((node = s->requests.next) != &s->requests)
        abandon(s, container_of(node, struct request, in_session));
    if (s->paused)
        upstream_pause(s->paused, false);
    if (s->early)
        upstream_pause(s->early, false);
    session_lease_drop(s);
    session_forget_kept(s);
    session_forget_redirection(s);
    session_forget_subscriptions(s);
    session_tx_forget(s);
    if (s->question)
        learn_cancel(s->question);
    if (s->asking)
        s->asking->owner = NULL;
    session_forget_partial(s);
    session_forget_ahead(s);
    router_leave_replica(s->host->router, &s->place);
    identity_release(s->identity);
    buf_free(&s->out);
    free(s->name);
    free(s->hello_name);
}

void session_count_disconnected(struct session *s, const char *why)
{
    log_event(LOG_WARN, "a client is disconnected", "session=%" PRIu64 " reason=\"%s\"", s->id,
              why);
    s->host->disconnected++;
}

void session_disconnect(struct session *s, const char *why)
{
    session_count_disconnected(s, why);
    session_close(s, why);
}

void session_stuck(void *data, void *session)
{
    struct session *s = session;
    (void)data;
    if (!s)
        return;
    assert(s->magic == SESSION_MAGIC);
    session_disconnect(s, "it does not read a large reply, and others wait");
}

void session_drain_all(struct session_host *host, bool now)
{
    list_each (it, &host->sessions) {
        struct session *s = container_of(it, struct session, in_host);
        bool unfinished = !session_is_finished(s);
        s->draining = true;
        if (now || !unfinished)
            session_close(s, "the proxy stops");
        else
            session_update_interest(s);
    }
}
