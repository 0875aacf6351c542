/*
 * election_confirm: a switch ends at a new master.
 *
 *   confirm      a majority names another master, whose ROLE agrees and whose data continues the group's; when enough
 *                good replicas have joined it, writes are released to it
 *   successor    the old master itself says whose replica it is now (FAILOVER): the same
 *   provisional  promotion = eager: the one node that says it was promoted is released to before a majority names it
 *
 * election_rules.c calls these while a switch goes on; each ends it if it may.
 */
#include "topology/election_state.h"

/* Once it serves and its good replicas suffice, or have had enough time; and nobody fails it over. */
static void release_to_new(struct election *e, struct election_node *master, int64_t now_ms)
{
    int missing = master->says.good_replicas_missing;
    enum failover_step step =
        votes_failover_from(e->voters, e->voter_count, &master->shown.address, now_ms);
    if (step >= FAILOVER_SELECT_REPLICA && step <= FAILOVER_WAIT_PROMOTION) {
        election_reason(e, "the new master is failed over as well");
        return;
    }
    if (master->says.unready ||
        (missing > 0 && now_ms - e->change.confirmed_ms < e->options.settle_timeout_ms))
        return;
    election_become_steady(e, master, now_ms);
    if (missing > 0)
        election_story(e, LOG_WARN, "released without the good replicas that writes need",
                       "master=%s missing=%d settle_timeout_ms=%lld", master->shown.name, missing,
                       (long long)e->options.settle_timeout_ms);
    election_story(e, LOG_INFO, "released to the new master", "master=%s epoch=%llu held_ms=%lld",
                   master->shown.name, (unsigned long long)e->view.epoch,
                   (long long)(now_ms - e->change.hold_ms));
    election_report_switch(e, master, false, now_ms);
}

/* Its replication ids are the group's from now on: it may be followed by another one before it ever
 * takes a write. */
static void wait_for_replicas(struct election *e, struct election_node *node, int64_t now_ms)
{
    e->change.confirmed = e->master = node->shown.address;
    e->change.confirmed_ms = e->view.since_ms = now_ms;
    election_remember_replids(e, node);
    election_reason(e, "the new master waits for its replicas");
}

void election_try_confirm(struct election *e, const struct address *named, int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, named);
    if (!node || !node_says_master(node) || !election_acceptable(e, node, now_ms)) {
        election_reason(e, "the named master does not prove yet that it is the group's");
        return;
    }
    if (!address_equal(&e->change.confirmed, named)) {
        wait_for_replicas(e, node, now_ms);
        election_demote_begin(e, now_ms);
        election_story(e, LOG_INFO, "new master confirmed",
                       "master=%s epoch=%llu votes=%zu sentinels=%zu after_ms=%lld",
                       node->shown.name, (unsigned long long)e->verdict.epoch, e->verdict.votes,
                       e->verdict.electorate, (long long)(now_ms - e->change.hold_ms));
    }
    release_to_new(e, node, now_ms);
}

void election_try_successor(struct election *e, struct election_node *node, int64_t now_ms)
{
    if (votes_failover_from(e->voters, e->voter_count, &e->change.old, now_ms) != FAILOVER_NONE) {
        election_reason(e, "a failover is in progress");
        return;
    }
    if (!address_equal(&e->change.confirmed, &node->shown.address)) {
        wait_for_replicas(e, node, now_ms);
        e->handed_over = e->change.old;
        e->handed_over_epoch = e->verdict.epoch;
        election_story(e, LOG_WARN, "the master handed over by itself, its Sentinels do not know",
                       "master=%s after_ms=%lld", node->shown.name,
                       (long long)(now_ms - e->change.hold_ms));
    }
    release_to_new(e, node, now_ms);
}

void election_try_provisional(struct election *e, int64_t now_ms)
{
    size_t promoted;
    struct election_node *node = election_promoted_node(e, &e->change.old, &promoted);
    if (!e->options.eager || e->change.eager_spent || !e->change.promoted || !e->change.leader ||
        e->change.leader_lost)
        return;
    if (promoted != 1 || e->change.rivals || node->says.unready ||
        node->says.good_replicas_missing > 0)
        return;
    e->change.provisional_ms = now_ms;
    election_enter(e, GROUP_PROVISIONAL, &node->shown.address, now_ms);
    election_reason(e, "promoted, not yet confirmed by a majority");
    e->view.settling = true;
    election_remember_replids(e, node);
    election_story(e, LOG_INFO, "released to a provisional master", "master=%s held_ms=%lld",
                   node->shown.name, (long long)(now_ms - e->change.hold_ms));
}
