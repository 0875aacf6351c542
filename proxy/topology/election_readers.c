/*
 * election_readers: who may be read? Decided apart from who may be written to: a group that holds its
 * writes goes on to answer reads while any node of it can. From the best to the last:
 *
 *   1 replicas that follow the present master (election_nodes.c); without a steady master, those that did
 *   2 the reader, a master that has all there is, writable or not (table below)
 *   3 with nobody of 1 and 2 left, as long as stale_reads allows: every replica with the group's data, although
 *     its link is down, it lags, it follows another master, or it is about to be promoted
 *   4 with nobody of 3 either, and as long: the old master, after the sign of a promotion
 *
 *   why writes are held                               who is the reader
 *   ------------------------------------------------  -------------------------------------------------
 *   no master was found yet (none)                    nobody: whose data belongs to the group is unknown
 *   a failover has begun, nothing is promoted yet     the old master: it is in office
 *   a promotion was seen (switching)                  the one node that says so and proves it; then 3, 4
 *   the new master waits for its replicas             the new master
 *   the master waits for its replicas                 it: NOREPLICAS is about writes only
 *   the master is shutting down                       it: Redis pauses writes only
 *   no majority has agreed for quorum_timeout         it: nobody is known to have replaced it
 *   the master is loading its data                    nobody (it cannot answer); 3
 *   its replication id is unknown to this group       nobody: it is foreign; 3
 *   it does not answer, or refuses connections        nobody; 1 stays, else 3
 *
 *   why a node is never read                          it cannot be reached, is silent for 500 ms, loads, or answers
 *                                                     MASTERDOWN (replica-serve-stale-data no); too few
 *                                                     Sentinels name it; its data is not the group's; or it
 *                                                     says master and none of the table's lines is about it
 *
 * Held by tests/unit/topology/test_election_readers.c.
 */
#include "topology/election_state.h"

static bool is_recent(const struct election *e, int64_t since_ms, int64_t now_ms)
{
    return e->options.stale_reads_ms < 0 || now_ms - since_ms < e->options.stale_reads_ms;
}

static bool is_masterly(const struct election_node *node)
{
    return node && node_answers_reads(node) && node->says.role != ROLE_REPLICA &&
           node->foreign_ms < 0;
}

/* The master in office; during a switch the one that is confirmed, or promoted and alone in that. */
static const struct election_node *present_master(const struct election *e)
{
    size_t promoted;
    const struct election_node *node = nodes_find(&e->nodes, &e->master);
    if (e->view.state == GROUP_SWITCHING && !e->master.len && !e->change.rivals) {
        node = election_promoted_node(e, &e->change.old, &promoted);
        node = promoted == 1 ? node : NULL;
    }
    return is_masterly(node) ? node : NULL;
}

static bool has_our_data(const struct election *e, const struct election_node *node)
{
    return e->view.replid[0][0] &&
           node_in_lineage(node, (const char(*)[REPLID_SIZE])e->view.replid);
}

static bool read_what_is_left(struct election *e)
{
    bool any = false;
    for (size_t i = 0; i < e->nodes.count; i++) {
        struct election_node *node = e->nodes.at[i];
        bool follows = node->says.role == ROLE_REPLICA ||
                       (node->says.role == ROLE_UNKNOWN && node->last_resort);
        node->last_resort = follows && node_answers_reads(node) && has_our_data(e, node);
        node->shown.readable = node->shown.readable || node->last_resort;
        any = any || node->last_resort;
    }
    return any;
}

static bool anybody_readable(const struct election *e)
{
    for (size_t i = 0; i < e->nodes.count; i++) {
        if (e->nodes.at[i]->shown.readable && node_answers_reads(e->nodes.at[i]))
            return true;
    }
    return false;
}

/* Nobody who is up to date can be read. */
static void read_the_stale(struct election *e, int64_t now_ms)
{
    bool steady = e->view.state == GROUP_STEADY, first = e->unreadable_ms < 0;
    const struct election_node *old = nodes_find(&e->nodes, &e->change.old);
    if (first)
        e->unreadable_ms = now_ms;
    if (!is_recent(e, steady ? e->unreadable_ms : e->unsteady_ms, now_ms))
        return;
    bool any = read_what_is_left(e);
    if (!any && e->view.state == GROUP_SWITCHING && e->change.promoted && is_masterly(old)) {
        e->reader = old->shown.address;
        any = true;
    }
    if (any && first)
        election_story(e, LOG_WARN, "nobody who is up to date can be read, reading what is left",
                       "state=%s", group_state_name(e->view.state));
}

/* Those that were a last resort are judged anew. */
static void forget_last_resorts(struct election *e)
{
    for (size_t i = 0; i < e->nodes.count; i++) {
        if (e->nodes.at[i]->last_resort)
            e->nodes.at[i]->shown.readable = false;
    }
}

void election_update_readers(struct election *e, int64_t now_ms)
{
    const struct election_node *master = present_master(e);
    struct nodes_context context = {
        .master = e->view.state == GROUP_STEADY ? nodes_find(&e->nodes, &e->master) : NULL,
        .replid = (const char(*)[REPLID_SIZE])e->view.replid,
        .behind = e->options.replica_lag_ms < 0
                      ? 0
                      : marks_before(&e->marks, e->options.replica_lag_ms, now_ms),
        .stale_allowed = is_recent(e, e->unsteady_ms, now_ms),
    };
    forget_last_resorts(e);
    nodes_update_readable(&e->nodes, &context);
    e->reader = master ? master->shown.address : (struct address){.len = 0};
    if (!master && !anybody_readable(e)) {
        read_the_stale(e, now_ms);
        return;
    }
    e->unreadable_ms = -1;
    for (size_t i = 0; i < e->nodes.count; i++)
        e->nodes.at[i]->last_resort = false;
}

int64_t election_readers_deadline(const struct election *e)
{
    if (e->options.stale_reads_ms < 0)
        return INT64_MAX;
    if (e->view.state != GROUP_STEADY)
        return e->unsteady_ms + e->options.stale_reads_ms;
    return e->unreadable_ms < 0 ? INT64_MAX : e->unreadable_ms + e->options.stale_reads_ms;
}
