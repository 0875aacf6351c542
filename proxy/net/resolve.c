/*
 * resolve: host names to addresses, on libuv's resolver threads.
 *
 * One resolve is either a timer that fires on the next loop turn (a number:
 * nothing to ask, but `done` must not run inside resolve_start) or a request
 * to a thread. Cancelling a request that a thread already works on cannot
 * stop that thread: the resolve forgets its owner and frees itself when the
 * thread is done, so a loop can only be closed after that.
 */
#include "net/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
    union {
        uv_timer_t timer;
        uv_getaddrinfo_t request;
    } uv;
    struct address number; /* len 0: a name, asked of the resolver */
    resolve_done *done;    /* NULL: cancelled */
    void *owner;
};

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void number_ready(uv_timer_t *timer)
{
    struct resolve *resolve = timer->data;
    resolve_done *done = resolve->done;
    resolve->done = NULL;
    uv_close((uv_handle_t *)timer, timer_closed);
    done(resolve->owner, 0, &resolve->number, 1);
}

/* The resolver's list in its order, each address once. Returns how many there are. */
static size_t take_all(struct address *out, const struct addrinfo *found)
{
    size_t count = 0;
    for (const struct addrinfo *at = found; at && count < RESOLVE_MAX; at = at->ai_next) {
        struct address *address = &out[count];
        size_t same = 0;
        if (at->ai_addrlen > sizeof(address->sa))
            continue;
        *address = (struct address){.len = at->ai_addrlen};
        memcpy(&address->sa, at->ai_addr, at->ai_addrlen);
        while (same < count && !address_equal(&out[same], address))
            same++;
        count += same == count;
    }
    return count;
}

static void name_ready(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct resolve *resolve = request->data;
    struct address addresses[RESOLVE_MAX];
    size_t count = status == 0 ? take_all(addresses, found) : 0;
    if (status == 0 && count == 0)
        status = UV_EAI_NODATA;
    uv_freeaddrinfo(found);
    if (resolve->done)
        resolve->done(resolve->owner, status, addresses, count);
    free(resolve);
}

static int start_name(uv_loop_t *loop, struct resolve *resolve, const struct endpoint *endpoint)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)endpoint->port);
    resolve->uv.request.data = resolve;
    return uv_getaddrinfo(loop, &resolve->uv.request, name_ready, endpoint->host, service, &hints);
}

static int start_number(uv_loop_t *loop, struct resolve *resolve)
{
    int error = uv_timer_init(loop, &resolve->uv.timer);
    if (error)
        return error;
    resolve->uv.timer.data = resolve;
    return uv_timer_start(&resolve->uv.timer, number_ready, 0, 0);
}

struct resolve *resolve_start(uv_loop_t *loop, const struct endpoint *endpoint, resolve_done *done,
                              void *owner)
{
    struct resolve *resolve = calloc(1, sizeof(*resolve));
    if (!resolve)
        return NULL;
    resolve->done = done;
    resolve->owner = owner;
    bool number = address_from_number(&resolve->number, endpoint->host, endpoint->port) == 0;
    int error = number ? start_number(loop, resolve) : start_name(loop, resolve, endpoint);
    if (!error)
        return resolve;
    free(resolve);
    return NULL;
}

void resolve_cancel(struct resolve *resolve)
{
    resolve->done = NULL;
    if (resolve->number.len) {
        if (!uv_is_closing((uv_handle_t *)&resolve->uv.timer))
            uv_close((uv_handle_t *)&resolve->uv.timer, timer_closed);
    } else {
        uv_cancel((uv_req_t *)&resolve->uv.request);
    }
}
