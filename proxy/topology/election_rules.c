/*
 * election_rules: when does the group's state change?
 *
 * Everything is decided again, from all that is known, after each input: an
 * event may open or shorten a switch, but what ends one is always the present
 * answers of a majority of the Sentinels and of the node itself.
 *
 *   A switch ends in one of two ways.
 *   confirm  a majority names another master, whose ROLE agrees and whose data continues the
 *            group's; when enough good replicas have joined it, writes are released to it
 *   release  the failover did not happen: it was aborted, or nothing was promoted for 3 s, or its
 *            leader has been silent for 3 s; and answers that were all *asked for after* that say:
 *            no failover in progress anywhere, a majority names the old master, its ROLE is master
 *
 * Each rule is held by a recorded sequence in tests/unit/test_election.c.
 */
#include "topology/election_state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define RECHECK_MS 3000       /* a hold without a promotion is doubted after this */
#define MINORITY_TOLD_MS 2000 /* the majority has to be away for so long to be worth a line */

static const unsigned char allowed[][4] = {
    /*  to:                none steady switching provisional */
    [GROUP_NONE] = {0, 1, 0, 0},
    [GROUP_STEADY] = {0, 0, 1, 0},
    [GROUP_SWITCHING] = {0, 1, 0, 1},
    [GROUP_PROVISIONAL] = {0, 1, 1, 0},
};

/* The only place where the state changes. */
static void enter(struct election *e, enum group_state state, const struct address *master,
                  int64_t now_ms)
{
    assert(allowed[e->view.state][state]);
    election_story(e, LOG_DEBUG, "group state changed", "from=%s to=%s",
                   group_state_name(e->view.state), group_state_name(state));
    if (e->view.state == GROUP_STEADY)
        e->unsteady_ms = now_ms;
    e->view.state = state;
    e->view.since_ms = now_ms;
    e->master = *master;
    e->view.writable = state == GROUP_STEADY || state == GROUP_PROVISIONAL;
    e->view.settling = false;
    e->view.reason[0] = '\0';
}

static void set_reason(struct election *e, const char *reason)
{
    snprintf(e->view.reason, sizeof(e->view.reason), "%s", reason);
}

static void probe_now(struct election_node *node)
{
    if (node)
        node->probe_seq++;
}

static void probe_all_now(struct election *e)
{
    for (size_t i = 0; i < e->nodes.count; i++)
        probe_now(e->nodes.at[i]);
}

static void clear_candidates(struct election *e)
{
    for (size_t i = 0; i < e->nodes.count; i++)
        e->nodes.at[i]->candidate = false;
}

static void remember_replids(struct election *e, const struct election_node *master)
{
    static const char none[] = "0000000000000000000000000000000000000000";
    const char *before = master->says.replid[1];
    if (!master->says.replid[0][0])
        return;
    if (before[0] && strcmp(before, none) != 0)
        memcpy(e->view.replid[1], before, REPLID_SIZE);
    else if (strcmp(e->view.replid[0], master->says.replid[0]) != 0)
        memcpy(e->view.replid[1], e->view.replid[0], REPLID_SIZE);
    memcpy(e->view.replid[0], master->says.replid[0], REPLID_SIZE);
}

/* ---- beginning a switch ---- */

void election_hold(struct election *e, const char *why, uint64_t leader, int64_t now_ms)
{
    char quoted[128];
    struct address none = {.len = 0};
    struct election_node *master = nodes_find(&e->nodes, &e->master);
    e->old = e->master;
    e->confirmed = none;
    e->promoted = e->eager_spent = e->rechecking = e->leader_lost = false;
    e->hold_ms = now_ms;
    e->promoted_ms = e->confirmed_ms = e->provisional_ms = -1;
    e->recheck_ms = now_ms + RECHECK_MS;
    e->leader = leader;
    clear_candidates(e);
    enter(e, GROUP_SWITCHING, &e->old, now_ms);
    set_reason(e, why);
    election_story(e, LOG_INFO, "holding writes", "master=%s leader=%s reason=%s",
                   master ? master->shown.name : "?", election_voter_name(e, leader),
                   log_quote(quoted, sizeof(quoted), why));
    e->view.poll_seq++;
}

void election_promotion_seen(struct election *e, const struct election_node *candidate,
                             const char *why, int64_t now_ms)
{
    char quoted[128];
    if (e->promoted)
        return;
    e->promoted = true;
    e->promoted_ms = now_ms;
    e->master = (struct address){.len = 0};
    e->view.since_ms = now_ms;
    set_reason(e, "a replica is being promoted");
    election_story(e, LOG_INFO, "promotion seen", "candidate=%s sign=%s after_ms=%lld",
                   candidate ? candidate->shown.name : "?", log_quote(quoted, sizeof(quoted), why),
                   (long long)(now_ms - e->hold_ms));
    e->view.poll_seq++;
    probe_all_now(e);
}

void election_leader_lost(struct election *e, int64_t now_ms)
{
    int64_t heard_ms = now_ms;
    if (e->leader_lost)
        return;
    e->leader_lost = true;
    for (size_t i = 0; i < e->voter_count; i++) {
        if (e->voters[i].key == e->leader && e->voters[i].reached_ms >= e->hold_ms)
            heard_ms = e->voters[i].reached_ms;
    }
    if (e->recheck_ms < heard_ms + RECHECK_MS) {
        e->recheck_ms = heard_ms + RECHECK_MS;
        e->rechecking = false;
    }
    election_story(e, LOG_WARN, "the leading Sentinel fell silent, writes stay held",
                   "leader=%s after_ms=%lld", election_voter_name(e, e->leader),
                   (long long)(now_ms - e->hold_ms));
}

void election_recheck(struct election *e, int64_t now_ms)
{
    e->recheck_ms = now_ms;
    e->rechecking = true;
    e->view.poll_seq++;
    probe_now(nodes_find(&e->nodes, &e->old));
}

/* ---- who may be master ---- */

/* Whether its data continues the group's. When that cannot be seen from its replication ids (this
 * proxy missed a switch, or the group was set up anew), a member that follows it speaks for it; at
 * last the majority's word, kept up for a while, is enough. */
static bool acceptable(struct election *e, struct election_node *node, int64_t now_ms)
{
    if (node_in_lineage(node, e->view.replid) || nodes_follow(&e->nodes, node)) {
        node->foreign_ms = -1;
        return true;
    }
    if (node->foreign_ms < 0) {
        node->foreign_ms = now_ms;
        probe_all_now(e);
        election_story(e, LOG_WARN, "the named master has a replication id unknown to this group",
                       "node=%s replid=%s known=%s", node->shown.name, node->says.replid[0],
                       e->view.replid[0]);
    }
    return now_ms - node->foreign_ms >= ELECTION_FOREIGN_MS;
}

static bool trusted(const struct election *e, int64_t now_ms)
{
    return e->verdict.majority &&
           (!e->verdict.contested || now_ms - e->contested_ms >= ELECTION_CONTESTED_MS);
}

static const char *distrust(const struct election *e)
{
    return e->verdict.majority
               ? "a minority of the Sentinels names another master, at a higher epoch"
               : "no majority of the Sentinels names one master";
}

static bool named_otherwise(const struct election *e, const struct address *than, int64_t now_ms)
{
    return trusted(e, now_ms) && !address_equal(&e->verdict.master, than);
}

/* A node other than `master` that became master within this failover. */
static struct election_node *promoted_node(const struct election *e, const struct address *master)
{
    for (size_t i = 0; i < e->nodes.count; i++) {
        struct election_node *node = e->nodes.at[i];
        if (node->dismissed || address_equal(&node->shown.address, master))
            continue;
        if (node_was_promoted(node, e->view.replid))
            return node;
        if (node->candidate && node_says_master(node) && node_in_lineage(node, e->view.replid))
            return node;
    }
    return NULL;
}

/* ---- ending a switch ---- */

static void become_steady(struct election *e, struct election_node *master, int64_t now_ms)
{
    bool promotion = e->view.state != GROUP_NONE && !address_equal(&master->shown.address, &e->old);
    int64_t promoted_ms = e->promoted_ms >= 0 ? e->promoted_ms : now_ms;
    enter(e, GROUP_STEADY, &master->shown.address, now_ms);
    e->settling_until = promotion ? promoted_ms + e->options.settle_timeout_ms : now_ms;
    e->view.settling = e->settling_until > now_ms;
    if (trusted(e, now_ms))
        e->view.epoch = e->verdict.epoch;
    e->minority_ms = -1;
    e->minority_told = false;
    master->dismissed = false;
    clear_candidates(e);
    remember_replids(e, master);
}

static void start_with(struct election *e, struct election_node *master, int64_t now_ms)
{
    e->old = (struct address){.len = 0};
    e->promoted_ms = -1;
    become_steady(e, master, now_ms);
    /* Started in the middle of a failover that has promoted already: NOREPLICAS is to be expected.
     */
    if (votes_failover_to(e->voters, e->voter_count, &e->master, now_ms)) {
        e->settling_until = now_ms + e->options.settle_timeout_ms;
        e->view.settling = true;
    }
    election_story(e, LOG_INFO, "master elected", "master=%s epoch=%llu votes=%zu sentinels=%zu",
                   master->shown.name, (unsigned long long)e->view.epoch, e->verdict.votes,
                   e->verdict.electorate);
}

static void release_to_new(struct election *e, struct election_node *master, int64_t now_ms)
{
    int missing = master->says.good_replicas_missing;
    become_steady(e, master, now_ms);
    if (missing > 0)
        election_story(e, LOG_WARN, "released without the good replicas that writes need",
                       "master=%s missing=%d settle_timeout_ms=%lld", master->shown.name, missing,
                       (long long)e->options.settle_timeout_ms);
    election_story(e, LOG_INFO, "released to the new master", "master=%s epoch=%llu held_ms=%lld",
                   master->shown.name, (unsigned long long)e->view.epoch,
                   (long long)(now_ms - e->hold_ms));
}

/* Nobody else is asked to prove that he is master once more: who says so now is known and refused.
 */
static void release_to_old(struct election *e, struct election_node *old, int64_t now_ms)
{
    for (size_t i = 0; i < e->nodes.count; i++)
        e->nodes.at[i]->dismissed = e->nodes.at[i] != old && node_says_master(e->nodes.at[i]);
    become_steady(e, old, now_ms);
    election_story(e, LOG_INFO, "no failover happened, released to the old master",
                   "master=%s epoch=%llu held_ms=%lld", old->shown.name,
                   (unsigned long long)e->view.epoch, (long long)(now_ms - e->hold_ms));
}

static bool all_answered_since(const struct election *e, int64_t since_ms, int64_t now_ms)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        if (voter_present(&e->voters[i], now_ms) && e->voters[i].asked_ms < since_ms)
            return false;
    }
    return true;
}

static void try_release(struct election *e, int64_t now_ms)
{
    struct election_node *old = nodes_find(&e->nodes, &e->old);
    if (now_ms < e->recheck_ms || !old)
        return;
    if (!e->rechecking) {
        e->rechecking = true;
        e->view.poll_seq++;
        probe_now(old);
    }
    if (votes_failover_from(e->voters, e->voter_count, &e->old, now_ms) != FAILOVER_NONE)
        set_reason(e, "a failover is still in progress");
    else if (!trusted(e, now_ms))
        set_reason(e, distrust(e));
    else if (!node_says_master(old))
        set_reason(e, "the old master does not say that it is master");
    else if (old->asked_ms >= e->recheck_ms && all_answered_since(e, e->recheck_ms, now_ms))
        release_to_old(e, old, now_ms);
}

static void try_confirm(struct election *e, const struct address *named, int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, named);
    if (!node || !node_says_master(node) || !acceptable(e, node, now_ms)) {
        set_reason(e, "the named master does not prove yet that it is the group's");
        return;
    }
    if (!address_equal(&e->confirmed, named)) {
        e->confirmed = e->master = *named;
        e->confirmed_ms = e->view.since_ms = now_ms;
        set_reason(e, "the new master waits for its replicas");
        election_story(e, LOG_INFO, "new master confirmed",
                       "master=%s epoch=%llu votes=%zu sentinels=%zu after_ms=%lld",
                       node->shown.name, (unsigned long long)e->verdict.epoch, e->verdict.votes,
                       e->verdict.electorate, (long long)(now_ms - e->hold_ms));
    }
    if (node->says.unready)
        return;
    if (node->says.good_replicas_missing <= 0 ||
        now_ms - e->confirmed_ms >= e->options.settle_timeout_ms)
        release_to_new(e, node, now_ms);
}

static void try_provisional(struct election *e, int64_t now_ms)
{
    struct election_node *node = promoted_node(e, &e->old);
    if (!e->options.eager || e->eager_spent || !e->promoted || !e->leader || e->leader_lost)
        return;
    if (!node || node->says.unready || node->says.good_replicas_missing > 0)
        return;
    e->provisional_ms = now_ms;
    enter(e, GROUP_PROVISIONAL, &node->shown.address, now_ms);
    set_reason(e, "promoted, not yet confirmed by a majority");
    e->view.settling = true;
    remember_replids(e, node);
    election_story(e, LOG_INFO, "released to a provisional master", "master=%s held_ms=%lld",
                   node->shown.name, (long long)(now_ms - e->hold_ms));
}

/* ---- the states ---- */

static void decide_none(struct election *e, int64_t now_ms)
{
    if (!trusted(e, now_ms)) {
        set_reason(e, distrust(e));
        return;
    }
    struct election_node *node = nodes_find(&e->nodes, &e->verdict.master);
    enum failover_step step =
        votes_failover_from(e->voters, e->voter_count, &e->verdict.master, now_ms);
    if (step >= FAILOVER_SELECT_REPLICA && step <= FAILOVER_WAIT_PROMOTION)
        set_reason(e, "a failover is in progress");
    else if (!node || !node_says_master(node))
        set_reason(e, "the named master does not say that it is master");
    else if (acceptable(e, node, now_ms))
        start_with(e, node, now_ms);
}

/* A failover of this master that a Sentinel reports when asked: its events were not heard. */
static const struct voter *failover_unheard(const struct election *e, int64_t now_ms)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        const struct voter *voter = &e->voters[i];
        if (voter_present(voter, now_ms) && voter->answer.known &&
            voter->answer.step >= FAILOVER_SELECT_REPLICA &&
            voter->answer.step <= FAILOVER_WAIT_PROMOTION && voter->asked_ms >= e->view.since_ms &&
            address_equal(&voter->answer.named, &e->master))
            return voter;
    }
    return NULL;
}

/* Returns whether a switch has begun. */
static bool leave_steady(struct election *e, const struct election_node *master, int64_t now_ms)
{
    struct election_node *promoted = promoted_node(e, &e->master);
    const struct voter *leader = failover_unheard(e, now_ms);
    if (named_otherwise(e, &e->master, now_ms)) {
        election_hold(e, "a majority of the Sentinels names another master", 0, now_ms);
        election_promotion_seen(e, nodes_find(&e->nodes, &e->verdict.master), "majority", now_ms);
    } else if (master->says.role == ROLE_REPLICA) {
        election_hold(e, "the master says that it is a replica", 0, now_ms);
        election_promotion_seen(e, NULL, "ROLE of the old master", now_ms);
    } else if (promoted) {
        election_hold(e, "a replica was promoted", 0, now_ms);
        promoted->candidate = true;
        election_promotion_seen(e, promoted, "ROLE", now_ms);
    } else if (leader) {
        election_hold(e, "a Sentinel has a failover in progress", leader->key, now_ms);
    } else {
        return false;
    }
    return true;
}

static void note_minority(struct election *e, int64_t now_ms)
{
    if (e->verdict.majority) {
        if (e->minority_told)
            election_story(e, LOG_INFO, "a majority of the Sentinels agrees again", "epoch=%llu",
                           (unsigned long long)e->verdict.epoch);
        e->minority_ms = -1;
        e->minority_told = false;
        return;
    }
    if (e->minority_ms < 0)
        e->minority_ms = now_ms;
    if (e->minority_told || now_ms - e->minority_ms < MINORITY_TOLD_MS)
        return;
    e->minority_told = true;
    election_story(e, LOG_WARN, "no majority of the Sentinels agrees, staying with the master",
                   "votes=%zu sentinels=%zu", e->verdict.votes, e->verdict.electorate);
}

static void stay_steady(struct election *e, struct election_node *master, int64_t now_ms)
{
    note_minority(e, now_ms);
    if (trusted(e, now_ms))
        e->view.epoch = e->verdict.epoch;
    if (e->view.settling && now_ms >= e->settling_until)
        e->view.settling = false;
    if (!node_says_master(master))
        return;
    bool belongs = acceptable(e, master, now_ms);
    if (belongs)
        remember_replids(e, master);
    e->view.writable = belongs && !master->says.unready;
    if (!belongs)
        set_reason(e, "the master's replication id is unknown to this group");
    else
        set_reason(e, master->says.unready ? "the master is loading its data" : "");
}

static void decide_switching(struct election *e, int64_t now_ms)
{
    struct election_node *promoted = promoted_node(e, &e->old);
    if (promoted)
        election_promotion_seen(e, promoted, "ROLE", now_ms);
    else if (votes_failover_from(e->voters, e->voter_count, &e->old, now_ms) >=
             FAILOVER_WAIT_PROMOTION)
        election_promotion_seen(e, NULL, "failover-state", now_ms);
    if (named_otherwise(e, &e->old, now_ms)) {
        election_promotion_seen(e, nodes_find(&e->nodes, &e->verdict.master), "majority", now_ms);
        try_confirm(e, &e->verdict.master, now_ms);
    } else if (e->confirmed.len && !e->verdict.majority) {
        try_confirm(e, &e->confirmed, now_ms);
    } else {
        try_release(e, now_ms);
    }
    if (e->view.state == GROUP_SWITCHING && !e->confirmed.len)
        try_provisional(e, now_ms);
}

static void decide_provisional(struct election *e, int64_t now_ms)
{
    struct address none = {.len = 0};
    struct election_node *node = nodes_find(&e->nodes, &e->master);
    int64_t age_ms = now_ms - e->provisional_ms;
    assert(node); /* the table never forgets the master */
    bool decided = named_otherwise(e, &e->old, now_ms);
    bool agreed = decided && address_equal(&e->verdict.master, &e->master);
    if (agreed && node_says_master(node)) {
        become_steady(e, node, now_ms);
        election_story(e, LOG_INFO, "the provisional master is confirmed",
                       "master=%s epoch=%llu after_ms=%lld", node->shown.name,
                       (unsigned long long)e->view.epoch, (long long)age_ms);
        return;
    }
    if (age_ms < ELECTION_PROVISIONAL_MS && !e->leader_lost && decided == agreed &&
        node->says.role != ROLE_REPLICA)
        return;
    e->eager_spent = true;
    enter(e, GROUP_SWITCHING, &none, now_ms);
    set_reason(e, "the promotion was not confirmed");
    election_story(e, LOG_WARN, "the provisional master was not confirmed, holding writes again",
                   "master=%s after_ms=%lld", node->shown.name, (long long)age_ms);
}

void election_decide(struct election *e, int64_t now_ms)
{
    e->verdict = votes_count(e->voters, e->voter_count, now_ms);
    if (!e->verdict.contested)
        e->contested_ms = -1;
    else if (e->contested_ms < 0)
        e->contested_ms = now_ms;
    if (e->view.state == GROUP_STEADY) {
        struct election_node *master = nodes_find(&e->nodes, &e->master);
        assert(master); /* the table never forgets the master */
        if (!leave_steady(e, master, now_ms))
            stay_steady(e, master, now_ms);
    }
    if (e->view.state == GROUP_NONE)
        decide_none(e, now_ms);
    else if (e->view.state == GROUP_SWITCHING)
        decide_switching(e, now_ms);
    else if (e->view.state == GROUP_PROVISIONAL)
        decide_provisional(e, now_ms);
}
