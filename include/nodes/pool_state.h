/*
 * pool_state: what the files of the pool know of each other. Nobody else includes this.
 *
 *     pool.c            its life, and handing out: shared, for AUTH, on a lease
 *        |-- pool_events.c    what upstreams tell: open, ready, ended
 *        |-- pool_adopt.c     what the newest topology ends
 *        |-- pool_time.c      what time ends
 *        |-- pool_proofs.c    whom a node lets in, as far as is known
 *        |-- pool_slots.c     one slot for each (node, purpose, identity)
 *        `-- pool_nodes.c     which nodes can be used now
 *
 * Each calls only those below it.
 */
#ifndef REDISPROXY_NODES_POOL_STATE_H
#define REDISPROXY_NODES_POOL_STATE_H

#include "base/keyed_hash.h"
#include "nodes/pool.h"

/* So long an idle lease is kept, and a shared upstream of an identity that no session has. */
#define IDLE_MS 30000
/* Upstreams that are asked one thing at a time (pool_auth_upstream), of one slot. */
#define AUTH_UPSTREAMS 4

struct slot_key {
    uint64_t node;
    size_t group;
    struct identity *identity;
    size_t purpose;
};

/* A slot is looked for with every request, and its key is a pointer and three small numbers, of which no client chooses
 * any: so it has a short hash of its own. */
static inline unsigned hash_of_key(const struct slot_key *key)
{
    uint64_t mixed =
        (uintptr_t)key->identity ^ key->node << 8 ^ (uint64_t)key->group << 4 ^ key->purpose;
    return (unsigned)(mixed * 0x9E3779B97F4A7C15u >> 32); /* Fibonacci hashing */
}

struct slot {
    struct slot_key key;
    struct pool *pool;
    struct upstream *shared;
    struct upstream *auth_upstreams[AUTH_UPSTREAMS];
    unsigned auth_turns;
    struct list idle; /* leases, the most recently used last */
    size_t idle_count;
    size_t upstreams; /* all that belong here */
    struct proof proof;
    UT_hash_handle hh;
};

/* Connections of some identities, which broke again and again soon after they were READY. */
struct relapse {
    unsigned count;
    int64_t broken_ms; /* the last time */
    int64_t until_ms;  /* no connection of theirs is opened before; 0: one may be */
};

/* Identities that share one. An identity's connections may break for what its clients do, and shall not keep others
 * waiting. */
#define RELAPSES 16

struct pool_node {
    struct list in_pool;
    size_t group;
    uint64_t id;
    unsigned failures;
    unsigned users;
    unsigned upstreams;
    struct node_counters *counters;
    unsigned standing[UPSTREAM_KIND_COUNT][UPSTREAM_PHASE_COUNT]; /* while they are counted */
    struct proof greeting;                                        /* of who is not authenticated */
    bool logged_in;      /* somebody was let in with a password */
    bool rejects;        /* the last failure was no connection's: one that stands proves nothing */
    int64_t retry_at_ms; /* 0: usable */
    int64_t failed_ms;   /* the last failure */
    int64_t vain_ms,
        vain_last_ms; /* since when no connection has come about; when the last one did not */
    struct relapse relapses[RELAPSES];
};

struct pool {
    struct turn *turn;
    const struct traffic_options *options;
    const struct topology *topology;
    struct rights *rights;
    struct counters *counters;      /* NULL: nobody counts; then in */
    struct node_counters uncounted; /* where nodes count that have no counters of their own */
    void (*on_change)(void *data, size_t group);
    void (*on_gone)(void *data, size_t group, uint64_t node);
    void *data;
    struct slot *slots;
    struct list upstreams;
    struct list nodes;
    size_t count;
    uint64_t epoch;
    uint64_t seed; /* for delays */
    int64_t starved_until_ms,
        starved_said_ms; /* there was no descriptor for a lease; 0: there was */
    int64_t counted_ms;  /* when its upstreams were counted last */
    bool closing;
};

/* The group in the newest topology; NULL: there is none yet. */
static inline const struct topology_group *pool_view_of(const struct pool *pool,
                                                        const struct upstream *up)
{
    return pool->topology ? &pool->topology->groups[up->group] : NULL;
}

/* A master that serves reads although no write may go there: its upstreams for reads are of their own. */
static inline bool pool_is_reader(const struct topology_group *group, uint64_t node)
{
    return group->reader >= 0 && group->nodes[group->reader].id == node;
}

/* ---- pool_nodes.c ---- */

/* What is remembered of a node; NULL, or made anew, when that is nothing yet. */
struct pool_node *pool_find_node(const struct pool *pool, size_t group, uint64_t id);
struct pool_node *pool_get_node(struct pool *pool, size_t group, uint64_t id);
/* It is left alone for a moment, which grows with each failure. `rejects`: it rejected a request, on a connection
 * that stands. */
void pool_note_failure(struct pool *pool, struct pool_node *node, bool rejects);
/* Counts it. */
void pool_count_failure(struct pool *pool, size_t group, uint64_t id, enum connect_failure why);
/* A connection that was READY has broken. */
void pool_note_break(struct pool *pool, struct pool_node *node, const struct upstream *upstream);
/* Forgets the nodes that are not in the topology any more, and that nobody uses. */
void pool_forget_nodes(struct pool *pool);

/* ---- pool_slots.c ---- */

/* The slot; NULL, or made anew, when there is none. */
struct slot *pool_find_slot(struct pool *pool, const struct target *target,
                            struct identity *identity);
struct slot *pool_get_slot(struct pool *pool, const struct target *target,
                           struct identity *identity);
void pool_drop_slot_if_empty(struct slot *slot);
/* Takes a lease out of those that nobody holds. */
void pool_take_idle(struct slot *slot, struct upstream *upstream);

/* ---- pool_proofs.c ---- */

/* A node's word to an upstream counts from when that was opened: what the node knew then. */
void pool_prove_slot(struct slot *slot, const struct upstream *upstream);
void pool_prove_greeting(struct slot *slot, const struct upstream *upstream, bool admitted);

/* ---- pool_events.c ---- */

/* Of every upstream of a pool; its owner_data is its slot. */
extern const struct upstream_owner pool_upstream_owner;

#endif
