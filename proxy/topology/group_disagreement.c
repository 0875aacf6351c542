/*
 * group_disagreement: whether a group has no master because TLS cannot be agreed on: a certificate is not good, a
 * version, one side is plain. No wait mends that, so clients are told (topology_shut_out()).
 *
 * It is said only when nothing better may still come: of a node, when it is the one on whom it depends; of Sentinels,
 * when too few others are there; and neither before everybody has been tried.
 */
#include "topology/group_state.h"

#include <stdio.h>

/* ---- nodes ---- */

static const struct probe *probe_at(const struct group *group, const struct address *address)
{
    for (size_t i = 0; i < group->watch_count; i++)
        if (address_equal(probe_address(group->watches[i].probe), address))
            return group->watches[i].probe;
    return NULL;
}

/* Whether a master could only be this one: a replica says so, or nobody else answers. */
static bool depends_on(const struct election_view *view, const struct election_node *node)
{
    bool alone = true;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct election_node *other = view->nodes[i];
        if (!other->named || !other->shown.up)
            continue;
        if (other->says.role == ROLE_REPLICA &&
            address_equal(&other->says.master, &node->shown.address))
            return true;
        alone = false;
    }
    return alone;
}

static bool all_nodes_tried(const struct group *group)
{
    for (size_t i = 0; i < group->watch_count; i++)
        if (!probe_has_tried(group->watches[i].probe))
            return false;
    return true;
}

static void show_nodes(const struct group *group, struct topology_group *out)
{
    const struct election_view *view = election_view(group->election);
    bool tried = all_nodes_tried(group);
    for (size_t i = 0; i < view->node_count; i++) {
        const struct election_node *node = view->nodes[i];
        const struct probe *probe = probe_at(group, &node->shown.address);
        const char *why = probe ? probe_disagreement(probe) : NULL;
        out->nodes[i].disagrees = why != NULL;
        if (why && tried && node->named && view->master < 0 && !*out->disagreement &&
            depends_on(view, node))
            snprintf(out->disagreement, sizeof(out->disagreement),
                     "TLS with the node %s cannot be agreed on: %s", node->shown.name, why);
    }
}

/* ---- Sentinels ---- */

static void show_sentinels(const struct group *group, struct topology_group *out)
{
    const struct sentinel *first = NULL;
    size_t there = 0;
    for (size_t i = 0; i < group->seat_count; i++) {
        const struct sentinel *sentinel = group->seats[i].sentinel;
        if (!sentinel_has_tried(sentinel))
            return;
        there += group->seats[i].reachable;
        if (!first && sentinel_disagreement(sentinel))
            first = sentinel;
    }
    if (first && there * 2 <= group->seat_count)
        snprintf(out->disagreement, sizeof(out->disagreement),
                 "TLS with the Sentinel %s cannot be agreed on: %s", sentinel_name(first),
                 sentinel_disagreement(first));
}

void group_show_disagreement(const struct group *group, struct topology_group *out)
{
    show_nodes(group, out);
    if (out->master < 0 && !*out->disagreement)
        show_sentinels(group, out);
}
