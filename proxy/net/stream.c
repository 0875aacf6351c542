/*
 * stream: see the header for the picture.
 *
 * Why uv_poll and not uv_tcp: libuv's streams own the write queue, so nobody
 * could say which bytes of a request have reached the kernel when a connection
 * dies, and closing one waits for the loop. Here the socket is ours: a write
 * reports what was taken, and stream_close() cuts at once, which is what a
 * switch needs. It is also smaller, and one system call a read or write.
 *
 * libuv reports an error or a hang-up by stopping the poll (EBADF) or by an
 * empty event; both are passed on as STREAM_READABLE | STREAM_GONE, so that
 * the owner's next stream_read() finds out what it was.
 *
 * With TLS (net/tls.h) there is one state more, SHAKING, and two things that epoll does not know: records that the kernel
 * has not taken yet, which are sent when it is ready, and bytes that were read from the socket and not by the owner,
 * for which an idle handle stands in: it is called on the loop's next turn.
 */
#include "net/stream.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/state.h"
#include "net/shake_line.h"
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Unanswered questions of keep-alive after which the peer is gone, as Redis has it. */
#define KEEPALIVE_QUESTIONS 3

/* CLOSED is 0: what an owner zeroed is a stream that was never open. */
enum state { STATE_CLOSED, STATE_CONNECTING, STATE_SHAKING, STATE_OPEN, STATE_CLOSING };

static const struct state_row rows[] = {
    [STATE_CLOSED] = {"closed", STATE_BIT(STATE_CONNECTING) | STATE_BIT(STATE_OPEN)},
    [STATE_CONNECTING] = {"connecting", STATE_BIT(STATE_SHAKING) | STATE_BIT(STATE_OPEN) |
                                            STATE_BIT(STATE_CLOSING)},
    [STATE_SHAKING] = {"shaking hands", STATE_BIT(STATE_OPEN) | STATE_BIT(STATE_CLOSING)},
    /* An accepted one stands when stream_secure() is called. */
    [STATE_OPEN] = {"open", STATE_BIT(STATE_SHAKING) | STATE_BIT(STATE_CLOSING)},
    [STATE_CLOSING] = {"closing", STATE_BIT(STATE_CLOSED)},
};
static const struct state_table table = STATE_TABLE("stream", rows);

struct secure {
    struct stream *stream;
    struct tls *tls;
    struct shaker shaker;
    bool accepted; /* a client's; a node's handshake waits for nobody */
    uv_idle_t
        inside; /* runs while TLS has read what the owner has not; in the handshake it is the shaker's */
    int handles; /* of all, which libuv has not closed yet */
};

/* Records that the kernel has not taken: with more the peer is not read. One write of the owner's is less. */
#define BEHIND_MAX ((size_t)128 * 1024)

static struct stream *stream_of(uv_poll_t *poll)
{
    return container_of(poll, struct stream, poll);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static inline unsigned char polling_wanted(const struct stream *s)
{
    return (unsigned char)((s->want & STREAM_READABLE ? UV_READABLE : UV_DISCONNECT) |
                           (s->want & STREAM_WRITABLE ? UV_WRITABLE : 0));
}

/* A peer that reads nothing may still make TLS itself answer (KeyUpdate): it is not read on for ever. */
static inline bool is_far_behind(const struct stream *s)
{
    return s->secure && tls_unsent(s->secure->tls) > BEHIND_MAX;
}

/* Apart, as most streams are plain, and open. */
__attribute__((noinline)) static unsigned char polling_in_state(const struct stream *s)
{
    unsigned char polling;
    if (s->state == STATE_CONNECTING)
        return UV_WRITABLE;
    polling = s->state == STATE_SHAKING ? UV_READABLE : polling_wanted(s);
    if (is_far_behind(s))
        polling &= (unsigned char)~UV_READABLE;
    if (stream_is_behind(s))
        polling |= UV_WRITABLE;
    return polling;
}

/* Tells epoll what the state and the owner's wishes ask for, if that changed. */
static void update_poll(struct stream *s)
{
    unsigned char polling;
    if (__builtin_expect(s->state == STATE_OPEN && !s->secure, 1))
        polling = polling_wanted(s);
    else
        polling = polling_in_state(s);
    if (s->gone)
        polling &= (unsigned char)~UV_DISCONNECT;
    if (polling == s->polling)
        return;
    s->polling = polling;
    if (polling)
        uv_poll_start(&s->poll, polling, on_poll);
    else
        uv_poll_stop(&s->poll);
}

/* The only place where the state changes. */
static void enter(struct stream *s, enum state state)
{
    state_check(&table, s->state, state);
    s->state = (unsigned char)state;
    if (state == STATE_CONNECTING || state == STATE_SHAKING || state == STATE_OPEN)
        update_poll(s);
}

static void stop_polling(struct stream *s)
{
    uv_poll_stop(&s->poll);
    s->polling = 0;
}

/* ---- TLS ---- */

static bool has_inside(const struct stream *s)
{
    return s->state == STATE_OPEN && (s->want & STREAM_READABLE) && !is_far_behind(s) &&
           tls_has_input(s->secure->tls);
}

static void on_inside(uv_idle_t *inside);

/* The owner has something to read that epoll does not know of: it hears so on the loop's next turn. */
static void look_inside(struct stream *s)
{
    if (has_inside(s))
        uv_idle_start(&s->secure->inside, on_inside);
}

static void on_inside(uv_idle_t *inside)
{
    struct stream *s = container_of(inside, struct secure, inside)->stream;
    uv_idle_stop(inside);
    if (has_inside(s)) {
        s->on_event(s, STREAM_READABLE, 0);
        look_inside(s);
    }
}

static void fail_shaking(struct stream *s, int error)
{
    stop_polling(s);
    shake_line_leave(&s->secure->shaker);
    s->on_event(s, 0, error);
}

static void on_timed_out(struct shaker *shaker)
{
    struct stream *s = container_of(shaker, struct secure, shaker)->stream;
    tls_timed_out(s->secure->tls);
    fail_shaking(s, UV_ETIMEDOUT);
}

static void shake(struct stream *s)
{
    uint64_t begun = uv_hrtime();
    int done = tls_shake(s->secure->tls);
    shake_line_took(uv_hrtime() - begun);
    if (done < 0) {
        fail_shaking(s, done);
    } else if (done) {
        shake_line_leave(&s->secure->shaker);
        enter(s, STATE_OPEN);
        s->on_event(s, STREAM_OPEN, 0);
        look_inside(s);
    } else {
        update_poll(s);
    }
}

static void on_turn(struct shaker *shaker)
{
    shake(container_of(shaker, struct secure, shaker)->stream);
}

/* In line a connection is not polled: shake() begins with that again. */
static void shake_in_turn(struct stream *s)
{
    if (!s->secure->accepted || shake_line_ask(&s->secure->shaker))
        shake(s);
    else
        stop_polling(s);
}

/* Sends what the kernel had not taken. Returns what the owner is to hear of: of `happened`, and that it may write. */
__attribute__((noinline)) static unsigned send_behind(struct stream *s, unsigned happened)
{
    if (tls_flush(s->secure->tls) < 0)
        return happened | (s->want & STREAM_READABLE ? STREAM_READABLE : STREAM_GONE);
    if (tls_unsent(s->secure->tls) > 0)
        happened &= ~(unsigned)STREAM_WRITABLE;
    look_inside(s); /* it may have been too far behind for that */
    return happened & (s->want | (unsigned)STREAM_GONE);
}

static void finish_connecting(struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error) {
        stop_polling(s);
        s->on_event(s, 0, uv_translate_sys_error(error));
    } else if (s->secure) {
        enter(s, STATE_SHAKING);
        shake(s); /* the client begins */
    } else {
        enter(s, STATE_OPEN);
        s->on_event(s, STREAM_OPEN, 0);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *s = stream_of(poll);
    unsigned happened = 0;

    if (s->state == STATE_CONNECTING) {
        finish_connecting(s);
        return;
    }
    if (s->state == STATE_SHAKING) {
        if (status < 0)
            shake(s); /* which finds out what it is: libuv has stopped the poll */
        else
            shake_in_turn(s);
        return;
    }
    shake_line_serves_others();
    if (status < 0 || events == 0) {
        stop_polling(s);
        /* Whatever the owner waits for will not come otherwise; that it is over is said once. */
        happened = s->want | (s->gone ? 0 : (unsigned)(STREAM_READABLE | STREAM_GONE));
        s->gone = true;
        if (s->secure)
            (void)tls_flush(s->secure->tls); /* which fails, so that nothing is behind any longer */
    } else {
        if (events & UV_READABLE)
            happened |= STREAM_READABLE;
        if (events & UV_WRITABLE)
            happened |= STREAM_WRITABLE;
        if (events & UV_DISCONNECT) {
            happened |= STREAM_GONE;
            s->gone = true; /* said once: it stays true, and epoll would repeat it for ever */
            update_poll(s);
        }
    }
    if (s->secure && (happened & STREAM_WRITABLE))
        happened = send_behind(s, happened);
    if (happened)
        s->on_event(s, happened, 0);
    if (s->state == STATE_OPEN)
        update_poll(s); /* libuv stopped it, and the owner has not read to the end */
}

/* A Unix socket knows none of these; a TCP socket that refuses one works without. */
static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void watch_peer(int fd, int64_t keepalive_ms, int64_t user_timeout_ms)
{
    int seconds = (int)(keepalive_ms / 1000), third = seconds / 3;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
    if (seconds > 0) {
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, third > 0 ? third : 1);
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_QUESTIONS);
    }
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms);
}

void stream_watch_peer(struct stream *s, int64_t keepalive_ms, int64_t user_timeout_ms)
{
    watch_peer(s->fd, keepalive_ms, user_timeout_ms);
}

static int start(struct stream *s, uv_loop_t *loop, int fd, enum state state,
                 stream_on_event *on_event, stream_on_closed *on_closed)
{
    int error = uv_poll_init(loop, &s->poll, fd);
    if (error) {
        close(fd);
        return error;
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    watch_peer(fd, STREAM_KEEPALIVE_MS, STREAM_USER_TIMEOUT_MS);
    s->on_event = on_event;
    s->on_closed = on_closed;
    s->secure = NULL;
    s->fd = fd;
    s->want = 0;
    s->polling = 0;
    s->gone = false;
    enter(s, state);
    return 0;
}

int stream_connect(struct stream *s, uv_loop_t *loop, const struct address *to,
                   stream_on_event *on_event, stream_on_closed *on_closed)
{
    int fd = socket(to->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    if (connect(fd, &to->sa.any, to->len) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return uv_translate_sys_error(error);
    }
    return start(s, loop, fd, STATE_CONNECTING, on_event, on_closed);
}

int stream_accept(struct stream *s, uv_loop_t *loop, int fd, stream_on_event *on_event,
                  stream_on_closed *on_closed)
{
    return start(s, loop, fd, STATE_OPEN, on_event, on_closed);
}

void stream_secure(struct stream *s, struct tls_context *context, const char *name,
                   int64_t timeout_ms)
{
    struct secure *secure = calloc(1, sizeof(*secure));
    assert(!s->secure);
    if (!secure)
        out_of_memory(sizeof(*secure));
    secure->stream = s;
    secure->tls = tls_new(context, s->fd, name);
    secure->handles = 3;
    uv_idle_init(s->poll.loop, &secure->inside);
    shake_line_init(&secure->shaker, &secure->inside, timeout_ms, on_turn, on_timed_out);
    secure->accepted = s->state == STATE_OPEN;
    s->secure = secure;
    if (s->state == STATE_OPEN)
        enter(s, STATE_SHAKING);
}

const struct tls *stream_tls(const struct stream *s)
{
    return s->secure ? s->secure->tls : NULL;
}

const char *stream_strerror(const struct stream *s, int error)
{
    const char *why = s->secure ? tls_why(s->secure->tls) : "";
    return *why ? why : error == UV_EOF ? "closed by the peer" : uv_strerror(error);
}

bool stream_has_unsent(const struct stream *s)
{
    return tls_unsent(s->secure->tls) > 0;
}

const char *stream_peer(const struct stream *s, char *out, size_t size)
{
    struct address peer;
    if (address_of_socket(&peer, s->fd, true) != 0 || peer.sa.any.sa_family == AF_UNIX)
        snprintf(out, size, "unknown");
    else
        address_format(out, size, &peer);
    return out;
}

__attribute__((noinline)) static ssize_t read_secure(struct stream *s, void *into, size_t len)
{
    ssize_t n = tls_read(s->secure->tls, into, len);
    look_inside(s);
    return n;
}

__attribute__((noinline)) static ssize_t write_secure(struct stream *s, const struct iovec *parts,
                                                      int count)
{
    bool behind = stream_is_behind(s);
    ssize_t n = tls_write(s->secure->tls, parts, count);
    if (behind != stream_is_behind(s))
        update_poll(s);
    return n;
}

/* recv() and send() are points where a thread may be cancelled (pthreads(7)), and in a program with threads each call
 * pays some forty instructions for that. No thread of ours is ever cancelled: the kernel is called without it. */
static inline ssize_t receive(int fd, void *into, size_t len)
{
    return syscall(SYS_recvfrom, fd, into, len, 0, NULL, NULL);
}

static inline ssize_t transmit(int fd, const void *bytes, size_t len)
{
    return syscall(SYS_sendto, fd, bytes, len, MSG_NOSIGNAL, NULL, 0);
}

ssize_t stream_read(struct stream *s, void *into, size_t len)
{
    ssize_t n;
    assert(s->state == STATE_OPEN && len > 0);
    if (__builtin_expect(s->secure != NULL, 0))
        return read_secure(s, into, len);
    do
        n = receive(s->fd, into, len);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    if (n == 0)
        return UV_EOF;
    if (errno == EAGAIN)
        return 0;
    return uv_translate_sys_error(errno);
}

ssize_t stream_write(struct stream *s, const struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    ssize_t n;
    assert(s->state == STATE_OPEN);
    if (__builtin_expect(s->secure != NULL, 0))
        return write_secure(s, parts, count);
    do
        n = count == 1 ? transmit(s->fd, parts->iov_base, parts->iov_len)
                       : sendmsg(s->fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    if (errno == EAGAIN)
        return 0;
    return uv_translate_sys_error(errno);
}

__attribute__((noinline)) static void want_secure(struct stream *s)
{
    if (s->state == STATE_OPEN)
        update_poll(s);
    look_inside(s);
}

void stream_want(struct stream *s, unsigned events)
{
    s->want = (unsigned char)events;
    if (s->secure)
        want_secure(s);
    else if (s->state == STATE_OPEN)
        update_poll(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream *s = stream_of((uv_poll_t *)handle);
    enter(s, STATE_CLOSED);
    s->on_closed(s);
}

/* Of a stream with TLS: the last of three says that it is closed. */
static void secure_handle_closed(struct secure *secure)
{
    struct stream *s = secure->stream;
    if (--secure->handles > 0)
        return;
    s->secure = NULL;
    tls_free(secure->tls);
    free(secure);
    enter(s, STATE_CLOSED);
    s->on_closed(s);
}

static void on_secure_poll_closed(uv_handle_t *handle)
{
    secure_handle_closed(stream_of((uv_poll_t *)handle)->secure);
}

static void on_timer_closed(uv_handle_t *handle)
{
    secure_handle_closed(container_of((uv_timer_t *)handle, struct secure, shaker.timer));
}

static void on_inside_closed(uv_handle_t *handle)
{
    secure_handle_closed(container_of((uv_idle_t *)handle, struct secure, inside));
}

void stream_close(struct stream *s)
{
    if (s->state == STATE_CLOSING || s->state == STATE_CLOSED)
        return;
    if (s->secure && s->state == STATE_OPEN)
        tls_say_goodbye(s->secure->tls);
    enter(s, STATE_CLOSING);
    uv_close((uv_handle_t *)&s->poll, s->secure ? on_secure_poll_closed : on_handle_closed);
    if (s->secure) {
        shake_line_leave(&s->secure->shaker);
        uv_close((uv_handle_t *)&s->secure->shaker.timer, on_timer_closed);
        uv_close((uv_handle_t *)&s->secure->inside, on_inside_closed);
    }
    close(s->fd);
    s->fd = -1;
}

bool stream_has_input(const struct stream *s)
{
    int there = 0;
    if (s->secure && s->state == STATE_OPEN && tls_has_input(s->secure->tls))
        return true;
    return ioctl(s->fd, FIONREAD, &there) == 0 && there > 0;
}

bool stream_ended_short(const struct stream *s)
{
    return s->secure && tls_has_part(s->secure->tls);
}

bool stream_is_open(const struct stream *s)
{
    return s->state == STATE_OPEN;
}

bool stream_is_shaking(const struct stream *s)
{
    return s->state == STATE_SHAKING;
}
