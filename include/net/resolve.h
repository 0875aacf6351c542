/*
 * resolve: host names to addresses, without blocking the loop (libuv's
 * resolver threads). Numbers are answered at once, without a thread.
 */
#ifndef REDISPROXY_NET_RESOLVE_H
#define REDISPROXY_NET_RESOLVE_H

#include "net/address.h"

#include <uv.h>

struct resolve;

/* So many addresses of a name are taken, in the resolver's order. */
#define RESOLVE_MAX 32

/* Called once on the loop's thread unless cancelled: status 0 and the addresses, one at least, which are valid
 * during the call; or a negative libuv code (uv_strerror) and none. The resolve is gone when it returns. */
typedef void resolve_done(void *owner, int status, const struct address *addresses, size_t count);

/* Starts resolving; never calls `done` before it returns. Returns NULL when libuv refuses. */
struct resolve *resolve_start(uv_loop_t *loop, const struct endpoint *endpoint, resolve_done *done,
                              void *owner) __attribute__((warn_unused_result));

/* `done` will not be called any more; the resolve frees itself later, on the loop. */
void resolve_cancel(struct resolve *resolve);

#endif
