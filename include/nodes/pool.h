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

struct moved_upstream;
struct pool;

/* `on_change(data, group)`: an upstream became ready or a node may be tried again: what is held may
 * be tried. `rights`: one for each group. */
struct pool *pool_new(struct turn *turn, const struct traffic_options *options,
                      struct rights *rights, void (*on_change)(void *data, size_t group),
                      void *data);
/* Other options, for what is opened from now on. */
void pool_reload(struct pool *pool, const struct traffic_options *options);
/* `on_gone(data, group, node)`: a connection to the node ended unasked, or was the last one. */
void pool_on_gone(struct pool *pool, void (*on_gone)(void *data, size_t group, uint64_t node));
/* Cuts every upstream; free the pool once the loop has run their last callbacks (pool_empty). */
void pool_close(struct pool *pool);
bool pool_empty(const struct pool *pool);
void pool_free(struct pool *pool);

/* Where it counts, from before its first connection on. */
void pool_count_in(struct pool *pool, struct counters *counters);

/* The newest topology, which is borrowed until the next call. Closes upstreams whose node is no longer what they are used
 * for, and, where writing is to stop, takes back the requests that were not written yet. */
void pool_adopt(struct pool *pool, const struct topology *topology);

/* The shared upstream of this node for this identity, connecting if need be. NULL: the node cannot
 * be used right now. */
struct upstream *pool_shared(struct pool *pool, const struct target *target,
                             struct identity *identity);

/* The same for AUTH, which must not be sent behind anything that is unanswered: the shared upstream while that is idle,
 * otherwise one of a few that send one request at a time. The reason: from Redis 7.2 on, a client to which other
 * replies are due gets no WRONGPASS at all, and then every later reply would go to the wrong client. */
struct upstream *pool_auth_upstream(struct pool *pool, const struct target *target,
                                    struct identity *identity);

/* An upstream for one holder alone: an idle one, or a new one. NULL as above. When it is cut,
 * on_lost(lease_data) is called before the requests on it fail. */
struct upstream *pool_lease(struct pool *pool, const struct target *target,
                            struct identity *identity, upstream_lost *on_lost, void *lease_data);

/* A lease that another process had (moved.h). Its socket is taken, or closed: then NULL is returned. */
struct upstream *pool_adopt_lease(struct pool *pool, const struct target *target,
                                  struct identity *identity, const struct moved_upstream *moved,
                                  upstream_lost *on_lost, void *lease_data);

/* Ends a lease; its holder is not called any more. `clean`: the connection's state is as it was,
 * another holder may have it. Otherwise it is closed, and requests on it fail. */
void pool_return(struct pool *pool, struct upstream *upstream, bool clean);
/* Gives a lease back that was just handed out and is not READY yet: its session asks for one again when on_change() says
 * that it is, and then gets this one. Returns false when it is READY already, and is kept. */
bool pool_park(struct upstream *lease);

/* ---- what admission.c goes by ---- */

/* Whether a node admits an identity, in its own words: when these were said (at `ms`, or later), and under which
 * generation of rights (rights.h). */
struct proof {
    bool known, admitted;
    int64_t ms;
    uint64_t generation;
};

/* Whether there is an upstream to share (`leased`: to lease) that the node has admitted, or will, for another session. */
bool pool_has(struct pool *pool, const struct target *target, struct identity *identity,
              bool leased);
/* Whether there is one to share, or to be asked, for an identity that the node has let in. */
bool pool_stood(struct pool *pool, const struct target *target, struct identity *identity);
/* Whether the upstream to share is still in its handshake, which began at `since_ms` or later, and under this generation
 * of rights: then its end says the same to whoever joins it. */
bool pool_joins(struct pool *pool, const struct target *target, struct identity *identity,
                int64_t since_ms, uint64_t generation);

/* The last proof: an authenticated identity's own; all others have one together, for each node. `known` is false when
 * there is none. */
struct proof pool_proof(struct pool *pool, const struct target *target, struct identity *identity);
/* Whether a node of the group has last said that it lets everybody in. */
bool pool_admits_anybody(const struct pool *pool, size_t group);
/* Whether none has, and one has asked for a password, or let somebody in who had one. */
bool pool_wants_logins(const struct pool *pool, size_t group);
void pool_note_proof(struct pool *pool, size_t group, uint64_t node, enum purpose purpose,
                     struct identity *identity, const struct proof *proof);

/* A number that grows whenever pool_shared() may return another upstream than before, and before one that was handed out
 * is gone: as long as it is the same, what was returned is good. */
uint64_t pool_epoch(const struct pool *pool);

/* Whether a connection of this identity may be tried now: the node has not just refused one, nor rejected a request, and
 * the identity's last ones have not broken soon after they stood. */
bool pool_usable(const struct pool *pool, size_t group, uint64_t node,
                 const struct identity *identity);
/* Whether the node has just rejected a request: then a connection that stands is of no use either. */
bool pool_rejects(const struct pool *pool, size_t group, uint64_t node);
/* Whether there is a connection that is READY: the shared one, or, with `leased`, one that nobody holds. It is of use even
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

/* Every 100 ms. Ends connections that do not become READY, and those that nobody has used for long. */
void pool_tick(struct pool *pool, int64_t now_ms);

/* Goes through the upstreams to a node; `each` may end the one it is called with. */
void pool_each(const struct pool *pool, size_t group, uint64_t node,
               void (*each)(void *data, struct upstream *upstream), void *data);

/* Counters. */
size_t pool_upstreams(const struct pool *pool);

#endif
