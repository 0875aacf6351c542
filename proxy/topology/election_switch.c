/*
 * election_switch: how a switch begins, what is heard of the Sentinel that leads it, and the door through which every
 * switch ends: a steady master. Whether it may end there is decided in election_confirm.c (at a new master) and
 * election_release.c (at the old one).
 *
 *     hold --a sign of the promotion--> the old master is cut off --> ...
 *       |                                        ^
 *       +--the leader falls silent, or dies------+   from when on the failover may be found not to have happened
 */
#include "topology/election_state.h"

#include <stdio.h>
#include <string.h>

/* ---- beginning a switch ---- */

static void begin_switch(struct election *e, uint64_t leader, int64_t hold_ms, int64_t now_ms)
{
    e->change = (struct change){
        .from = e->master,
        .old = e->master,
        .hold_ms = hold_ms,
        .selected_ms = -1,
        .promoted_ms = -1,
        .confirmed_ms = -1,
        .provisional_ms = -1,
        .leader_heard_ms = -1,
        .recheck_ms = now_ms + ELECTION_RECHECK_MS,
    };
    election_set_leader(e, leader);
    election_clear_candidates(e);
    e->changed_ms = now_ms;
    e->view.hold_seq++;
    e->view.poll_seq++;
}

void election_hold(struct election *e, const char *why, uint64_t leader, int64_t now_ms)
{
    char quoted[128];
    struct election_node *master = nodes_find(&e->nodes, &e->master);
    begin_switch(e, leader, now_ms, now_ms);
    e->change.why = why;
    election_enter(e, GROUP_SWITCHING, &e->change.old, now_ms);
    election_reason(e, why);
    election_story(e, LOG_INFO, "holding writes", "master=%s leader=%s reason=%s",
                   master ? master->shown.name : "?", election_voter_name(e, leader),
                   log_quote(quoted, sizeof(quoted), why));
}

void election_hold_again(struct election *e, uint64_t leader, int64_t now_ms)
{
    struct election_node *master = nodes_find(&e->nodes, &e->change.confirmed);
    const struct change before = e->change;
    e->master = e->change.confirmed;
    begin_switch(e, leader, before.hold_ms, now_ms);
    e->change.from = before.from;
    e->change.why = before.why;
    e->view.since_ms = now_ms;
    election_reason(e, "the new master is failed over as well");
    election_story(e, LOG_WARN, "a failover of the new master has begun, writes stay held",
                   "master=%s leader=%s after_ms=%lld", master ? master->shown.name : "?",
                   election_voter_name(e, leader), (long long)(now_ms - e->change.hold_ms));
}

void election_promotion_seen(struct election *e, const struct election_node *candidate,
                             const char *why, int64_t now_ms)
{
    char quoted[128];
    if (e->change.promoted)
        return;
    e->change.promoted = true;
    e->change.promoted_ms = now_ms;
    e->master = (struct address){.len = 0};
    e->view.since_ms = now_ms;
    election_reason(e, "a replica is being promoted");
    election_story(e, LOG_INFO, "promotion seen", "candidate=%s sign=%s after_ms=%lld",
                   candidate ? candidate->shown.name : "?", log_quote(quoted, sizeof(quoted), why),
                   (long long)(now_ms - e->change.hold_ms));
    e->view.poll_seq++;
    election_probe_all(e);
}

void election_leader_lost(struct election *e, int64_t now_ms)
{
    int64_t heard_ms = e->change.hold_ms;
    int64_t doubt_ms = e->change.leader_promoted ? ELECTION_RETURN_MS : ELECTION_RECHECK_MS;
    if (e->change.leader_lost)
        return;
    e->change.leader_lost = true;
    for (size_t i = 0; i < e->voter_count; i++) {
        const struct voter *leader = &e->voters[i];
        if (election_leads(e, leader) && leader->reached_ms > heard_ms)
            heard_ms = leader->reached_ms;
        if (election_leads(e, leader) && leader->stepped_ms > heard_ms)
            heard_ms = leader->stepped_ms;
    }
    e->change.leader_heard_ms = heard_ms;
    if (e->change.recheck_ms < heard_ms + doubt_ms) {
        e->change.recheck_ms = heard_ms + doubt_ms;
        e->change.rechecking = false;
    }
    election_story(e, LOG_WARN, "the leading Sentinel fell silent", "leader=%s after_ms=%lld",
                   election_voter_name(e, e->change.leader),
                   (long long)(now_ms - e->change.hold_ms));
}

/* It died, and what it had sent has arrived by then: when nobody was promoted, nothing happened. */
void election_leader_refused(struct election *e, int64_t now_ms)
{
    election_leader_lost(e, now_ms);
    if (e->change.leader_refused)
        return;
    e->change.leader_refused = true;
    e->change.inquired = false;
    e->change.leader_refused_ms = now_ms;
    election_story(e, LOG_WARN, "the leading Sentinel is dead", "leader=%s after_ms=%lld",
                   election_voter_name(e, e->change.leader),
                   (long long)(now_ms - e->change.hold_ms));
    e->view.poll_seq++;
}

void election_recheck(struct election *e, int64_t now_ms)
{
    e->change.recheck_ms = now_ms;
    e->change.rechecking = true;
    e->view.poll_seq++;
    struct election_node *old = nodes_find(&e->nodes, &e->change.old);
    if (old)
        old->probe_seq++;
}

/* ---- its end ---- */

void election_become_steady(struct election *e, struct election_node *master, int64_t now_ms)
{
    bool promotion =
        e->view.state != GROUP_NONE && !address_equal(&master->shown.address, &e->change.old);
    int64_t promoted_ms = e->change.promoted_ms >= 0 ? e->change.promoted_ms : now_ms;
    bool returns = e->view.state != GROUP_NONE && !promotion;
    if (e->view.state != GROUP_NONE)
        election_count_switch(e, promotion, now_ms);
    election_enter(e, GROUP_STEADY, &master->shown.address, now_ms);
    if (!returns) /* otherwise another process there is a restart */
        memcpy(e->master_runid, master->says.runid, sizeof(e->master_runid));
    marks_clear(&e->marks);
    e->changed_ms = e->quorum_ms = now_ms;
    e->settling_until = promotion ? promoted_ms + e->options.settle_timeout_ms : now_ms;
    e->view.settling = e->settling_until > now_ms;
    if (election_trusted(e, now_ms)) {
        e->view.epoch = e->verdict.epoch;
        if (address_equal(&e->verdict.master, &e->master))
            e->handed_over.len = 0;
    }
    master->dismissed = false;
    election_clear_candidates(e);
    election_remember_replids(e, master);
}

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

void election_report_switch(struct election *e, const struct election_node *master,
                            bool provisional, int64_t now_ms)
{
    const struct election_node *from = nodes_find(&e->nodes, &e->change.from);
    struct switchover s = {.began_ms = now_ms - e->change.hold_ms,
                           .provisional = provisional,
                           .epoch = e->view.epoch,
                           .result = address_equal(&master->shown.address, &e->change.from)
                                         ? SWITCH_TO_OLD
                                         : SWITCH_TO_NEW};
    if (!e->options.switched)
        return;
    copy_text(s.group, sizeof(s.group), e->options.name);
    copy_text(s.from, sizeof(s.from), from ? from->shown.name : "?");
    copy_text(s.to, sizeof(s.to), master->shown.name);
    copy_text(s.reason, sizeof(s.reason), e->change.why);
    election_measure_phases(&e->change, provisional, now_ms, s.phase_ms);
    e->options.switched(e->options.switched_arg, &s);
}

void election_start_with(struct election *e, struct election_node *master, int64_t now_ms)
{
    election_become_steady(e, master, now_ms);
    for (size_t i = 0; i < e->nodes.count; i++) {
        struct election_node *node = e->nodes.at[i];
        node->member = node->answered_ms >= 0 &&
                       node_in_lineage(node, (const char(*)[REPLID_SIZE])e->view.replid);
    }
    /* Started in the middle of a failover that has promoted already: NOREPLICAS is to be expected.
     */
    if (votes_failover_to(e->voters, e->voter_count, &e->master, now_ms)) {
        e->settling_until = now_ms + e->options.settle_timeout_ms;
        e->view.settling = true;
    }
    election_assist_start(e, now_ms);
    election_story(e, LOG_INFO, "master elected", "master=%s epoch=%llu votes=%zu sentinels=%zu",
                   master->shown.name, (unsigned long long)e->view.epoch, e->verdict.votes,
                   e->verdict.electorate);
}
