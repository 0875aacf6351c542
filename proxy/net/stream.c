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
 */
#include "net/stream.h"

#include "base/list.h"
#include "base/state.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Unanswered questions of keep-alive after which the peer is gone, as Redis has it. */
#define KEEPALIVE_QUESTIONS 3

/* CLOSED is 0: what an owner zeroed is a stream that was never open. */
enum state { STATE_CLOSED, STATE_CONNECTING, STATE_OPEN, STATE_CLOSING };

static const struct state_row rows[] = {
    [STATE_CLOSED] = {"closed", STATE_BIT(STATE_CONNECTING) | STATE_BIT(STATE_OPEN)},
    [STATE_CONNECTING] = {"connecting", STATE_BIT(STATE_OPEN) | STATE_BIT(STATE_CLOSING)},
    [STATE_OPEN] = {"open", STATE_BIT(STATE_CLOSING)},
    [STATE_CLOSING] = {"closing", STATE_BIT(STATE_CLOSED)},
};
static const struct state_table table = STATE_TABLE("stream", rows);

static struct stream *stream_of(uv_poll_t *poll)
{
    return container_of(poll, struct stream, poll);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Tells epoll what the state and the owner's wishes ask for, if that changed. */
static void update_poll(struct stream *s)
{
    unsigned char polling;
    if (s->state == STATE_CONNECTING)
        polling = UV_WRITABLE;
    else
        polling = (unsigned char)((s->want & STREAM_READABLE ? UV_READABLE : UV_DISCONNECT) |
                                  (s->want & STREAM_WRITABLE ? UV_WRITABLE : 0));
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
    if (state == STATE_CONNECTING || state == STATE_OPEN)
        update_poll(s);
}

static void finish_connecting(struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error) {
        uv_poll_stop(&s->poll);
        s->polling = 0;
        s->on_event(s, 0, uv_translate_sys_error(error));
        return;
    }
    enter(s, STATE_OPEN);
    s->on_event(s, STREAM_OPEN, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *s = stream_of(poll);
    unsigned happened = 0;

    if (s->state == STATE_CONNECTING) {
        finish_connecting(s);
        return;
    }
    if (status < 0 || events == 0) {
        uv_poll_stop(&s->poll);
        s->polling = 0;
        /* Whatever the owner waits for will not come otherwise; that it is over is said once. */
        happened = s->want | (s->gone ? 0 : (unsigned)(STREAM_READABLE | STREAM_GONE));
        s->gone = true;
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

ssize_t stream_read(struct stream *s, void *into, size_t len)
{
    ssize_t n;
    assert(s->state == STATE_OPEN && len > 0);
    do
        n = recv(s->fd, into, len, 0);
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
    do
        n = count == 1 ? send(s->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
                       : sendmsg(s->fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    if (errno == EAGAIN)
        return 0;
    return uv_translate_sys_error(errno);
}

void stream_want(struct stream *s, unsigned events)
{
    s->want = (unsigned char)events;
    if (s->state == STATE_OPEN)
        update_poll(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream *s = stream_of((uv_poll_t *)handle);
    enter(s, STATE_CLOSED);
    s->on_closed(s);
}

void stream_close(struct stream *s)
{
    if (s->state == STATE_CLOSING || s->state == STATE_CLOSED)
        return;
    enter(s, STATE_CLOSING);
    uv_close((uv_handle_t *)&s->poll, on_handle_closed);
    close(s->fd);
    s->fd = -1;
}

bool stream_has_input(const struct stream *s)
{
    int there = 0;
    return ioctl(s->fd, FIONREAD, &there) == 0 && there > 0;
}

bool stream_is_open(const struct stream *s)
{
    return s->state == STATE_OPEN;
}
