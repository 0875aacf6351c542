/*
 * election: its life, and what the nodes say, taken down in the table of nodes (election_nodes.c). What the Sentinels say
 * is election_sentinels.c's. Each input ends with election_settle(), which has election_rules.c decide.
 *
 * group.c calls this. Pure: no I/O, no clock; every input carries the time.
 */
#include "topology/election_state.h"

#include <stdlib.h>

/* ---- life ---- */

struct election *election_new(const struct election_options *options, int64_t now_ms)
{
    struct election *e = calloc(1, sizeof(*e));
    if (!e)
        abort();
    e->options = *options;
    e->view.state = GROUP_NONE;
    e->view.since_ms = now_ms;
    e->unsteady_ms = now_ms;
    e->lists_ms = now_ms;
    e->changed_ms = now_ms;
    e->majority_ms = INT64_MIN / 2;
    e->contested_ms = e->minority_ms = e->missing_ms = e->unreadable_ms = -1;
    election_settle(e, now_ms);
    return e;
}

void election_change(struct election *e, const struct election_options *options, int64_t now_ms)
{
    e->next = *options;
    e->has_next = true;
    election_settle(e, now_ms);
}

void election_free(struct election *e)
{
    nodes_free(&e->nodes);
    free(e);
}

const struct election_view *election_view(const struct election *e)
{
    return &e->view;
}

void election_tick(struct election *e, int64_t now_ms)
{
    election_settle(e, now_ms);
}

/* ---- what nodes say ---- */

static void suspicion(struct election *e, struct election_node *node, int64_t now_ms)
{
    int64_t before_ms = node->suspect_ms;
    if (!node_update_suspect(node, now_ms))
        return;
    if (node->shown.suspect)
        election_story(e, LOG_WARN,
                       node->refused_ms >= 0 ? "node refuses connections" : "node does not answer",
                       "node=%s", node->shown.name);
    else
        election_story(e, LOG_INFO, "node answers again", "node=%s after_ms=%lld", node->shown.name,
                       (long long)(now_ms - before_ms));
}

void election_node_answer(struct election *e, const struct address *address,
                          const struct node_answer *answer, int64_t asked_ms, int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, address);
    if (!node)
        return;
    bool link_was_lost = node->link_lost;
    node_take_answer(node, answer, asked_ms, now_ms);
    suspicion(e, node, now_ms);
    if (e->view.replid[0][0] && node_in_lineage(node, (const char(*)[REPLID_SIZE])e->view.replid))
        node->member = true;
    /* Is it the link, or the master? The readers of this replica wait for the answer. */
    struct election_node *master = nodes_find(&e->nodes, &e->master);
    if (node->link_lost && !link_was_lost && master)
        master->probe_seq++;
    election_settle(e, now_ms);
}

void election_node_lost(struct election *e, const struct address *address, int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, address);
    if (!node)
        return;
    node->says.role = ROLE_UNKNOWN;
    election_settle(e, now_ms);
}

void election_node_down(struct election *e, const struct address *address, enum node_failure why,
                        int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, address);
    if (!node)
        return;
    node->says.role = ROLE_UNKNOWN;
    node->down = true;
    if (why != NODE_REFUSES)
        node->refused_ms = -1;
    else if (node->refused_ms < 0)
        node->refused_ms = now_ms;
    node->refused_last_ms = now_ms;
    suspicion(e, node, now_ms);
    election_settle(e, now_ms);
}

void election_node_silent(struct election *e, const struct address *address, bool silent,
                          int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, address);
    if (!node || node->silent == silent)
        return;
    node->silent = silent;
    suspicion(e, node, now_ms);
    election_settle(e, now_ms);
}

void election_node_leaving(struct election *e, const struct address *address, bool leaving,
                           int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, address);
    if (!node || node->shown.leaving == leaving)
        return;
    node->shown.leaving = leaving;
    election_story(e, leaving ? LOG_INFO : LOG_DEBUG,
                   leaving ? "node is shutting down" : "node is not shutting down any more",
                   "node=%s", node->shown.name);
    election_settle(e, now_ms);
}
