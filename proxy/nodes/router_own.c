/*
 * router_own: commands that the proxy sends of itself, for a session: copies of one to other nodes, CLIENT UNBLOCK for
 * what blocks on a lease, a question for any node. What must not be sent as the client goes as the proxy's own identity.
 */
#include "nodes/router_state.h"

#include <inttypes.h>
#include <stdio.h>

unsigned router_send_everywhere(struct router *router, size_t group, bool readers,
                                struct identity *identity, const struct upstream *except,
                                const struct request *request, const struct request_owner *owner,
                                void *owner_data)
{
    const struct topology_group *view = view_of(router, group);
    const struct want want = {identity, false};
    unsigned sent = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct topology_node *node = &view->nodes[i];
        bool master = (int)i == view->master;
        struct target target;
        struct upstream *up;
        struct request *copy;
        if (node->id == except->node || (master ? readers || !view->writable : !node->readable) ||
            !router_target_for(router, group, node, master ? PURPOSE_MASTER : PURPOSE_REPLICA,
                               &want, &target))
            continue;
        up = pool_shared(router->pool, &target, identity);
        if (!up)
            continue;
        copy = request_own(&router->turn->requests, (struct slice){request->data, request->len},
                           owner, owner_data);
        copy->command = request->command;
        copy->write = true;
        upstream_submit(up, copy);
        sent++;
    }
    return sent;
}

void router_unblock(struct router *router, const struct upstream *lease)
{
    const struct topology_group *view = view_of(router, lease->group);
    const struct topology_node *node = view ? topology_node_by_id(view, lease->node) : NULL;
    struct target target;
    struct upstream *up;
    char id[24];
    struct slice argv[4] = {{"Client", 6}, {"UNBLOCK", 7}, {id, 0}, {"ERROR", 5}};

    if (!node || !lease->client_id ||
        !router_target_for(router, lease->group, node, lease->purpose,
                           &(struct want){router->own, false}, &target))
        return;
    up = pool_shared(router->pool, &target, router->own);
    if (!up)
        return;
    argv[2].len = (size_t)snprintf(id, sizeof(id), "%" PRIu64, lease->client_id);
    upstream_submit(up, request_own_words(&router->turn->requests, 4, argv, NULL, NULL));
}

bool router_ask(struct router *router, struct place *place, enum target_role role,
                const char *bytes, size_t len, const struct request_owner *owner, void *owner_data)
{
    struct upstream *up = router_shared(router, place, role, router->own);
    if (!up)
        return false;
    upstream_submit(
        up, request_own(&router->turn->requests, (struct slice){bytes, len}, owner, owner_data));
    return true;
}
