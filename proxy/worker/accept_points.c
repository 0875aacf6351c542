/* accept_points: see the header. */
#include "worker/accept_points.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/listener.h"
#include "worker/clients.h"

#include <stdlib.h>

static struct accept_point *point_of(struct list *node)
{
    return container_of(node, struct accept_point, in_worker);
}

static struct accept_point *find(struct worker *w, const struct address *address)
{
    list_each (it, &w->accept_points)
        if (address_equal(&point_of(it)->options->address, address))
            return point_of(it);
    return NULL;
}

static void close_point(struct accept_point *point)
{
    if (point->listener)
        listener_close(point->listener);
    list_remove(&point->in_worker);
    traffic_listener_release(point->options);
    free(point);
}

static int open_point(struct worker *w, const struct traffic_listener_options *options, int fd)
{
    struct accept_point *point = calloc(1, sizeof(*point));
    char text[ENDPOINT_TEXT_MAX];
    if (!point)
        out_of_memory(sizeof(*point));
    point->worker = w;
    point->options = traffic_listener_keep(options);
    list_append(&w->accept_points, &point->in_worker);
    point->listener = listener_open(&w->loop, fd, clients_on_accept, point);
    if (point->listener)
        return 0;
    log_event(LOG_ERROR, "a listener could not be opened", "address=%s",
              address_format(text, sizeof(text), &options->address));
    close_point(point);
    return -1;
}

/* Sessions that are there keep what they began with. */
static void change_point(struct accept_point *point, const struct traffic_listener_options *options)
{
    traffic_listener_release(point->options);
    point->options = traffic_listener_keep(options);
}

int accept_points_follow(struct worker *w, const struct traffic_options *options,
                         const int *listen_fds)
{
    int result = 0;
    list_each (it, &w->accept_points)
        if (!traffic_listener_at(options, &point_of(it)->options->address))
            close_point(point_of(it));
    for (size_t i = 0; i < options->listener_count; i++) {
        const struct traffic_listener_options *listener = &options->listeners[i];
        struct accept_point *point = find(w, &listener->address);
        if (point)
            change_point(point, listener);
        else if (open_point(w, listener, listen_fds[i]) != 0)
            result = -1;
    }
    return result;
}

void accept_points_empty(struct worker *w)
{
    list_each (it, &w->accept_points)
        if (point_of(it)->listener)
            listener_accept_rest(point_of(it)->listener);
}

void accept_points_hold(struct worker *w, bool hold)
{
    list_each (it, &w->accept_points)
        if (point_of(it)->listener)
            listener_hold(point_of(it)->listener, hold);
}

void accept_points_close(struct worker *w)
{
    list_each (it, &w->accept_points)
        close_point(point_of(it));
}
