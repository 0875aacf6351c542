/* page_streams: see the header. */
#include "ops/page_streams.h"

#include "ops/http_answer.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* How long a browser waits before it comes again, in an event. */
#define RETRY "retry: 2000\n"
#define BLOCK_BYTES 4096

/* An event's text, which several streams send. */
struct event {
    size_t refs, len;
    char text[];
};

struct stream {
    struct list in_streams;
    struct page_streams *streams;
    struct MHD_Connection *connection;
    struct http_connection *place; /* of http_connections */
    int fd;
    bool fresh;     /* it is to get everything */
    bool suspended; /* libmicrohttpd does not ask it for bytes */
    bool over;      /* it has gone, or was cut */
    struct event *event;
    size_t at; /* of its text */
};

/* ---- events ---- */

static struct event *event_new(const char *name, const char *json)
{
    size_t size = strlen(RETRY) + strlen(name) + strlen(json) + 32;
    struct event *event = malloc(sizeof(*event) + size);
    if (!event)
        abort();
    event->refs = 1;
    event->len = (size_t)snprintf(event->text, size, RETRY "event: %s\ndata: %s\n\n", name, json);
    return event;
}

static void event_release(struct event *event)
{
    if (event && --event->refs == 0)
        free(event);
}

/* ---- what libmicrohttpd asks ---- */

static void resume(struct stream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = false;
    MHD_resume_connection(stream->connection);
}

static ssize_t on_read(void *owner, uint64_t pos, char *out, size_t max)
{
    struct stream *stream = owner;
    (void)pos;
    if (stream->over)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t left = stream->event ? stream->event->len - stream->at : 0;
    if (!left) {
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
        return 0;
    }
    size_t len = left < max ? left : max;
    memcpy(out, stream->event->text + stream->at, len);
    stream->at += len;
    return (ssize_t)len;
}

static void on_free(void *owner)
{
    struct stream *stream = owner;
    list_remove(&stream->in_streams);
    stream->streams->count--;
    event_release(stream->event);
    free(stream);
}

/* ---- opening ---- */

static struct stream *stream_new(struct page_streams *streams, struct MHD_Connection *connection)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        abort();
    stream->streams = streams;
    stream->connection = connection;
    stream->place =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    stream->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    stream->fresh = true;
    list_append(&streams->all, &stream->in_streams);
    streams->count++;
    return stream;
}

void page_streams_init(struct page_streams *streams, struct http_connections *connections)
{
    *streams = (struct page_streams){.connections = connections};
    list_init(&streams->all);
}

enum MHD_Result page_streams_open(struct page_streams *streams, struct MHD_Connection *connection)
{
    struct stream *stream = stream_new(streams, connection);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, stream, on_free);
    if (!response) {
        on_free(stream);
        return MHD_NO;
    }
    http_add_headers(response, "text/event-stream", NULL);
    MHD_add_response_header(response, "X-Accel-Buffering", "no");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- sending ---- */

/* Whether all that was given to its socket has been acknowledged. */
static bool is_idle(const struct stream *stream)
{
    int waiting = 0;
    return stream->suspended && ioctl(stream->fd, SIOCOUTQ, &waiting) == 0 && waiting == 0;
}

static void give(struct stream *stream, struct event *event, int64_t now_ms)
{
    /* The last one was acknowledged: the deadline begins anew. */
    if (stream->event)
        http_connection_answered(stream->streams->connections, stream->place, now_ms);
    event_release(stream->event);
    stream->event = event;
    event->refs++;
    stream->at = 0;
    stream->fresh = false;
    resume(stream);
}

bool page_streams_want_whole(const struct page_streams *streams)
{
    list_each (it, &streams->all) {
        const struct stream *stream = container_of(it, struct stream, in_streams);
        if (stream->fresh && is_idle(stream))
            return true;
    }
    return false;
}

void page_streams_send(struct page_streams *streams, const char *whole, const char *update,
                       int64_t now_ms)
{
    struct event *all = whole ? event_new("status", whole) : NULL;
    struct event *next = update ? event_new("update", update) : NULL;
    list_each (it, &streams->all) {
        struct stream *stream = container_of(it, struct stream, in_streams);
        struct event *event = stream->fresh ? all : next;
        if (event && is_idle(stream))
            give(stream, event, now_ms);
        else if (next)
            stream->fresh = true; /* it misses this one */
    }
    event_release(all);
    event_release(next);
}

/* ---- their ends ---- */

static bool has_gone(const struct stream *stream)
{
    struct pollfd fd = {.fd = stream->fd, .events = POLLRDHUP};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

void page_streams_look(struct page_streams *streams)
{
    list_each (it, &streams->all) {
        struct stream *stream = container_of(it, struct stream, in_streams);
        /* One that is cut is in no list of http_connections. */
        stream->over = stream->over || !list_linked(&stream->place->entry) || has_gone(stream);
        if (stream->over)
            resume(stream);
    }
}

void page_streams_end(struct page_streams *streams)
{
    list_each (it, &streams->all) {
        struct stream *stream = container_of(it, struct stream, in_streams);
        stream->over = true;
        resume(stream);
    }
}
