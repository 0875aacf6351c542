/*
 * pool: a worker's upstreams. For each (node, purpose, identity) there is a
 * slot with at most one shared upstream and the idle leases. It also remembers
 * which nodes do not let themselves be used right now, so that a node that is
 * down is tried every few milliseconds and not by every request.
 *
 * One worker's thread only.
 */
#ifndef REDISPROXY_NODES_POOL_H
#define REDISPROXY_NODES_POOL_H

#include "nodes/identity.h"
#include "nodes/options.h"
#include "nodes/turn.h"
#include "nodes/upstream.h"
#include "threads/rights.h"

struct pool;

/* `on_change(data, group)`: an upstream became ready or a node may be tried again: what is held may
 * be tried. `rights`: one for each group. */
struct pool *pool_new(struct turn *turn, const struct traffic_options *options,
                      struct rights *rights, void (*on_change)(void *data, size_t group),
                      void *data);
/* `on_gone(data, group, node)`: a connection to the node ended unasked, or was the last one. */
void pool_on_gone(struct pool *pool, void (*on_gone)(void *data, size_t group, uint64_t node));
/* Cuts every upstream; free the pool once the loop has run their last callbacks (pool_empty). */
void pool_close(struct pool *pool);
bool pool_empty(const struct pool *pool);
void pool_free(struct pool *pool);

/* The newest topology, borrowed until the next call: cuts what is no longer what it was used for
 * and takes back what was not yet written where writing is to stop. */
void pool_adopt(struct pool *pool, const struct topology *topology);

/* The shared upstream of this node for this identity, connecting if need be. NULL: the node cannot
 * be used right now. */
struct upstream *pool_shared(struct pool *pool, const struct target *target,
                             struct identity *identity);

/* The same for AUTH, which must not stand behind anything that is unanswered: the shared one while it
 * is idle, otherwise one that is asked one thing at a time. From Redis 7.2 on, WRONGPASS is not said to
 * whom other replies are due, and every later reply would go to the wrong client. */
struct upstream *pool_auth_upstream(struct pool *pool, const struct target *target,
                                    struct identity *identity);

/* An upstream for one holder alone: an idle one, or a new one. NULL as above. When it is cut,
 * on_lost(lease_data) is called before the requests on it fail. */
struct upstream *pool_lease(struct pool *pool, const struct target *target,
                            struct identity *identity, upstream_lost *on_lost, void *lease_data);

/* Ends a lease; its holder is not called any more. `clean`: the connection's state is as it was,
 * another holder may have it. Otherwise it is closed, and requests on it fail. */
void pool_return(struct pool *pool, struct upstream *upstream, bool clean);
/* Gives a lease back that was just handed out and is not READY: to be taken again when it is, on_change() will
 * tell. Returns false when it is READY, and is kept. */
bool pool_park(struct upstream *lease);

/* ---- what admission.c goes by ---- */

/* What a node said to an identity, or later, and under which generation of rights. */
struct proof {
    bool known, admitted;
    int64_t ms;
    uint64_t generation;
};

/* Whether there is an upstream to share (`leased`: to lease) that was, or will be, let in for others. */
bool pool_has(struct pool *pool, const struct target *target, struct identity *identity,
              bool leased);
/* Whether the one to share is on its way in, under this generation of rights, since `since_ms` or later. */
bool pool_joins(struct pool *pool, const struct target *target, struct identity *identity,
                int64_t since_ms, uint64_t generation);

/* The last proof: of an identity that is authenticated its own, otherwise of all that are not. Not known
 * when there is none, or a later one has been noted. */
struct proof pool_proof(struct pool *pool, const struct target *target, struct identity *identity);
void pool_note_proof(struct pool *pool, size_t group, uint64_t node, enum purpose purpose,
                     struct identity *identity, const struct proof *proof);

/* Grows whenever another upstream may be handed out for the same role, and before one that was handed
 * out is gone. */
uint64_t pool_epoch(const struct pool *pool);

/* Whether the node may be tried now: it has not just refused a connection, or rejected a request. */
bool pool_usable(const struct pool *pool, size_t group, uint64_t node);
/* Whether it has just rejected a request: then a connection that stands is of no use either. */
bool pool_rejects(const struct pool *pool, size_t group, uint64_t node);
/* Whether a connection stands: the shared one, or, with `leased`, one that nobody has leased. It is of use even
 * where the node takes no new ones (at its maxclients, for example). */
bool pool_stands(struct pool *pool, const struct target *target, struct identity *identity,
                 bool leased);

/* The node rejected a request (LOADING, ...): leave it alone for a moment. */
void pool_penalize(struct pool *pool, size_t group, uint64_t node);

/* How many sessions have chosen the node as their replica. */
unsigned pool_users(const struct pool *pool, size_t group, uint64_t node);
void pool_add_user(struct pool *pool, size_t group, uint64_t node, int delta);

/* Tries whether the node still refuses the proxy (refusals.h), unless it has just been tried. */
void pool_test(struct pool *pool, const struct target *target, struct identity *identity);

/* When the next node may be tried again, INT64_MAX: none waits. */
int64_t pool_next_try(const struct pool *pool);
/* Tells of nodes that may be tried again. */
void pool_retry(struct pool *pool, int64_t now_ms);

/* Connections that never stood up, leases idle for long, retired upstreams with writes behind a
 * reply that does not drain: on_stuck(data, owner_data of the request at its head). */
void pool_tick(struct pool *pool, int64_t now_ms,
               void (*on_stuck)(void *data, void *head_owner_data), void *data);

/* Goes through the upstreams to a node; `each` may end the one it is called with. */
void pool_each(const struct pool *pool, size_t group, uint64_t node,
               void (*each)(void *data, struct upstream *upstream), void *data);

/* Counters. */
size_t pool_upstreams(const struct pool *pool);

#endif
