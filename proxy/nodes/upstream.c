/*
 * upstream: its beginning, the events of its socket, and its memory, which is freed in the socket's last callback. The
 * header has its life; upstream_parts.h says which of its files does what.
 */
#include "net/tls_source.h"
#include "nodes/upstream_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define UPSTREAM_MAGIC 0x75707374u

static struct upstream *upstream_of(struct stream *stream)
{
    struct upstream *up = container_of(stream, struct upstream, stream);
    assert(up->magic == UPSTREAM_MAGIC);
    return up;
}

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct upstream *up = upstream_of(stream);
    if (error) {
        upstream_broke(up, error);
        return;
    }
    if (events & STREAM_OPEN) {
        up->owner->on_open(up);
        upstream_update_want(up);
        return;
    }
    if (events & (STREAM_READABLE | STREAM_GONE))
        upstream_read(up);
    if ((events & STREAM_WRITABLE) && up->state != UPSTREAM_CLOSED)
        upstream_mark_dirty(up); /* it is written when the newest snapshot has been seen */
}

static void on_closed(struct stream *stream)
{
    struct upstream *up = upstream_of(stream);
    assert(upstream_idle(up));
    up->magic = 0;
    free(up);
}

static void secure(struct stream *stream, struct tls_source *source, const char *host)
{
    struct tls_context *context = tls_source_context(source);
    stream_secure(stream, context, host, 0);
    tls_context_release(context);
}

static void begin(struct upstream *up, struct turn *turn, const struct target *target,
                  struct identity *identity, const struct upstream_owner *owner, void *owner_data)
{
    up->magic = UPSTREAM_MAGIC;
    up->turn = turn;
    up->traffic = up->node_traffic = &turn->uncounted;
    up->owner = owner;
    up->owner_data = owner_data;
    list_init(&up->in_pool);
    list_init(&up->in_idle);
    list_init(&up->in_turn);
    list_init(&up->in_evicting);
    list_init(&up->queue);
    list_init(&up->pending);
    up->send_at = &up->queue;
    identity_retain(identity);
    up->identity = identity;
    up->group = target->group;
    up->node = target->node;
    up->tenure = target->view->tenure;
    up->purpose = target->purpose;
    snprintf(up->name, sizeof(up->name), "%s", target->view->name);
}

struct upstream *upstream_open(struct turn *turn, const struct target *target,
                               struct identity *identity,
                               const struct traffic_group_options *options,
                               const struct upstream_owner *owner, void *owner_data,
                               const char **error)
{
    struct upstream *up = calloc(1, sizeof(*up));
    int status;
    if (!up)
        abort();
    status = stream_connect(&up->stream, turn->loop, &target->view->address, on_event, on_closed);
    if (status) {
        *error = uv_strerror(status);
        free(up);
        return NULL;
    }
    if (options->tls)
        secure(&up->stream, options->tls, target->view->host);
    begin(up, turn, target, identity, owner, owner_data);
    up->deadline_ms = turn_now(turn) + options->connect_timeout_ms;
    return up;
}

struct upstream *upstream_adopt(struct turn *turn, const struct target *target,
                                struct identity *identity, int fd,
                                const struct upstream_owner *owner, void *owner_data)
{
    struct upstream *up = calloc(1, sizeof(*up));
    if (!up)
        abort();
    if (stream_accept(&up->stream, turn->loop, fd, on_event, on_closed) != 0) {
        free(up);
        return NULL;
    }
    begin(up, turn, target, identity, owner, owner_data);
    return up;
}

void upstream_adopted(struct upstream *up)
{
    upstream_enter(up, UPSTREAM_VERIFYING);
    upstream_enter(up, UPSTREAM_ENTERING);
    upstream_enter(up, UPSTREAM_READY);
    upstream_update_want(up);
}

bool upstream_may_move(const struct upstream *up)
{
    return up->state == UPSTREAM_READY && up->leased && !stream_tls(&up->stream) && !up->retired &&
           !up->paused && !up->ended && !up->tunnel && upstream_may_tap(up) && upstream_idle(up);
}

void upstream_set_tunnel(struct upstream *up, upstream_bytes *tunnel)
{
    up->tunnel = tunnel;
}

void upstream_set_tap(struct upstream *up, const struct upstream_tap *tap)
{
    assert(up->reply.total == 0);
    up->tap = tap;
}
