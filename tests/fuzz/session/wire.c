/*
 * wire: net/stream's functions, and the few of libuv's that the data path
 * calls, without sockets and without a clock. What stream.c and epoll promise
 * is kept: an end is told as STREAM_GONE once when nobody reads, a reset
 * always, writing takes what the peer has room for, on_closed comes later.
 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t wire_now;

static struct list wires;
static struct wire *dialled;
static uv_timer_t *timer; /* the router's */
static bool timer_set;

enum { CLOSED, OPEN, CONNECTING, CLOSING };

void fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: not so: %s: ", file, line, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

bool trace;

void trace_line(const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (int i = 0; i < len && i < (int)sizeof(text) - 1; i++)
        fputc(text[i] == '\r' ? ' ' : text[i] == '\n' ? '~' : text[i], stderr);
    fputc('\n', stderr);
}

static struct wire *wire_of(const struct stream *stream)
{
    return stream->poll.data;
}

static struct wire *new_wire(void)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    wire->room = ROOM_ENOUGH;
    list_append(&wires, &wire->in_wires);
    return wire;
}

void wires_begin(void)
{
    list_init(&wires);
    wire_now = 1000;
    timer = NULL;
    timer_set = false;
}

void wires_end(void)
{
    struct list *node;
    while ((node = list_take(&wires))) {
        struct wire *wire = container_of(node, struct wire, in_wires);
        CHECK(!wire->stream, "a stream was not closed");
        buf_free(&wire->in);
        free(wire);
    }
}

int wire_dial(const struct wire_peer *peer, void *owner, struct wire **wire)
{
    *wire = dialled = new_wire();
    dialled->peer = peer;
    dialled->owner = owner;
    return 0;
}

bool wire_open(const struct wire *wire)
{
    return wire->stream && wire->stream->state == OPEN;
}

/* ---- libuv ---- */

uint64_t uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return wire_now;
}

/* What is drawn from it is the same in each play of an input. */
uint64_t uv_hrtime(void)
{
    return 1;
}

/* Some descriptor: it is only asked how many there are. */
int uv_backend_fd(const uv_loop_t *loop)
{
    (void)loop;
    return 0;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *handle)
{
    (void)loop;
    timer = handle;
    return 0;
}

int uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    (void)repeat;
    handle->timer_cb = cb;
    handle->timeout = wire_now + timeout;
    timer_set = true;
    return 0;
}

int uv_is_active(const uv_handle_t *handle)
{
    (void)handle;
    return timer_set;
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
    (void)handle;
    (void)cb;
    timer_set = false;
}

const char *uv_strerror(int error)
{
    return error == UV_ECONNRESET ? "reset" : "broken";
}

void timers_run(void)
{
    if (!timer_set || timer->timeout > wire_now)
        return;
    timer_set = false;
    timer->timer_cb(timer);
}

/* ---- net/stream ---- */

/* node.c: whoever stands at the address. Returns an error when connecting is refused at once. */
int node_connected(const struct address *to, struct wire *wire);

static void start(struct stream *s, struct wire *wire, unsigned char state,
                  stream_on_event *on_event, stream_on_closed *on_closed)
{
    s->poll.data = wire;
    s->on_event = on_event;
    s->on_closed = on_closed;
    s->want = 0;
    s->gone = false;
    s->state = state;
    wire->stream = s;
}

int stream_connect(struct stream *s, uv_loop_t *loop, const struct address *to,
                   stream_on_event *on_event, stream_on_closed *on_closed)
{
    struct wire *wire = new_wire();
    (void)loop;
    wire->connecting = true;
    wire->end = node_connected(to, wire);
    start(s, wire, CONNECTING, on_event, on_closed);
    return 0;
}

int stream_accept(struct stream *s, uv_loop_t *loop, int fd, stream_on_event *on_event,
                  stream_on_closed *on_closed)
{
    (void)loop;
    (void)fd;
    start(s, dialled, OPEN, on_event, on_closed);
    return 0;
}

ssize_t stream_read(struct stream *s, void *into, size_t len)
{
    struct wire *wire = wire_of(s);
    size_t n = buf_len(&wire->in);
    CHECK(s->state == OPEN && len > 0, "a read on a stream that is not open");
    if (n == 0)
        return wire->end;
    if (n > len)
        n = len;
    memcpy(into, buf_head(&wire->in), n);
    buf_consume(&wire->in, n);
    return (ssize_t)n;
}

ssize_t stream_write(struct stream *s, const struct iovec *parts, int count)
{
    struct wire *wire = wire_of(s);
    struct buf all = {0};
    size_t taken;
    CHECK(s->state == OPEN, "a write on a stream that is not open");
    if (wire->end && wire->end != UV_EOF)
        return UV_EPIPE;
    for (int i = 0; i < count; i++)
        buf_append(&all, parts[i].iov_base, parts[i].iov_len);
    taken = buf_len(&all) < wire->room ? buf_len(&all) : wire->room;
    if (wire->room < ROOM_ENOUGH)
        wire->room -= taken;
    if (taken > 0 && wire->peer) /* otherwise the kernel took it, and nobody reads it */
        wire->peer->heard(wire->owner, buf_head(&all), taken);
    buf_free(&all);
    return (ssize_t)taken;
}

void stream_want(struct stream *s, unsigned events)
{
    s->want = (unsigned char)events;
}

void stream_close(struct stream *s)
{
    struct wire *wire = wire_of(s);
    if (s->state == CLOSING || s->state == CLOSED)
        return;
    s->state = CLOSING;
    if (wire->peer)
        wire->peer->ended(wire->owner);
    wire->peer = NULL;
}

void stream_watch_peer(struct stream *s, int64_t keepalive_ms, int64_t user_timeout_ms)
{
    (void)s;
    (void)keepalive_ms;
    (void)user_timeout_ms;
}

bool stream_has_input(const struct stream *s)
{
    return buf_len(&wire_of(s)->in) > 0;
}

bool stream_is_open(const struct stream *s)
{
    return s->state == OPEN;
}

/* ---- what epoll would tell ---- */

static bool has_connected(struct wire *wire)
{
    struct stream *s = wire->stream;
    wire->connecting = false;
    if (wire->end) {
        s->on_event(s, 0, wire->end);
    } else {
        s->state = OPEN;
        s->on_event(s, STREAM_OPEN, 0);
    }
    return true;
}

static bool tell(struct wire *wire)
{
    struct stream *s = wire->stream;
    unsigned happened = 0;
    bool reset = wire->end && wire->end != UV_EOF;
    if (reset && !wire->told) {
        happened = s->want | (s->gone ? 0u : (unsigned)(STREAM_READABLE | STREAM_GONE));
        wire->told = s->gone = true;
    } else {
        if ((s->want & STREAM_READABLE) && (buf_len(&wire->in) > 0 || wire->end))
            happened |= STREAM_READABLE;
        if ((s->want & STREAM_WRITABLE) && wire->room > 0)
            happened |= STREAM_WRITABLE;
        if (!(s->want & STREAM_READABLE) && wire->end && !s->gone) {
            happened |= STREAM_GONE;
            s->gone = true;
        }
    }
    if (happened)
        s->on_event(s, happened, 0);
    return happened != 0;
}

bool wires_turn(void)
{
    bool told = false;
    list_each (it, &wires) {
        struct wire *wire = container_of(it, struct wire, in_wires);
        struct stream *s = wire->stream;
        if (!s)
            continue;
        if (s->state == CLOSING) {
            s->state = CLOSED;
            wire->stream = NULL;
            s->on_closed(s);
            told = true;
        } else if (wire->connecting) {
            told |= has_connected(wire);
        } else if (s->state == OPEN) {
            told |= tell(wire);
        }
    }
    return told;
}
