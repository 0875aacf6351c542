/*
 * listener: accepting. When the process has no descriptor left, the waiting
 * client is accepted with a spare one and closed: otherwise it would wait
 * without an answer, and epoll would report it for ever. When not even the
 * spare one is left, nobody is accepted for a moment.
 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Connections accepted before the loop may do something else. */
#define ACCEPT_BATCH 64
/* The last ones before it is closed: one accept() takes some microseconds. */
#define ACCEPT_REST 256
#define PAUSE_MS 100

struct listener {
    uv_poll_t poll;
    uv_timer_t pause;
    listener_on_accept *on_accept;
    void *owner;
    int fd;
    int spare;
    bool closing, held;
};

int listener_bind(const struct address *address, int backlog)
{
    int on = 1, error;
    int fd = socket(address->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (address->sa.any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, &address->sa.any, address->len) != 0 || listen(fd, backlog) != 0) {
        error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    if (listener->held)
        return;
    uv_poll_start(&listener->poll, UV_READABLE, on_poll);
}

static void pause_accepting(struct listener *listener)
{
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->pause, on_pause_over, PAUSE_MS, 0);
}

/* Returns false when that cannot be done either. */
static bool refuse_one(struct listener *listener)
{
    int fd;
    if (listener->spare < 0)
        listener->spare = open_spare();
    if (listener->spare < 0)
        return false;
    close(listener->spare);
    fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    listener->spare = open_spare();
    return true;
}

/* At most `most`, as long as somebody waits. */
static void accept_batch(struct listener *listener, int most)
{
    for (int i = 0; i < most && !listener->closing; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->on_accept(listener->owner, fd);
            continue;
        }
        int error = errno;
        bool none_left = error == EMFILE || error == ENFILE;
        if (none_left && !refuse_one(listener)) {
            pause_accepting(listener);
            return;
        }
        if (!none_left && error != ECONNABORTED && error != EINTR)
            return;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status >= 0)
        accept_batch(poll->data, ACCEPT_BATCH);
}

void listener_hold(struct listener *listener, bool hold)
{
    listener->held = hold;
    if (hold)
        uv_poll_stop(&listener->poll);
    else
        uv_poll_start(&listener->poll, UV_READABLE, on_poll);
}

void listener_accept_rest(struct listener *listener)
{
    accept_batch(listener, ACCEPT_REST);
}

struct listener *listener_open(uv_loop_t *loop, int fd, listener_on_accept *on_accept, void *owner)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener || uv_poll_init(loop, &listener->poll, fd) != 0) {
        free(listener);
        close(fd);
        return NULL;
    }
    uv_timer_init(loop, &listener->pause);
    listener->pause.data = listener;
    listener->poll.data = listener;
    listener->on_accept = on_accept;
    listener->owner = owner;
    listener->fd = fd;
    listener->spare = open_spare();
    uv_poll_start(&listener->poll, UV_READABLE, on_poll);
    return listener;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    uv_close((uv_handle_t *)&listener->pause, on_closed);
}

void listener_close(struct listener *listener)
{
    if (listener->closing)
        return;
    listener->closing = true;
    uv_timer_stop(&listener->pause);
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    close(listener->fd);
    if (listener->spare >= 0)
        close(listener->spare);
}
