/*
 * control_conn: see the header for the picture.
 *
 * Everything that ends a try passes through drop(): it clears what belongs to
 * the try, and the owner hears on_down from one place, finished(), on a turn of
 * its own: no callback runs inside a function that the owner called.
 */
#include "topology/control_conn.h"

#include "base/list.h"
#include "base/state.h"
#include "net/tls.h"
#include "net/tls_source.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_AUTH (-2)
#define OUT_MAX (256 * 1024) /* a peer that reads nothing: more than this is never waiting */

/* A Sentinel's list of 64 of its kind is some 100 KB. */
#define REPLY_MAX ((size_t)4 * 1024 * 1024)
/* After so many reads it is the others' turn, however much a peer tells. */
#define READS_PER_EVENT 4

/* IDLE is 0: what an owner zeroed has not been opened yet. */
enum state { IDLE, WAITING, RESOLVING, CONNECTING, GREETING, UP, DROPPING, CLOSING, CLOSED };

#define ENDS (STATE_BIT(DROPPING) | STATE_BIT(CLOSING))

static const struct state_row rows[] = {
    [IDLE] = {"idle", STATE_BIT(WAITING) | STATE_BIT(CLOSING)},
    [WAITING] = {"waiting", STATE_BIT(WAITING) | STATE_BIT(RESOLVING) | ENDS}, /* another delay */
    [RESOLVING] = {"resolving", STATE_BIT(CONNECTING) | ENDS},
    [CONNECTING] = {"connecting", STATE_BIT(GREETING) | ENDS},
    [GREETING] = {"greeting", STATE_BIT(UP) | ENDS},
    [UP] = {"up", STATE_BIT(GREETING) | ENDS}, /* control_conn_login() */
    [DROPPING] = {"dropping", STATE_BIT(IDLE) | STATE_BIT(CLOSING)},
    [CLOSING] = {"closing", STATE_BIT(CLOSED)},
    [CLOSED] = {"closed", 0},
};
static const struct state_table table = STATE_TABLE("control connection", rows);

static void on_timer(uv_timer_t *timer);

static int64_t now_of(const struct control_conn *conn)
{
    return (int64_t)uv_now(conn->loop);
}

/* The only place where the state changes, and what follows from that: since when a try goes on, and whether what ends
 * was up. */
static void enter(struct control_conn *conn, enum state state)
{
    state_check(&table, conn->state, state);
    if (state == DROPPING)
        conn->was_up = conn->state == UP;
    if (state == RESOLVING)
        conn->try_ms = now_of(conn);
    else if (state != CONNECTING && state != GREETING)
        conn->try_ms = 0;
    conn->state = (uint8_t)state;
}

/* For good: the owner will hear of nothing but its end. */
static bool is_closing(const struct control_conn *conn)
{
    return conn->state == CLOSING || conn->state == CLOSED;
}

/* The peer has accepted the connection, and may say something. */
static bool is_connected(const struct control_conn *conn)
{
    return conn->state == GREETING || conn->state == UP;
}

/* ---- the end of a try ---- */

static void finish_close(struct control_conn *conn)
{
    if (!conn->timer_closed || conn->stream_used)
        return;
    enter(conn, CLOSED);
    credential_release(conn->options.credential);
    conn->options.credential = NULL;
    tls_source_release(conn->options.tls);
    conn->options.tls = NULL;
    conn->on_closed(conn);
}

static void timer_closed(uv_handle_t *handle)
{
    struct control_conn *conn = container_of(handle, struct control_conn, timer);
    conn->timer_closed = true;
    finish_close(conn);
}

static void stream_closed(struct stream *stream)
{
    struct control_conn *conn = container_of(stream, struct control_conn, stream);
    conn->stream_used = false;
    if (is_closing(conn))
        finish_close(conn);
}

static void clear_try(struct control_conn *conn)
{
    if (conn->resolving)
        resolve_cancel(conn->resolving);
    conn->resolving = NULL;
    if (conn->reader)
        redisReaderFree(conn->reader);
    conn->reader = NULL;
    buf_wipe(&conn->out);
    conn->count = 0;
    if (conn->stream_used)
        stream_close(&conn->stream);
}

/* One that takes connections and lets the handshake be may hang, or may not speak TLS: what was agreed once is not
 * doubted for that. */
static bool is_disagreement(const struct control_conn *conn)
{
    if (!conn->stream_used || conn->answered)
        return false;
    return tls_disagrees(stream_tls(&conn->stream)) ||
           (conn->timed_out && !conn->agreed && stream_is_shaking(&conn->stream));
}

/* With TLS 1.3 a peer refuses our certificate after the handshake, and what it says may be lost when it closes: then what
 * it said the last time still holds. */
static void note_end(struct control_conn *conn, const char *why)
{
    bool disagrees = is_disagreement(conn), lost = is_connected(conn) && !conn->answered;
    conn->tried = true;
    conn->in_vain = !conn->answered;
    if (conn->disagrees && !disagrees && lost)
        return;
    conn->disagrees = disagrees;
    snprintf(conn->why, sizeof(conn->why), "%s", why);
}

/* The timer fires on the next turn, after the stream's last call. */
static void drop(struct control_conn *conn, const char *why)
{
    if (is_closing(conn) || conn->state == DROPPING || conn->state == IDLE)
        return;
    note_end(conn, why);
    enter(conn, DROPPING);
    clear_try(conn);
    uv_timer_start(&conn->timer, on_timer, 0, 0);
}

static void finished(struct control_conn *conn)
{
    if (conn->stream_used) {
        uv_timer_start(&conn->timer, on_timer, 1, 0);
        return;
    }
    enter(conn, IDLE);
    conn->on_down(conn, conn->why, conn->was_up);
}

/* ---- bytes ---- */

static void flush(struct control_conn *conn)
{
    while (buf_len(&conn->out) > 0) {
        struct iovec part = {.iov_base = buf_head(&conn->out), .iov_len = buf_len(&conn->out)};
        ssize_t n = stream_write(&conn->stream, &part, 1);
        if (n < 0) {
            drop(conn, stream_strerror(&conn->stream, (int)n));
            return;
        }
        if (n == 0)
            break;
        if ((size_t)n == buf_len(&conn->out))
            buf_wipe(&conn->out);
        else
            buf_consume(&conn->out, (size_t)n);
    }
    stream_want(&conn->stream, STREAM_READABLE | (buf_len(&conn->out) ? STREAM_WRITABLE : 0));
}

static void queue(struct control_conn *conn, int tag, int argc, const char *const *argv)
{
    char *text = NULL;
    if (conn->count == CONTROL_CONN_PENDING || buf_len(&conn->out) > OUT_MAX) {
        drop(conn, "it does not answer");
        return;
    }
    long long len = redisFormatCommandArgv(&text, argc, (const char **)argv, NULL);
    if (len < 0)
        abort();
    buf_append(&conn->out, text, (size_t)len);
    explicit_bzero(text, (size_t)len);
    redisFreeCommand(text);
    unsigned at = (conn->first + conn->count++) % CONTROL_CONN_PENDING;
    conn->pending[at].tag = tag;
    conn->pending[at].sent_ms = now_of(conn);
    if (!conn->corked)
        flush(conn);
}

static void greeted(struct control_conn *conn)
{
    uv_timer_stop(&conn->timer);
    enter(conn, UP);
    conn->on_up(conn);
}

static void authenticate(struct control_conn *conn)
{
    const struct credential *credential = conn->options.credential;
    const char *user[] = {"Auth", credential->username, credential->password};
    const char *plain[] = {"Auth", credential->password};
    if (credential->username)
        queue(conn, TAG_AUTH, 3, user);
    else
        queue(conn, TAG_AUTH, 2, plain);
}

static void refused(struct control_conn *conn, const char *error)
{
    char server[ENDPOINT_TEXT_MAX];
    conn->denied = credential_is_refusal(error);
    if (conn->denied)
        credential_refuse(conn->options.credential,
                          endpoint_format(server, sizeof(server), &conn->options.to), error);
}

/* A server without a password refuses AUTH, and needs none. One that is up stays so, whatever it
 * thinks of a new credential. */
static void auth_answered(struct control_conn *conn, const redisReply *reply)
{
    char why[128];
    if (reply->type != REDIS_REPLY_ERROR)
        credential_accept(conn->options.credential);
    else if (!credential_is_needless(reply->str))
        refused(conn, reply->str);
    if (conn->state != GREETING)
        return;
    if (reply->type != REDIS_REPLY_ERROR || credential_is_needless(reply->str)) {
        greeted(conn);
        return;
    }
    snprintf(why, sizeof(why), "AUTH was refused: %s", reply->str);
    drop(conn, why);
}

static void take_reply(struct control_conn *conn, const redisReply *reply)
{
    int tag = -1;
    conn->answered = conn->tried = true;
    conn->disagrees = false;
    if (conn->is_unasked && conn->is_unasked(conn, reply))
        return;
    if (conn->count > 0) {
        tag = conn->pending[conn->first].tag;
        conn->first = (conn->first + 1) % CONTROL_CONN_PENDING;
        conn->count--;
    }
    if (tag == TAG_AUTH)
        auth_answered(conn, reply);
    else if (conn->state == UP)
        conn->on_reply(conn, tag, reply);
}

static void take_replies(struct control_conn *conn)
{
    while (conn->reader) {
        void *reply = NULL;
        if (redisReaderGetReply(conn->reader, &reply) != REDIS_OK) {
            drop(conn, "it does not speak Redis' protocol");
            return;
        }
        if (!reply)
            return;
        conn->unfinished = 0;
        take_reply(conn, reply);
        freeReplyObject(reply);
    }
}

static void receive(struct control_conn *conn)
{
    char bytes[16384];
    for (int i = 0; i < READS_PER_EVENT && is_connected(conn); i++) {
        ssize_t n = stream_read(&conn->stream, bytes, sizeof(bytes));
        if (n == 0)
            return;
        if (n < 0) {
            drop(conn, n == UV_EOF ? "the peer closed the connection"
                                   : stream_strerror(&conn->stream, (int)n));
            return;
        }
        conn->heard_ms = now_of(conn);
        conn->unfinished += (size_t)n;
        if (redisReaderFeed(conn->reader, bytes, (size_t)n) != REDIS_OK) {
            drop(conn, "no memory for its answer");
            return;
        }
        take_replies(conn);
        if (conn->unfinished > REPLY_MAX)
            drop(conn, "an answer that does not end");
    }
}

/* ---- a try ---- */

static void note_certificate(struct control_conn *conn)
{
    X509 *shown = conn->options.tls ? tls_peer_certificate(stream_tls(&conn->stream)) : NULL;
    conn->cert_ends_s = tls_certificate_ends(shown);
    X509_free(shown);
}

static void opened(struct control_conn *conn)
{
    enter(conn, GREETING);
    note_certificate(conn);
    conn->reached = conn->agreed = true;
    conn->heard_ms = now_of(conn);
    conn->unfinished = 0;
    conn->reader = redisReaderCreate();
    if (!conn->reader)
        abort();
    stream_want(&conn->stream, STREAM_READABLE);
    if (conn->options.credential && !conn->options.anonymous)
        authenticate(conn);
    else
        greeted(conn);
}

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct control_conn *conn = container_of(stream, struct control_conn, stream);
    if (error) {
        conn->timed_out = error == UV_ETIMEDOUT;
        conn->refused = error == UV_ECONNREFUSED && !conn->reached;
        conn->reached |= stream_tls(stream) && !tls_was_silent(stream_tls(stream));
        drop(conn, stream_strerror(stream, error));
        return;
    }
    if (events & STREAM_OPEN)
        opened(conn);
    if ((events & STREAM_WRITABLE) && is_connected(conn))
        flush(conn);
    if (events & (STREAM_READABLE | STREAM_GONE))
        receive(conn);
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
        drop(conn, uv_strerror(status));
        return;
    }
    conn->address = *choose(conn, addresses, count);
    enter(conn, CONNECTING);
    int error = stream_connect(&conn->stream, conn->loop, &conn->address, on_event, stream_closed);
    conn->refused = error == UV_ECONNREFUSED;
    if (error) {
        drop(conn, uv_strerror(error));
        return;
    }
    conn->stream_used = true;
    if (conn->options.tls)
        secure(conn);
}

static void start_try(struct control_conn *conn)
{
    struct address address;
    conn->timed_out = conn->refused = conn->reached = conn->denied = conn->answered = false;
    enter(conn, RESOLVING);
    uv_timer_start(&conn->timer, on_timer, (uint64_t)conn->options.connect_timeout_ms, 0);
    if (address_from_number(&address, conn->options.to.host, conn->options.to.port) == 0) {
        resolved(conn, 0, &address, 1);
        return;
    }
    conn->resolving = resolve_start(conn->loop, &conn->options.to, resolved, conn);
    if (!conn->resolving)
        drop(conn, "the resolver cannot be asked");
}

static void on_timer(uv_timer_t *timer)
{
    struct control_conn *conn = container_of(timer, struct control_conn, timer);
    if (conn->state == DROPPING) {
        finished(conn);
    } else if (conn->state == WAITING) {
        start_try(conn);
    } else {
        conn->timed_out = true;
        drop(conn, conn->stream_used && stream_is_shaking(&conn->stream)
                       ? "it takes connections, and does not answer TLS: does it speak it?"
                       : "connecting timed out");
    }
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
    if (is_closing(conn))
        return;
    enter(conn, WAITING);
    uv_timer_start(&conn->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
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
    if (is_closing(conn))
        return;
    conn->options.credential = credential_retain(credential);
    credential_release(before);
    if (try_it && credential && conn->state == UP)
        authenticate(conn);
}

void control_conn_login(struct control_conn *conn)
{
    if (!control_conn_is_up(conn) || !conn->options.credential)
        return;
    enter(conn, GREETING);
    uv_timer_start(&conn->timer, on_timer, (uint64_t)conn->options.connect_timeout_ms, 0);
    authenticate(conn);
}

void control_conn_send(struct control_conn *conn, int tag, int argc, const char *const *argv)
{
    if (control_conn_is_up(conn))
        queue(conn, tag, argc, argv);
}

void control_conn_cork(struct control_conn *conn, bool corked)
{
    conn->corked = corked;
    if (!corked && control_conn_is_up(conn))
        flush(conn);
}

void control_conn_authenticate(struct control_conn *conn)
{
    if (conn->options.credential && control_conn_is_up(conn))
        authenticate(conn);
}

int64_t control_conn_owed_since(const struct control_conn *conn)
{
    if (conn->try_ms)
        return conn->try_ms;
    return conn->count > 0 ? conn->pending[conn->first].sent_ms : 0;
}

void control_conn_fail(struct control_conn *conn, const char *why)
{
    drop(conn, why);
}

void control_conn_close(struct control_conn *conn)
{
    if (is_closing(conn))
        return;
    enter(conn, CLOSING);
    clear_try(conn);
    uv_close((uv_handle_t *)&conn->timer, timer_closed);
}
