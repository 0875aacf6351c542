/*
 * router_state: what the files of the router know of each other. Nobody else includes this.
 *
 *     router.c               its life, and each newest topology
 *        |-- router_own.c       commands that the proxy sends of itself
 *        |-- router_lend.c      upstreams for sessions
 *        |      `-- router_choose.c   to which node?
 *        |-- router_moved.c    a lease that another process had
 *        |-- router_publish.c   who publishes may have to wait for subscribers
 *        |-- router_refusals.c  nodes that refuse the proxy
 *        |-- router_pauses.c    nodes that keep requests waiting
 *        |-- router_wake.c      whoever waits may try again
 *        `-- router_view.c      what the newest topology says
 *
 * Each calls only those below it.
 */
#ifndef REDISPROXY_NODES_ROUTER_STATE_H
#define REDISPROXY_NODES_ROUTER_STATE_H

#include "nodes/admission.h"
#include "nodes/gate.h"
#include "nodes/hold.h"
#include "nodes/pool.h"
#include "nodes/router.h"
#include "threads/shared.h"

/* A node that keeps writes waiting, as far as is known. */
struct wait {
    uint64_t node;
    int64_t until_ms;
};

struct router {
    struct turn *turn;
    const struct traffic_options *options;
    struct topology *topology;
    struct pool *pool;
    struct admission *admission;
    struct rights *rights; /* the shared's: one for each group */
    struct logins *logins;
    struct list awaiting_admission; /* places that wait for a node's word */
    struct identities identities;
    struct identity *own; /* the proxy's own: for its questions */
    struct shared *shared;
    size_t number;
    struct hold *holds; /* one for each group */
    struct wait *waits; /* the same */
    struct gate *gates; /* the same */
    size_t turns;       /* of choosing a replica */
    uv_timer_t retry;
    const struct router_events *events;
    void *data;
};

/* Whom a connection is looked for, and of which sort. */
struct want {
    struct identity *identity;
    bool leased;
};

/* The group in the newest topology; NULL: there is none yet. */
static inline const struct topology_group *view_of(const struct router *router, size_t group)
{
    return router->topology ? &router->topology->groups[group] : NULL;
}

/* ---- router_wake.c ---- */

/* Whoever waits for something of this group may try again. */
void router_wake(struct router *router, size_t group);
/* Somebody waits for a node that is left alone for a moment: makes sure that it is tried again then. */
void router_arm_retry(struct router *router);

/* ---- router_choose.c ---- */

/* Fills `target`. Returns whether the node can be used for this now. */
bool router_target_for(struct router *router, size_t group, const struct topology_node *node,
                       enum purpose purpose, const struct want *want, struct target *target);
/* The node that a place's request goes to. If there is none now, place->entry is ENTRY_NONE, and it is looked for again. */
bool router_choose(struct router *router, struct place *place, enum target_role role,
                   const struct want *want, struct target *target);

/* ---- router_refusals.c ---- */

/* Nodes that refuse the proxy are tried again, also when nobody wants anything of them. */
void router_test_refusing(struct router *router);

/* ---- router_publish.c ---- */

/* Lets those go on who have waited long enough for others' subscriptions. */
void router_give_up_gates(struct router *router, int64_t now_ms);

#endif
