/*
 * pool_stage: a pool over three fake nodes and a topology that the test
 * changes as it likes.
 */
#ifndef REDISPROXY_TESTS_POOL_STAGE_H
#define REDISPROXY_TESTS_POOL_STAGE_H

#include "base/log.h"
#include "nodes/pool.h"
#include "unit/fake_node.h"

/* A group of a master and two replicas, and a second group that has no node. */
struct stage {
    struct world *w;
    struct pool *pool;
    struct node nodes[3];
    struct topology_node views[3];
    struct topology_group groups[2];
    struct topology topology;
    struct traffic_group_options group_options[2];
    struct traffic_options options;
    struct identity *nobody, *own;
    int changes[2];
    struct rights rights[2];
};

static inline void on_change(void *data, size_t group)
{
    struct stage *s = data;

    s->changes[group]++;
}

static inline void adopt(struct stage *s)
{
    pool_adopt(s->pool, &s->topology);
}

static inline void begin(struct stage *s)
{
    log_set_level(LOG_ERROR);
    memset(s, 0, sizeof(*s));
    s->w = world_new();
    for (int i = 0; i < 3; i++) {
        node_begin(&s->nodes[i], (uint64_t)i + 1);
        s->views[i] = s->nodes[i].view;
    }
    s->views[0].readable = false;
    s->groups[0] = (struct topology_group){
        .state = GROUP_STEADY, .writable = true, .node_count = 3, .nodes = s->views};
    s->groups[0].reader = -1;
    s->groups[1].master = s->groups[1].reader = -1;
    s->topology = (struct topology){.seq = 1, .group_count = 2, .groups = s->groups};
    for (int i = 0; i < 2; i++)
        s->group_options[i] =
            (struct traffic_group_options){.name = "mymaster", .connect_timeout_ms = 500};
    s->options = (struct traffic_options){.groups = s->group_options, .group_count = 2};
    s->nobody = identity_nobody(&s->w->identities);
    s->own = identity_own(&s->w->identities);
    s->pool = pool_new(&s->w->turn, &s->options, s->rights, on_change, s);
    adopt(s);
}

static inline void end(struct stage *s)
{
    pool_close(s->pool);
    cr_assert(pool_empty(s->pool));
    cr_assert_eq(pool_upstreams(s->pool), 0);
    identity_release(s->nobody);
    identity_release(s->own);
    world_end(s->w);
    pool_free(s->pool);
    for (int i = 0; i < 3; i++)
        node_end(&s->nodes[i]);
}

static inline int64_t now(const struct stage *s)
{
    return turn_now(&s->w->turn);
}

/* As if this much time had passed; until the loop turns. */
static inline void later(struct stage *s, uint64_t ms)
{
    s->w->loop.time += ms;
}

static inline struct target target_of(struct stage *s, int node, enum purpose purpose)
{
    return (struct target){0, s->views[node].id, purpose, &s->views[node]};
}

static inline struct upstream *shared(struct stage *s, int node, enum purpose purpose)
{
    struct target target = target_of(s, node, purpose);

    return pool_shared(s->pool, &target, s->nobody);
}

static inline void on_lost(void *lease_data)
{
    ++*(int *)lease_data;
}

static inline struct upstream *lease(struct stage *s, int node, int *lost)
{
    struct target target = target_of(s, node, PURPOSE_MASTER);

    *lost = 0;
    return pool_lease(s->pool, &target, s->nobody, on_lost, lost);
}

/* Lets a connection to the node in; returns the node's end of it. */
static inline int admit(struct stage *s, int node, struct upstream *up, bool reset)
{
    int fd = node_admit(s->w, &s->nodes[node], up->purpose == PURPOSE_MASTER ? "master" : "slave",
                        reset);

    until(up->state == UPSTREAM_READY, world_turn(s->w));
    return fd;
}

#endif
