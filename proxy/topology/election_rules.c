/*
 * election_rules: when does the group's state change?
 *
 * Everything is decided again, from all that is known, after each input: an
 * event may open or shorten a switch, but what ends one is always the present
 * answers of a majority of the Sentinels and of the node itself.
 *
 * Each rule is held by a recorded sequence in tests/unit/topology/test_election*.c.
 */
#include "topology/election_state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- the states ---- */

static void decide_none(struct election *e, int64_t now_ms)
{
    if (!election_trusted(e, now_ms)) {
        election_reason(e, election_distrust(e));
        return;
    }
    struct election_node *node = nodes_find(&e->nodes, &e->verdict.master);
    enum failover_step step =
        votes_failover_from(e->voters, e->voter_count, &e->verdict.master, now_ms);
    if (step >= FAILOVER_SELECT_REPLICA && step <= FAILOVER_WAIT_PROMOTION)
        election_reason(e, "a failover is in progress");
    else if (!node || !node_says_master(node))
        election_reason(e, "the named master does not say that it is master");
    else if (election_acceptable(e, node, now_ms))
        election_start_with(e, node, now_ms);
}

/* A failover of this master that a Sentinel reports when asked: its events were not heard. */
static const struct voter *failover_unheard(const struct election *e, int64_t now_ms)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        const struct voter *voter = &e->voters[i];
        if (voter_present(voter, now_ms) && voter->answer.known && !voter_stalled(voter, now_ms) &&
            voter->answer.step >= FAILOVER_SELECT_REPLICA &&
            voter->answer.step <= FAILOVER_WAIT_PROMOTION && voter->asked_ms >= e->view.since_ms &&
            (address_equal(&voter->answer.named, &e->master) ||
             (e->handed_over.len && address_equal(&voter->answer.named, &e->handed_over))))
            return voter;
    }
    return NULL;
}

static void leave_steady(struct election *e, const struct election_node *master, int64_t now_ms)
{
    size_t how_many;
    assert(master); /* the table never forgets the master */
    struct election_node *promoted = election_promoted_node(e, &e->master, &how_many);
    const struct voter *leader = failover_unheard(e, now_ms);
    if (election_named_otherwise(e, &e->master, now_ms)) {
        election_hold(e, "a majority of the Sentinels names another master", 0, now_ms);
        election_promotion_seen(e, nodes_find(&e->nodes, &e->verdict.master), "majority", now_ms);
    } else if (master->says.role == ROLE_REPLICA) {
        election_hold(e, "the master says that it is a replica", 0, now_ms);
        election_promotion_seen(e, NULL, "ROLE of the old master", now_ms);
    } else if (promoted) {
        election_hold(e, "a replica says that it is master", 0, now_ms);
        promoted->candidate = true;
        e->change.unannounced = true;
    } else if (leader) {
        election_hold(e, "a Sentinel has a failover in progress", leader->key, now_ms);
    }
}

/* A master that was restarted misses its replicas like one that was promoted: they come back within
 * seconds, and NOREPLICAS until then is no news for a client. */
static void note_restart(struct election *e, const struct election_node *master, int64_t now_ms)
{
    if (!master->says.runid[0] || strcmp(e->master_runid, master->says.runid) == 0)
        return;
    bool first = !e->master_runid[0];
    memcpy(e->master_runid, master->says.runid, sizeof(e->master_runid));
    if (first)
        return;
    marks_clear(&e->marks);
    e->missing_ms = now_ms;
    e->settling_until = now_ms + e->options.settle_timeout_ms;
    e->view.settling = true;
    election_story(e, LOG_INFO, "the master was restarted", "master=%s missing_replicas=%d",
                   master->shown.name, master->says.good_replicas_missing);
}

/* What speaks against writing to a master that says it is one; NULL: nothing. */
static const char *objection(struct election *e, struct election_node *master, int64_t now_ms)
{
    if (!election_acceptable(e, master, now_ms))
        return "the master's replication id is unknown to this group";
    note_restart(e, master, now_ms);
    election_remember_replids(e, master);
    if (e->options.replica_lag_ms >= 0 && master->says.offset)
        marks_take(&e->marks, master->says.offset, e->options.replica_lag_ms / (MARKS_MAX - 2),
                   master->answered_ms);
    if (master->shown.leaving)
        return "the master is shutting down";
    if (master->says.unready)
        return "the master is loading its data";
    if (e->missing_ms >= 0 && master->says.good_replicas_missing > 0 &&
        now_ms - e->missing_ms < e->options.settle_timeout_ms)
        return "the master waits for its replicas";
    e->missing_ms = -1;
    return NULL;
}

static void stay_steady(struct election *e, struct election_node *master, int64_t now_ms)
{
    election_note_quorum(e, now_ms);
    if (election_trusted(e, now_ms))
        e->view.epoch = e->verdict.epoch;
    if (e->view.settling && now_ms >= e->settling_until)
        e->view.settling = false;
    if (node_says_master(master))
        e->objection = objection(e, master, now_ms);
    const char *held = election_quorum_lost(e, now_ms)
                           ? "no majority of the Sentinels has agreed for quorum_timeout"
                           : e->objection;
    e->view.writable = !held;
    if (held)
        election_reason(e, held);
    else if (master->shown.suspect)
        election_reason(e, master->refused_ms >= 0 ? "the master refuses connections"
                                                   : "the master does not answer");
    else
        election_reason(e, "");
}

/* From then on the leader's own file names the new master, even if it dies before it told anyone. */
static void note_recorded(struct election *e)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        const struct voter *voter = &e->voters[i];
        if (election_leads(e, voter) && voter->answer.step >= FAILOVER_RECONFIGURE &&
            voter->asked_ms >= e->changed_ms &&
            !address_equal(&voter->answer.named, &e->change.old))
            e->change.leader_promoted = true;
    }
}

/* A replica that says it is master without a word from any Sentinel was made one by hand, or its leader is
 * out of hearing: they are being asked. What is in flight is answered meanwhile, and counts: nothing
 * is cut for a mistake that Sentinel will undo. */
static bool ask_for_leader(struct election *e, int64_t now_ms)
{
    struct election_node *old = nodes_find(&e->nodes, &e->change.old);
    if (!e->change.unannounced || e->change.leader || now_ms - e->change.hold_ms >= ELECTION_ASK_MS)
        return false;
    if (e->change.asked ||
        now_ms == e->change.hold_ms) /* what is asked must be later than the sign for certain */
        return true;
    e->change.asked = true;
    e->view.poll_seq++;
    if (old)
        old->probe_seq++;
    return true;
}

static void decide_switching(struct election *e, int64_t now_ms)
{
    size_t how_many;
    struct election_node *promoted = election_promoted_node(e, &e->change.old, &how_many);
    struct election_node *successor = election_successor(e), *returned;
    const struct voter *leader =
        votes_leader_from(e->voters, e->voter_count, &e->change.old, now_ms);
    if (!e->change.leader && leader && leader->answer.step >= FAILOVER_SELECT_REPLICA)
        election_set_leader(e, leader->key);
    note_recorded(e);
    if (promoted && !ask_for_leader(e, now_ms))
        election_promotion_seen(e, promoted, "ROLE", now_ms);
    else if (votes_failover_from(e->voters, e->voter_count, &e->change.old, now_ms) >=
             FAILOVER_WAIT_PROMOTION)
        election_promotion_seen(e, NULL, "failover-state", now_ms);
    if (election_named_otherwise(e, &e->change.old, now_ms)) {
        election_promotion_seen(e, nodes_find(&e->nodes, &e->verdict.master), "majority", now_ms);
        returned = election_turned_back(e);
        if (returned)
            election_try_return(e, returned, now_ms);
        else
            election_try_confirm(e, &e->verdict.master, now_ms);
    } else if (successor) {
        election_try_successor(e, successor, now_ms);
    } else if (e->change.confirmed.len && !e->verdict.majority) {
        election_try_confirm(e, &e->change.confirmed, now_ms);
    } else {
        election_try_release(e, now_ms);
    }
    if (e->view.state == GROUP_SWITCHING && !e->change.confirmed.len)
        election_try_provisional(e, now_ms);
}

static void decide_provisional(struct election *e, int64_t now_ms)
{
    struct address none = {.len = 0};
    struct election_node *node = nodes_find(&e->nodes, &e->master);
    int64_t age_ms = now_ms - e->change.provisional_ms;
    assert(node); /* the table never forgets the master */
    bool decided = election_named_otherwise(e, &e->change.old, now_ms);
    bool agreed = decided && address_equal(&e->verdict.master, &e->master);
    if (agreed && node_says_master(node)) {
        election_demote_begin(e, now_ms);
        election_become_steady(e, node, now_ms);
        election_story(e, LOG_INFO, "the provisional master is confirmed",
                       "master=%s epoch=%llu after_ms=%lld", node->shown.name,
                       (unsigned long long)e->view.epoch, (long long)age_ms);
        election_report_switch(e, node, true, now_ms);
        return;
    }
    if (age_ms < ELECTION_PROVISIONAL_MS && !e->change.leader_lost && decided == agreed &&
        node->says.role != ROLE_REPLICA)
        return;
    e->change.eager_spent = true;
    election_enter(e, GROUP_SWITCHING, &none, now_ms);
    election_reason(e, "the promotion was not confirmed");
    election_story(e, LOG_WARN, "the provisional master was not confirmed, holding writes again",
                   "master=%s after_ms=%lld", node->shown.name, (long long)age_ms);
}

void election_decide(struct election *e, int64_t now_ms)
{
    e->verdict = votes_count(e->voters, e->voter_count, now_ms);
    election_note_majority(e, now_ms);
    if (!e->verdict.contested)
        e->contested_ms = -1;
    else if (e->contested_ms < 0)
        e->contested_ms = now_ms;
    election_note_undone(e, now_ms);
    if (e->view.state == GROUP_STEADY)
        leave_steady(e, nodes_find(&e->nodes, &e->master), now_ms);
    if (e->view.state == GROUP_NONE)
        decide_none(e, now_ms);
    else if (e->view.state == GROUP_SWITCHING)
        decide_switching(e, now_ms);
    else if (e->view.state == GROUP_PROVISIONAL)
        decide_provisional(e, now_ms);
    if (e->view.state == GROUP_STEADY)
        stay_steady(e, nodes_find(&e->nodes, &e->master), now_ms);
    election_fence(e, now_ms);
    election_demote(e, now_ms);
    election_assist(e, now_ms);
}
