/*
 * election_assist: where an operator allows it, the proxy does not only watch.
 *
 * reconfigure_assist: a promoted master that wants a good replica (min-replicas-to-write) has none until
 * Sentinel's next INFO, about a second later. The proxy points one replica at it meanwhile, one that
 * can go on from where it is. NOREPLICAS protects from just that: writes on a node that is not
 * the master after all when the leader dies. If it comes to that, the replica is sent back: Sentinel would do
 * so about 20 s later.
 *
 * failover_assist: when the master's address refuses connections, its process is gone, and waiting for
 * down-after-milliseconds brings nothing. One Sentinel is asked for the failover, in three steps:
 *
 *     refused for long, nobody fails over, no switch for failover-timeout
 *         --> CKQUORUM, of the Sentinel with the lowest run id (every asker would choose it)
 *         --> every Sentinel asked again; the address tried again: still so?
 *         --> SENTINEL FAILOVER, of the same one
 *
 * The failover that is asked for is not voted on: two askers could split the group. Hence one
 * owner (assist_owner), and every other caution here. test_election_assist.c holds each.
 */
#include "topology/election_state.h"

#include <string.h>

#define STEP_TIMEOUT_MS 2000
#define FAILOVER_TIMEOUT_MS 180000 /* Sentinel's default */
#define LONG_AGO (-1000000000000LL)

/* ---- reconfigure_assist ---- */

static struct election_node *best_replica(const struct election *e,
                                          const struct election_node *candidate)
{
    struct election_node *best = NULL;
    for (size_t i = 0; i < e->nodes.count; i++) {
        struct election_node *node = e->nodes.at[i];
        if (node == candidate || node->says.role != ROLE_REPLICA || node->shown.suspect ||
            node->says.unready || !node->named || !node->member ||
            !address_equal(&node->says.master, &e->change.old))
            continue;
        if (!node->says.offset || node->says.offset > candidate->says.promoted_offset)
            continue;
        if (!best || node->says.offset > best->says.offset)
            best = node;
    }
    return best;
}

static void point(struct election *e, struct election_node *replica, const char *master)
{
    struct election_request *request = &e->view.request;
    request->repoint_seq++;
    request->replica = replica->shown.address;
    memcpy(request->master, master, sizeof(request->master));
    replica->probe_seq++;
}

static void assist_reconfiguration(struct election *e, int64_t now_ms)
{
    size_t promoted;
    struct election_node *candidate = election_promoted_node(e, &e->change.old, &promoted);
    if (!e->options.reconfigure_assist || !e->options.eager || e->change.repointed ||
        e->change.rivals || !e->change.leader || e->change.leader_lost || promoted != 1 ||
        e->change.eager_spent)
        return;
    if (!address_equal(&candidate->shown.address, &e->change.selected) ||
        candidate->says.good_replicas_missing <= 0)
        return;
    struct election_node *replica = best_replica(e, candidate);
    if (!replica)
        return;
    e->change.repointed = true;
    point(e, replica, candidate->shown.name);
    election_story(e, LOG_INFO, "pointing a replica at the promoted node",
                   "replica=%s offset=%lld candidate=%s offset=%lld after_ms=%lld",
                   replica->shown.name, (long long)replica->says.offset, candidate->shown.name,
                   (long long)candidate->says.promoted_offset,
                   (long long)(now_ms - e->change.hold_ms));
}

void election_assist_undo(struct election *e, const struct election_node *old)
{
    struct election_node *replica = nodes_find(&e->nodes, &e->view.request.replica);
    if (!e->change.repointed || !replica || replica->says.role != ROLE_REPLICA ||
        !address_equal(&replica->says.master, &e->change.selected))
        return;
    point(e, replica, old->shown.name);
    election_story(e, LOG_WARN, "pointing the replica back at the old master",
                   "replica=%s master=%s", replica->shown.name, old->shown.name);
}

/* ---- failover_assist ---- */

static bool asks_later_than_a_switch(const struct election *e, int64_t now_ms)
{
    int64_t timeout_ms = 0;
    for (size_t i = 0; i < e->voter_count; i++) {
        int64_t its_ms = e->voters[i].answer.failover_timeout_ms;
        if (voter_present(&e->voters[i], now_ms) && its_ms > timeout_ms)
            timeout_ms = its_ms;
    }
    return now_ms - e->changed_ms >= (timeout_ms ? timeout_ms : FAILOVER_TIMEOUT_MS);
}

static bool nobody_fails_over(const struct election *e, int64_t now_ms)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        if (voter_present(&e->voters[i], now_ms) && e->voters[i].answer.step != FAILOVER_NONE)
            return false;
    }
    return true;
}

static bool may_assist(const struct election *e, const struct election_node *master, int64_t now_ms)
{
    return e->view.state == GROUP_STEADY && master && master->refused_ms >= 0 &&
           now_ms - master->refused_ms >= e->options.failover_assist_ms &&
           election_trusted(e, now_ms) && address_equal(&e->verdict.master, &e->master) &&
           nobody_fails_over(e, now_ms) && asks_later_than_a_switch(e, now_ms);
}

static const struct voter *lowest_runid(const struct election *e, int64_t now_ms)
{
    const struct voter *lowest = NULL;
    for (size_t i = 0; i < e->voter_count; i++) {
        const struct voter *voter = &e->voters[i];
        if (voter_present(voter, now_ms) && voter->answer.known && voter->runid[0] &&
            (!lowest || strcmp(voter->runid, lowest->runid) < 0))
            lowest = voter;
    }
    return lowest;
}

static void ask_for_quorum(struct election *e, const struct election_node *master, int64_t now_ms)
{
    const struct voter *voter = lowest_runid(e, now_ms);
    if (!voter || now_ms < e->assist.not_before_ms)
        return;
    e->assist.step = ASSIST_QUORUM;
    e->assist.since_ms = now_ms;
    e->assist.not_before_ms = now_ms + STEP_TIMEOUT_MS;
    e->view.request.sentinel = voter->key;
    e->view.request.quorum_seq++;
    election_story(e, LOG_WARN, "the master is gone, asking whether a failover is possible",
                   "master=%s sentinel=%s refused_ms=%lld", master->shown.name, voter->name,
                   (long long)(now_ms - master->refused_ms));
}

static void ask_for_failover(struct election *e, const struct election_node *master, int64_t now_ms)
{
    if (!election_all_answered_since(e, e->assist.since_ms, now_ms) ||
        master->refused_last_ms < e->assist.since_ms)
        return;
    e->assist.step = ASSIST_IDLE;
    e->changed_ms = now_ms;
    e->view.request.failover_seq++;
    election_story(e, LOG_WARN, "asking for the failover", "master=%s sentinel=%s refused_ms=%lld",
                   master->shown.name, election_voter_name(e, e->view.request.sentinel),
                   (long long)(now_ms - master->refused_ms));
}

static void assist_failover(struct election *e, int64_t now_ms)
{
    struct election_node *master = nodes_find(&e->nodes, &e->master);
    if (e->options.failover_assist_ms < 0)
        return;
    if (!may_assist(e, master, now_ms) ||
        (e->assist.step != ASSIST_IDLE && now_ms - e->assist.since_ms > STEP_TIMEOUT_MS))
        e->assist.step = ASSIST_IDLE;
    else if (e->assist.step == ASSIST_IDLE)
        ask_for_quorum(e, master, now_ms);
    else if (e->assist.step == ASSIST_REREAD)
        ask_for_failover(e, master, now_ms);
}

void election_assist_quorum(struct election *e, uint64_t key, bool good, int64_t now_ms)
{
    struct election_node *master = nodes_find(&e->nodes, &e->master);
    if (e->assist.step != ASSIST_QUORUM || key != e->view.request.sentinel)
        return;
    e->assist.step = good ? ASSIST_REREAD : ASSIST_IDLE;
    e->assist.since_ms = now_ms;
    if (!good) {
        election_story(e, LOG_WARN, "no quorum for a failover", "sentinel=%s",
                       election_voter_name(e, key));
        return;
    }
    e->view.poll_seq++;
    if (master)
        master->probe_seq++;
}

/* A group that never switched, says its config-epoch, need not be waited for. */
void election_assist_start(struct election *e, int64_t now_ms)
{
    e->changed_ms = e->view.epoch == 0 ? LONG_AGO : now_ms;
}

void election_assist(struct election *e, int64_t now_ms)
{
    if (e->view.state == GROUP_SWITCHING)
        assist_reconfiguration(e, now_ms);
    assist_failover(e, now_ms);
}
