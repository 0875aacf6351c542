/*
 * router_renew: connections to a group's nodes are made anew, at boundaries between requests: what is unanswered on one is
 * answered there. A shared one takes nothing new from now on, and ends with its last answer; one that nobody holds ends at
 * once; a lease ends when its session gives it back (session/lease.c).
 */
#include "nodes/router_state.h"
#include "nodes/upstream.h"

static void renew(void *data, struct upstream *up)
{
    struct renewed *count = data;
    if (up->state != UPSTREAM_READY || up->retired || up->stale)
        return; /* it is new enough, or ends already */
    if (list_linked(&up->in_idle)) {
        count->idle++;
        upstream_close(up, "an operator has the connections made anew");
    } else if (up->leased) {
        count->leases++;
        up->stale = true;
    } else {
        count->shared++;
        upstream_retire(up, "an operator has the connections made anew");
    }
}

void router_renew(struct router *router, size_t group, struct renewed *count)
{
    const struct topology_group *view = view_of(router, group);
    for (size_t i = 0; view && i < view->node_count; i++)
        pool_each(router->pool, group, view->nodes[i].id, renew, count);
}
