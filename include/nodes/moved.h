/*
 * moved: a lease that goes to another process with its session: its socket, and what must be known of it there. Of a
 * subscriber no message is lost so, nor comes twice, and a node goes on to track what its client has cached.
 *
 * It is taken only where the new process knows the node at that address as what the lease is for, and as the same process
 * of Redis, as far as both know. The worker's thread.
 */
#ifndef REDISPROXY_NODES_MOVED_H
#define REDISPROXY_NODES_MOVED_H

#include "nodes/router.h"
#include "nodes/upstream.h"

struct moved_upstream {
    struct address node;
    enum purpose purpose;
    uint64_t client_id; /* at the node; 0: unknown */
    uint32_t process;   /* topology_process(); 0: unknown */
    int fd;
};

/* Describes it. Returns false when it cannot be moved now (upstream_may_move()), or its node is not known any more. The
 * socket stays the upstream's. */
bool router_describe_lease(const struct router *router, const struct upstream *lease,
                           struct moved_upstream *out);

/* Takes it for a session with this place. NULL: it is of no use here, and closed. */
struct upstream *router_adopt_lease(struct router *router, struct place *place,
                                    const struct moved_upstream *moved, struct identity *identity,
                                    upstream_lost *on_lost, void *lease_data);

#endif
