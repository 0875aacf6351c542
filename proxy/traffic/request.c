/*
 * request: allocation and completion. A worker keeps a bounded number of
 * finished requests for the next ones; payloads over REQUEST_INLINE bytes live
 * on the heap and go with their request.
 */
#include "traffic/request.h"

#include "traffic/identity.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* More than this many idle requests are given back to the heap. */
#define KEEP_MAX 4096

void request_pool_init(struct request_pool *pool)
{
    list_init(&pool->free);
    pool->kept = pool->live = 0;
}

void request_pool_free(struct request_pool *pool)
{
    struct list *node;
    while ((node = list_take(&pool->free)))
        free(container_of(node, struct request, in_session));
    pool->kept = 0;
}

struct request *request_new(struct request_pool *pool, size_t len)
{
    struct list *node = list_take(&pool->free);
    struct request *request;
    if (node) {
        request = container_of(node, struct request, in_session);
        pool->kept--;
    } else {
        request = malloc(sizeof(*request));
        if (!request)
            abort();
    }
    memset(request, 0, offsetof(struct request, own_data));
    list_init(&request->in_session);
    list_init(&request->in_upstream);
    request->data = request->own_data;
    request->cap = sizeof(request->own_data);
    pool->live++;
    request_reserve(request, len);
    return request;
}

static void free_bytes(struct request *request)
{
    if (request->secret)
        explicit_bzero(request->data, request->cap);
    if (request->data != request->own_data)
        free(request->data);
}

void request_reserve(struct request *request, size_t len)
{
    char *data;
    if (len <= request->cap)
        return;
    if (request->data != request->own_data && !request->secret) {
        data = realloc(request->data, len);
        if (!data)
            abort();
    } else {
        data = malloc(len);
        if (!data)
            abort();
        memcpy(data, request->data, request->len);
        free_bytes(request);
    }
    request->data = data;
    request->cap = len;
}

void request_set_bytes(struct request *request, const void *bytes, size_t len)
{
    request_reserve(request, len);
    memcpy(request->data, bytes, len);
    request->len = len;
}

void request_free(struct request_pool *pool, struct request *request)
{
    assert(!list_linked(&request->in_session) && !list_linked(&request->in_upstream));
    assert(!request->fan);
    free_bytes(request);
    buf_free(&request->reply);
    if (request->adopt)
        identity_release(request->adopt);
    pool->live--;
    if (pool->kept >= KEEP_MAX) {
        free(request);
        return;
    }
    pool->kept++;
    list_prepend(&pool->free, &request->in_session);
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
