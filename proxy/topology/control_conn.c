/* control_conn: see the header for the picture; control_conn_state.h for what is in which file. */
#include "topology/control_conn_state.h"

#include "base/list.h"
#include "base/state.h"
#include "net/tls.h"
#include "net/tls_source.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a try ---- */

static void note_certificate(struct control_conn *conn)
{
    X509 *shown = conn->options.tls ? tls_peer_certificate(stream_tls(&conn->stream)) : NULL;
    conn->cert_ends_s = tls_certificate_ends(shown);
    X509_free(shown);
}

static void opened(struct control_conn *conn)
{
    control_conn_enter(conn, GREETING);
    note_certificate(conn);
    conn->reached = conn->agreed = true;
    conn->heard_ms = control_conn_now(conn);
    conn->unfinished = 0;
    conn->reader = redisReaderCreate();
    if (!conn->reader)
        abort();
    stream_want(&conn->stream, STREAM_READABLE);
    if (conn->options.credential && !conn->options.anonymous)
        control_conn_send_auth(conn);
    else
        control_conn_greeted(conn);
}

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct control_conn *conn = container_of(stream, struct control_conn, stream);
    if (error) {
        conn->timed_out = error == UV_ETIMEDOUT;
        conn->refused = error == UV_ECONNREFUSED && !conn->reached;
        conn->reached |= stream_tls(stream) && !tls_was_silent(stream_tls(stream));
        control_conn_drop(conn, stream_strerror(stream, error));
        return;
    }
    if (events & STREAM_OPEN)
        opened(conn);
    if ((events & STREAM_WRITABLE) && control_conn_is_connected(conn))
        control_conn_flush(conn);
    if (events & (STREAM_READABLE | STREAM_GONE))
        control_conn_receive(conn);
}

static void secure(struct control_conn *conn)
{
    struct tls_context *context = tls_source_context(conn->options.tls);
    stream_secure(&conn->stream, context, conn->tls_host, 0);
    tls_context_release(context);
}

static size_t index_of(const struct address *all, size_t count, const struct address *address)
{
    size_t i = 0;
    while (i < count && !address_equal(&all[i], address))
        i++;
    return i;
}

/* Of a name's addresses: that of `beside`; or where it was before, as long as somebody answered there; or else the next. */
static const struct address *choose(const struct control_conn *conn, const struct address *all,
                                    size_t count)
{
    const struct address *beside = conn->options.beside;
    size_t at = beside ? index_of(all, count, beside) : count;
    if (at < count)
        return &all[at];
    at = index_of(all, count, &conn->address);
    if (at == count)
        return &all[0];
    return &all[conn->in_vain ? (at + 1) % count : at];
}

static void resolved(void *owner, int status, const struct address *addresses, size_t count)
{
    struct control_conn *conn = owner;
    conn->resolving = NULL;
    if (status != 0) {
        control_conn_drop(conn, uv_strerror(status));
        return;
    }
    conn->address = *choose(conn, addresses, count);
    control_conn_enter(conn, CONNECTING);
    int error = stream_connect(&conn->stream, conn->loop, &conn->address, on_event,
                               control_conn_stream_closed);
    conn->refused = error == UV_ECONNREFUSED;
    if (error) {
        control_conn_drop(conn, uv_strerror(error));
        return;
    }
    conn->stream_used = true;
    if (conn->options.tls)
        secure(conn);
}

static void on_timeout(uv_timer_t *timer)
{
    struct control_conn *conn = container_of(timer, struct control_conn, timer);
    conn->timed_out = true;
    control_conn_drop(conn, conn->stream_used && stream_is_shaking(&conn->stream)
                                ? "it takes connections, and does not answer TLS: does it speak it?"
                                : "connecting timed out");
}

static void start_try(struct control_conn *conn)
{
    struct address address;
    conn->timed_out = conn->refused = conn->reached = conn->denied = conn->answered = false;
    control_conn_enter(conn, RESOLVING);
    uv_timer_start(&conn->timer, on_timeout, (uint64_t)conn->options.connect_timeout_ms, 0);
    if (address_from_number(&address, conn->options.to.host, conn->options.to.port) == 0) {
        resolved(conn, 0, &address, 1);
        return;
    }
    conn->resolving = resolve_start(conn->loop, &conn->options.to, resolved, conn);
    if (!conn->resolving)
        control_conn_drop(conn, "the resolver cannot be asked");
}

static void on_delay_over(uv_timer_t *timer)
{
    start_try(container_of(timer, struct control_conn, timer));
}

/* ---- the owner's side ---- */

void control_conn_init(struct control_conn *conn, uv_loop_t *loop)
{
    const char *host = conn->options.tls_host ? conn->options.tls_host : conn->options.to.host;
    conn->loop = loop;
    snprintf(conn->tls_host, sizeof(conn->tls_host), "%s", host);
    conn->options.tls_host = NULL;
    credential_retain(conn->options.credential);
    tls_source_retain(conn->options.tls);
    uv_timer_init(loop, &conn->timer);
}

void control_conn_open(struct control_conn *conn, int64_t delay_ms)
{
    if (control_conn_is_closing(conn))
        return;
    control_conn_enter(conn, WAITING);
    uv_timer_start(&conn->timer, on_delay_over, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

bool control_conn_is_up(const struct control_conn *conn)
{
    return conn->state == UP;
}

const char *control_conn_disagreement(const struct control_conn *conn)
{
    return conn->disagrees ? conn->why : NULL;
}

bool control_conn_is_waiting(const struct control_conn *conn)
{
    return conn->state == WAITING;
}

void control_conn_set_credential(struct control_conn *conn, struct credential *credential,
                                 bool try_it)
{
    struct credential *before = conn->options.credential;
    if (control_conn_is_closing(conn))
        return;
    conn->options.credential = credential_retain(credential);
    credential_release(before);
    if (try_it && credential && conn->state == UP)
        control_conn_send_auth(conn);
}

void control_conn_login(struct control_conn *conn)
{
    if (!control_conn_is_up(conn) || !conn->options.credential)
        return;
    control_conn_enter(conn, GREETING);
    uv_timer_start(&conn->timer, on_timeout, (uint64_t)conn->options.connect_timeout_ms, 0);
    control_conn_send_auth(conn);
}

void control_conn_send(struct control_conn *conn, int tag, int argc, const char *const *argv)
{
    if (control_conn_is_up(conn))
        control_conn_queue(conn, tag, argc, argv);
}

void control_conn_cork(struct control_conn *conn, bool corked)
{
    conn->corked = corked;
    if (!corked && control_conn_is_up(conn))
        control_conn_flush(conn);
}

void control_conn_authenticate(struct control_conn *conn)
{
    if (conn->options.credential && control_conn_is_up(conn))
        control_conn_send_auth(conn);
}

int64_t control_conn_owed_since(const struct control_conn *conn)
{
    if (conn->try_ms)
        return conn->try_ms;
    return conn->count > 0 ? conn->pending[conn->first].sent_ms : 0;
}

void control_conn_fail(struct control_conn *conn, const char *why)
{
    control_conn_drop(conn, why);
}

void control_conn_close(struct control_conn *conn)
{
    if (control_conn_is_closing(conn))
        return;
    control_conn_enter(conn, CLOSING);
    control_conn_clear_try(conn);
    uv_close((uv_handle_t *)&conn->timer, control_conn_timer_closed);
}
