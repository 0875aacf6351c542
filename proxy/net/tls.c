/*
 * tls: see the header.
 *
 * Between OpenSSL and the socket stands a BIO of our own. Reading, it hands out what one recv() brought; writing, it
 * collects the records of one call, and they are sent at its end. Both pieces of memory are the thread's: a connection
 * owns only what is left over, which is nothing most of the time.
 */
#include "net/tls.h"

#include "base/buf.h"
#include "base/memory.h"
#include "net/address.h"
#include "net/tls_sessions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#define RECORD_MAX ((size_t)16 * 1024)
/* The first records are short, so that the peer can begin with a part: it needs a whole record before it sees a byte. */
#define FIRST_RECORD_MAX ((size_t)4 * 1024)
#define FIRST_BYTES ((size_t)64 * 1024)
/* Of one call: what is over comes in the next one. */
#define WRITE_MAX (4 * RECORD_MAX)
/* A read asks the kernel for at least so much. */
#define READ_MIN 4096

struct tls {
    SSL *ssl;
    struct tls_context *context;
    int fd;
    int error; /* a libuv code: the socket has failed */
    bool ended, heard;
    unsigned char failure;
    size_t written;
    struct buf in, out; /* records: received and not looked at; made and not sent */
    char *why;
    char *name; /* of a client: what the peer is asked for */
    char *peer; /* ... and who it is, once the handshake has begun (tls_sessions.h) */
};

/* What a call of one connection works with: records that came, or go. */
static _Thread_local struct {
    const char *in;
    size_t in_len, out_len;
    char out[WRITE_MAX + 8 * 1024];
    char received[64 * 1024];
    char gathered[RECORD_MAX];
} work;

/* ---- the BIO ---- */

static int take_in(BIO *bio, char *into, int room)
{
    size_t len = work.in_len < (size_t)room ? work.in_len : (size_t)room;
    const struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len == 0) {
        if (!tls->ended && !tls->error)
            BIO_set_retry_read(bio);
        return tls->ended ? 0 : -1;
    }
    memcpy(into, work.in, len);
    work.in += len;
    work.in_len -= len;
    return (int)len;
}

static int take_out(BIO *bio, const char *from, int len)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if ((size_t)len > sizeof(work.out) - work.out_len || buf_len(&tls->out) > 0) {
        buf_append(&tls->out, work.out, work.out_len);
        buf_append(&tls->out, from, (size_t)len);
        work.out_len = 0;
    } else {
        memcpy(work.out + work.out_len, from, (size_t)len);
        work.out_len += (size_t)len;
    }
    return len;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    const struct tls *tls = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return tls->ended;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH || command == BIO_CTRL_POP;
}

/* One for the process, made once: uv_once() in tls_new(). */
static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "redisproxy");
    if (!method)
        out_of_memory(0);
    BIO_meth_set_read(method, take_in);
    BIO_meth_set_write(method, take_out);
    BIO_meth_set_ctrl(method, control);
}

/* ---- the socket ---- */

/* Returns whether the socket is still good. */
static bool receive(struct tls *tls, size_t max)
{
    ssize_t n;
    do
        n = recv(tls->fd, work.received, max < sizeof(work.received) ? max : sizeof(work.received),
                 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        tls->heard = true;
        work.in = work.received;
        work.in_len = (size_t)n;
    } else if (n == 0) {
        tls->ended = true;
    } else if (errno != EAGAIN) {
        tls->error = uv_translate_sys_error(errno);
    }
    return !tls->error;
}

/* What an earlier call left, or what the socket has. */
static bool begin_reading(struct tls *tls, size_t max, struct buf *left)
{
    *left = tls->in;
    tls->in = (struct buf){0};
    work.in = buf_len(left) > 0 ? buf_head(left) : NULL;
    work.in_len = buf_len(left);
    return work.in_len > 0 || SSL_pending(tls->ssl) > 0 || tls->ended || receive(tls, max);
}

static void end_reading(struct tls *tls, struct buf *left)
{
    if (work.in_len > 0)
        buf_append(&tls->in, work.in, work.in_len);
    work.in_len = 0;
    buf_free(left);
}

static ssize_t send_bytes(struct tls *tls, const char *bytes, size_t len)
{
    ssize_t n;
    do
        n = send(tls->fd, bytes, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0 || errno == EAGAIN)
        return n < 0 ? 0 : n;
    tls->error = uv_translate_sys_error(errno);
    return tls->error;
}

int tls_flush(struct tls *tls)
{
    while (buf_len(&tls->out) > 0 && !tls->error) {
        ssize_t n = send_bytes(tls, buf_head(&tls->out), buf_len(&tls->out));
        if (n == 0)
            return 0;
        if (n > 0)
            buf_consume(&tls->out, (size_t)n);
    }
    if (tls->error)
        buf_free(&tls->out); /* nobody will take it: nothing is behind any longer */
    return tls->error;
}

/* Sends the records that a call has made. */
static int end_writing(struct tls *tls)
{
    size_t len = work.out_len;
    ssize_t n = 0;
    work.out_len = 0;
    if (buf_len(&tls->out) > 0)
        return tls_flush(tls);
    if (len > 0)
        n = send_bytes(tls, work.out, len);
    if (n >= 0 && (size_t)n < len)
        buf_append(&tls->out, work.out + n, len - (size_t)n);
    return tls->error;
}

size_t tls_unsent(const struct tls *tls)
{
    return buf_len(&tls->out);
}

/* ---- what has failed ---- */

/* Keeps the reason, once. Returns the libuv code. */
static int fail(struct tls *tls, enum tls_failure failure, const char *why)
{
    ERR_clear_error();
    if (!tls->why) {
        tls->why = strdup(why);
        tls->failure = (unsigned char)failure;
        if (!SSL_is_init_finished(tls->ssl))
            tls_sessions_failed(tls->ssl);
        if (!SSL_is_init_finished(tls->ssl) && (tls->heard || failure != TLS_FAIL_CLOSED))
            tls_count_failure(tls_context_settings(tls->context)->side, failure);
    }
    return tls->error ? tls->error : tls->ended ? UV_EOF : UV_EPROTO;
}

static int fail_with_reason(struct tls *tls)
{
    char why[200];
    enum tls_failure failure;
    if (tls->error)
        return fail(tls, TLS_FAIL_CLOSED, uv_strerror(tls->error));
    if (tls->ended && (ERR_peek_error() == 0 ||
                       ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING))
        return fail(tls, TLS_FAIL_CLOSED, "the peer closed the connection");
    failure = tls_error_of(tls->ssl, why, sizeof(why));
    if (!tls->why)
        (void)fail(tls, failure, why);
    return UV_EPROTO;
}

void tls_timed_out(struct tls *tls)
{
    (void)fail(tls, TLS_FAIL_TIMEOUT, "the handshake takes too long");
}

const char *tls_why(const struct tls *tls)
{
    return tls->why ? tls->why : "";
}

enum tls_failure tls_failure(const struct tls *tls)
{
    return (enum tls_failure)tls->failure;
}

bool tls_was_silent(const struct tls *tls)
{
    return !tls->heard;
}

/* ---- life ---- */

struct tls *tls_new(struct tls_context *context, int fd, const char *name)
{
    static uv_once_t once = UV_ONCE_INIT;
    struct tls *tls = calloc(1, sizeof(*tls));
    BIO *bio;
    uv_once(&once, make_method);
    if (!tls)
        out_of_memory(sizeof(*tls));
    tls->context = tls_context_retain(context);
    tls->fd = fd;
    tls->ssl = SSL_new(tls_context_ssl(context));
    bio = BIO_new(method);
    if (!tls->ssl || !bio)
        out_of_memory(0);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    if (tls_context_settings(context)->side == TLS_SERVER) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
        tls_expect_name(tls->context, tls->ssl, name);
        tls->name = strdup(tls_context_settings(context)->server_name
                               ? tls_context_settings(context)->server_name
                               : name);
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls->peer);
    free(tls->name);
    tls_context_release(tls->context);
    buf_free(&tls->in);
    buf_free(&tls->out);
    free(tls->why);
    free(tls);
}

X509 *tls_peer_certificate(const struct tls *tls)
{
    return SSL_get1_peer_certificate(tls->ssl);
}

/* ---- what the stream does ---- */

static atomic_ullong handshakes[TLS_CLIENT + 1][2];

unsigned long long tls_handshakes(enum tls_side side, bool resumed)
{
    return atomic_load_explicit(&handshakes[side][resumed], memory_order_relaxed);
}

bool tls_resumed(const struct tls *tls)
{
    return SSL_session_reused(tls->ssl);
}

static void count_handshake(const struct tls *tls)
{
    enum tls_side side = tls_context_settings(tls->context)->side;
    atomic_fetch_add_explicit(&handshakes[side][tls_resumed(tls)], 1, memory_order_relaxed);
}

/* A client's handshake begins: with the session of an earlier one, if there is one. */
static void begin_shaking(struct tls *tls)
{
    struct address address;
    char text[ENDPOINT_TEXT_MAX], peer[2 * ENDPOINT_TEXT_MAX];
    if (tls->peer || SSL_is_server(tls->ssl) || address_of_socket(&address, tls->fd, true) != 0)
        return;
    snprintf(peer, sizeof(peer), "%s %s", address_format(text, sizeof(text), &address), tls->name);
    tls->peer = strdup(peer);
    tls_sessions_begin(tls->ssl, tls->peer);
}

int tls_shake(struct tls *tls)
{
    struct buf left;
    int result = -1, error = SSL_ERROR_WANT_READ;
    ERR_clear_error();
    begin_shaking(tls);
    /* The client begins: then there is nothing to read yet, and that is no reason to wait. */
    if (begin_reading(tls, sizeof(work.received), &left) || tls->ended) {
        result = SSL_do_handshake(tls->ssl);
        error = SSL_get_error(tls->ssl, result);
    }
    end_reading(tls, &left);
    (void)end_writing(tls);
    if (result == 1 && !tls->error) {
        count_handshake(tls);
        return 1;
    }
    if (tls->error || tls->ended || error != SSL_ERROR_WANT_READ)
        return fail_with_reason(tls);
    return 0;
}

ssize_t tls_read(struct tls *tls, void *into, size_t len)
{
    struct buf left;
    size_t got = 0;
    int n = 1, error = SSL_ERROR_NONE;
    ERR_clear_error();
    (void)begin_reading(tls, len > READ_MIN ? len : READ_MIN, &left);
    while (got < len && (n = SSL_read(tls->ssl, (char *)into + got, (int)(len - got))) > 0)
        got += (size_t)n;
    if (n <= 0)
        error = SSL_get_error(tls->ssl, n);
    end_reading(tls, &left);
    (void)end_writing(tls); /* the answer to a KeyUpdate, or an alert */
    if (got > 0 || (error == SSL_ERROR_WANT_READ && !tls->error))
        return (ssize_t)got;
    if (error == SSL_ERROR_ZERO_RETURN || (tls->ended && !tls->error))
        return UV_EOF;
    return fail_with_reason(tls);
}

bool tls_has_part(const struct tls *tls)
{
    return buf_len(&tls->in) > 0 || SSL_has_pending(tls->ssl);
}

bool tls_has_input(const struct tls *tls)
{
    return buf_len(&tls->in) > 0 || SSL_pending(tls->ssl) > 0;
}

/* The bytes of the next record: of one part, or of several short ones. Returns how many; 0: nothing is left. */
static size_t next_record(const struct iovec *parts, int count, size_t at, size_t max,
                          const char **bytes)
{
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        size_t here = parts[i].iov_len;
        if (at >= here) {
            at -= here;
            continue;
        }
        here -= at;
        if (len == 0 && (here >= max || i == count - 1)) {
            *bytes = (const char *)parts[i].iov_base + at;
            return here < max ? here : max;
        }
        if (here > max - len)
            here = max - len;
        memcpy(work.gathered + len, (const char *)parts[i].iov_base + at, here);
        len += here;
        at = 0;
        if (len == max)
            break;
    }
    *bytes = work.gathered;
    return len;
}

ssize_t tls_write(struct tls *tls, const struct iovec *parts, int count)
{
    size_t taken = 0, len;
    const char *bytes = NULL;
    ERR_clear_error();
    if (tls_flush(tls) < 0)
        return fail_with_reason(tls);
    if (buf_len(&tls->out) > 0)
        return 0;
    while (taken < WRITE_MAX) {
        size_t max = tls->written < FIRST_BYTES ? FIRST_RECORD_MAX : RECORD_MAX;
        if ((len = next_record(parts, count, taken, max, &bytes)) == 0)
            break;
        int n = SSL_write(tls->ssl, bytes, (int)len);
        if (bytes == work.gathered)
            explicit_bzero(work.gathered, len); /* a password may be in it */
        if (n <= 0) {
            work.out_len = 0;
            return fail_with_reason(tls);
        }
        taken += (size_t)n;
        tls->written += (size_t)n;
    }
    if (end_writing(tls) < 0)
        return fail_with_reason(tls);
    return (ssize_t)taken;
}

void tls_say_goodbye(struct tls *tls)
{
    if (tls->error || tls->why || buf_len(&tls->out) > 0 || !SSL_is_init_finished(tls->ssl))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    (void)end_writing(tls);
    ERR_clear_error();
}
