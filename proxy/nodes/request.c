/*
 * request: allocation and completion. A worker keeps a bounded number of
 * finished requests for the next ones; payloads over REQUEST_INLINE bytes live
 * on the heap, and stay with their request while they are small and few.
 */
#include "nodes/request.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* More than this many idle requests are given back to the heap. */
#define KEEP_MAX 4096
/* A request keeps so much memory, all of them together so much. */
#define KEEP_BYTES_EACH ((size_t)32 * 1024)
#define KEEP_BYTES_MAX ((size_t)2 * 1024 * 1024)

void request_pool_init(struct request_pool *pool, size_t size)
{
    assert(size >= sizeof(struct request));
    pool->size = size;
    list_init(&pool->free);
    list_init(&pool->roomy);
    pool->kept = pool->kept_bytes = pool->live = pool->live_heap = 0;
}

void request_pool_free(struct request_pool *pool)
{
    struct list *node;
    while ((node = list_take(&pool->free)))
        free(container_of(node, struct request, in_upstream));
    while ((node = list_take(&pool->roomy))) {
        struct request *request = container_of(node, struct request, in_upstream);
        free(request->data);
        free(request);
    }
    pool->kept = pool->kept_bytes = 0;
}

static bool has_heap(const struct request *request)
{
    return request->data != request->own_data;
}

/* One that was kept, or NULL. */
static struct request *take_kept(struct request_pool *pool, size_t len)
{
    struct list *node = NULL;
    struct request *request;
    if (len > REQUEST_INLINE)
        node = list_take(&pool->roomy);
    if (!node)
        node = list_take(&pool->free);
    if (!node)
        return NULL;
    request = container_of(node, struct request, in_upstream);
    pool->kept--;
    if (has_heap(request))
        pool->kept_bytes -= request->cap;
    return request;
}

static void free_bytes(struct request *request)
{
    if (request->secret)
        explicit_bzero(request->data, request->cap);
    if (has_heap(request)) {
        request->pool->live_heap -= request->cap;
        free(request->data);
    }
    request->data = request->own_data;
}

__attribute__((noinline)) static bool grow(struct request *request, size_t len)
{
    char *data;
    if (has_heap(request) && !request->secret) {
        data = realloc(request->data, len);
        if (!data)
            return false;
        request->pool->live_heap -= request->cap;
    } else {
        data = malloc(len);
        if (!data)
            return false;
        memcpy(data, request->data, request->len);
        free_bytes(request);
    }
    request->pool->live_heap += len;
    request->data = data;
    request->cap = len;
    return true;
}

struct request *request_try_new(struct request_pool *pool, size_t len)
{
    struct request *request = take_kept(pool, len);
    char *data = NULL;
    size_t cap = 0;
    if (!request) {
        request = malloc(pool->size);
        if (!request)
            out_of_memory(pool->size);
    } else if (has_heap(request)) {
        data = request->data;
        cap = request->cap;
        pool->live_heap += cap;
    }
    memset(&request->len, 0, offsetof(struct request, own_data) - offsetof(struct request, len));
    list_init(&request->in_upstream);
    request->data = data ? data : request->own_data;
    request->cap = data ? cap : sizeof(request->own_data);
    request->pool = pool;
    pool->live++;
    if (len <= request->cap || grow(request, len))
        return request;
    request_free(pool, request);
    return NULL;
}

struct request *request_new(struct request_pool *pool, size_t len)
{
    struct request *request = request_try_new(pool, len);
    if (!request)
        out_of_memory(len);
    return request;
}

bool request_try_reserve(struct request *request, size_t len)
{
    return len <= request->cap || grow(request, len);
}

void request_reserve(struct request *request, size_t len)
{
    if (len > request->cap && !grow(request, len))
        out_of_memory(len);
}

void request_set_bytes(struct request *request, const void *bytes, size_t len)
{
    request_reserve(request, len);
    memcpy(request->data, bytes, len);
    request->len = len;
}

struct request *request_own(struct request_pool *pool, struct slice bytes,
                            const struct request_owner *owner, void *owner_data)
{
    struct request *request = request_new(pool, bytes.len);
    request_set_bytes(request, bytes.data, bytes.len);
    request->own = true;
    request->owner = owner;
    request->owner_data = owner_data;
    return request;
}

struct request *request_own_words(struct request_pool *pool, int argc, const struct slice *argv,
                                  const struct request_owner *owner, void *owner_data)
{
    struct buf bytes = {0};
    struct request *request;
    resp_append_command(&bytes, argc, argv);
    request = request_own(pool, buf_slice(&bytes), owner, owner_data);
    buf_free(&bytes);
    return request;
}

void request_forbidden(const struct request *request, enum request_state to)
{
    state_forbidden(&request_states, request->state, to);
}

/* Its memory stays with it, if there is not too much of that, and nothing secret in it. */
static bool stays_roomy(const struct request_pool *pool, const struct request *request)
{
    return has_heap(request) && !request->secret && request->cap <= KEEP_BYTES_EACH &&
           pool->kept_bytes + request->cap <= KEEP_BYTES_MAX;
}

void request_free(struct request_pool *pool, struct request *request)
{
    assert(!list_linked(&request->in_upstream));
    buf_free(&request->reply);
    pool->live--;
    if (pool->kept >= KEEP_MAX) {
        free_bytes(request);
        free(request);
        return;
    }
    pool->kept++;
    if (stays_roomy(pool, request)) {
        pool->kept_bytes += request->cap;
        pool->live_heap -= request->cap;
        list_prepend(&pool->roomy, &request->in_upstream);
    } else {
        if (has_heap(request) || request->secret)
            free_bytes(request);
        list_prepend(&pool->free, &request->in_upstream);
    }
}

void request_deliver(struct request_pool *pool, struct request *request, const char *data,
                     size_t len, bool first, bool last)
{
    if (request->owner)
        request->owner->on_reply(request, data, len, first, last);
    else if (last)
        request_free(pool, request);
}

void request_fail(struct request_pool *pool, struct request *request, enum request_failure why,
                  const char *text)
{
    if (request->owner)
        request->owner->on_failed(request, why, text);
    else
        request_free(pool, request);
}
