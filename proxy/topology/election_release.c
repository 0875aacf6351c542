/*
 * election_release: a switch ends at the old master.
 *
 *   return     the node that a majority names was made a replica of the old master again: it is that one
 *   release    the failover did not happen: it was aborted, its leader says that there is none, or is dead and did not
 *              live to record a promotion; or no leader was ever heard of, and every Sentinel that is known says that
 *              there is none; or nothing was promoted for 3 s, or its leader has been silent for 3 s (for 10 s when it
 *              had recorded the promotion: it may come back and insist); and answers that were all *asked for after*
 *              that say: no failover in progress anywhere, a majority names the old master, its ROLE is master
 *
 * election_rules.c calls these while a switch goes on; each ends it if it may. The mistake to be avoided: to release
 * writes to the old master while somebody has promoted another node.
 */
#include "topology/election_state.h"

#define HEARD_OUT_MS 1000 /* it was heard to its end if it answered so shortly before */

/* Nobody else is asked to prove that he is master once more: who says so now is known and refused.
 * Replicas that a promotion took away come back: NOREPLICAS until then is no news for a client. */
static void release_to_old(struct election *e, struct election_node *old, int64_t now_ms)
{
    bool promoted = e->change.promoted;
    election_fence_lift(e, old, now_ms);
    election_assist_undo(e, old);
    for (size_t i = 0; i < e->nodes.count; i++)
        e->nodes.at[i]->dismissed = e->nodes.at[i] != old && node_says_master(e->nodes.at[i]);
    election_become_steady(e, old, now_ms);
    if (promoted) {
        e->missing_ms = now_ms;
        e->settling_until = now_ms + e->options.settle_timeout_ms;
        e->view.settling = e->settling_until > now_ms;
        e->view.writable = old->says.good_replicas_missing <= 0;
    }
    election_story(e, LOG_INFO, "no failover happened, released to the old master",
                   "master=%s epoch=%llu held_ms=%lld", old->shown.name,
                   (unsigned long long)e->view.epoch, (long long)(now_ms - e->change.hold_ms));
    election_report_switch(e, old, false, now_ms);
}

/* ---- is it over? ---- */

/* Every node that answers was asked at `since_ms` or later. */
static bool nodes_answered_since(const struct election *e, int64_t since_ms)
{
    for (size_t i = 0; i < e->nodes.count; i++) {
        const struct election_node *node = e->nodes.at[i];
        bool asked = node->says.role != ROLE_UNKNOWN && node->asked_ms >= since_ms;
        bool answers = node->candidate || !node->shown.suspect;
        if (node->named && answers && !asked &&
            !address_equal(&node->shown.address, &e->change.old))
            return false;
    }
    return true;
}

/* The leader's process is gone, what it had sent has arrived, and its last word was not that it has
 * recorded the promotion: whoever it promoted will be named by nobody, and is turned back by the other
 * Sentinels. So everybody is asked once more, and who says master then is dismissed. */
static bool died_in_vain(struct election *e, int64_t now_ms)
{
    int64_t arrived_ms = e->change.leader_refused_ms + ELECTION_ARRIVED_MS;
    bool heard_out = e->change.leader_refused_ms - e->change.leader_heard_ms <= HEARD_OUT_MS;
    if (!e->change.leader_refused || e->change.leader_promoted || !heard_out || now_ms < arrived_ms)
        return false;
    if (!e->change.inquired) {
        e->change.inquired = true;
        e->view.poll_seq++;
        election_probe_all(e);
    }
    return nodes_answered_since(e, arrived_ms);
}

static bool knows_of_no_failover(const struct election *e, const struct voter *voter,
                                 int64_t now_ms)
{
    return voter_present(voter, now_ms) && voter->asked_ms > e->changed_ms && voter->answer.known &&
           voter->answer.step == FAILOVER_NONE && voter->answer.epoch == e->view.epoch &&
           address_equal(&voter->answer.named, &e->change.old);
}

/* A node says that it is master, and no leader was heard of. Was it made one by hand? Only if every
 * Sentinel that is known answers, whatever the majority: one that does not may have led, and died.
 * From SLAVEOF NO ONE on a leader shows the failover, and then names the node. */
static bool nobody_leads(const struct election *e, int64_t now_ms)
{
    if (!e->change.unannounced || e->change.leader)
        return false;
    for (size_t i = 0; i < e->voter_count; i++) {
        bool answered = false;
        for (size_t j = 0; j < e->voter_count && !answered; j++)
            answered = (i == j || voter_same(&e->voters[i], &e->voters[j])) &&
                       knows_of_no_failover(e, &e->voters[j], now_ms);
        if (!answered)
            return false;
    }
    return true;
}

/* The others took the promoted node for a stray, and turned it back into a replica of `master` before the
 * leader had seen it as a master. It was told only once: when every node but the master was asked
 * after that was sent, and says that it is a replica, nobody will be one. */
static bool was_undone(const struct election *e, const struct voter *leader,
                       const struct address *master)
{
    bool turned = false;
    for (size_t i = 0; i < e->nodes.count; i++) {
        const struct election_node *node = e->nodes.at[i];
        bool asked = node->asked_ms >= leader->stepped_ms + ELECTION_ARRIVED_MS;
        if (!node->named || address_equal(&node->shown.address, master) || node->refused_ms >= 0)
            continue;
        if (node->shown.suspect || node->says.role != ROLE_REPLICA || !asked)
            return false;
        turned =
            turned || (node->turned_ms > leader->stepped_ms && node->turned_ms < leader->asked_ms &&
                       address_equal(&node->says.master, master));
    }
    return turned;
}

void election_note_undone(struct election *e, int64_t now_ms)
{
    const struct address *master = e->view.state == GROUP_STEADY ? &e->master : &e->change.old;
    for (size_t i = 0; i < e->voter_count; i++) {
        struct voter *voter = &e->voters[i];
        if (voter->undone_ms || !voter_present(voter, now_ms) ||
            voter->answer.step != FAILOVER_WAIT_PROMOTION ||
            !address_equal(&voter->answer.named, master) || !was_undone(e, voter, master))
            continue;
        voter->undone_ms = now_ms;
        election_story(e, LOG_WARN,
                       "the other Sentinels undid the promotion, its leader waits in vain",
                       "leader=%s", voter->name);
    }
}

/* The failover is known to be over before its time is up: its leader says so, or died in vain; or it
 * never was. */
static void shorten_doubt(struct election *e, int64_t now_ms)
{
    int64_t over_ms = INT64_MAX;
    if (e->change.rivals) /* the other one may have promoted */
        return;
    for (size_t i = 0; i < e->voter_count; i++) {
        const struct voter *leader = &e->voters[i];
        if (election_leads(e, leader) && voter_present(leader, now_ms) && leader->answer.known &&
            leader->answer.step == FAILOVER_NONE && leader->asked_ms > e->change.hold_ms &&
            leader->asked_ms > e->change.promoted_ms && leader->asked_ms > e->changed_ms &&
            address_equal(&leader->answer.named, &e->change.old))
            over_ms = leader->asked_ms;
        if (election_leads(e, leader) && leader->undone_ms > e->changed_ms)
            over_ms = leader->undone_ms;
    }
    if (died_in_vain(e, now_ms))
        over_ms = e->change.leader_refused_ms + ELECTION_ARRIVED_MS;
    if (nobody_leads(e, now_ms))
        over_ms = e->changed_ms + 1;
    if (over_ms >= e->change.recheck_ms)
        return;
    e->change.recheck_ms = over_ms;
    e->change.rechecking = false;
}

void election_try_release(struct election *e, int64_t now_ms)
{
    struct election_node *old = nodes_find(&e->nodes, &e->change.old);
    shorten_doubt(e, now_ms);
    if (now_ms < e->change.recheck_ms || !old)
        return;
    if (!e->change.rechecking) {
        e->change.rechecking = true;
        e->view.poll_seq++;
        old->probe_seq++;
    }
    if (votes_failover_from(e->voters, e->voter_count, &e->change.old, now_ms) != FAILOVER_NONE)
        election_reason(e, "a failover is still in progress");
    else if (!election_trusted(e, now_ms))
        election_reason(e, election_distrust(e));
    else if (!node_says_master(old))
        election_reason(e, "the old master does not say that it is master");
    else if (old->asked_ms >= e->change.recheck_ms &&
             election_all_answered_since(e, e->change.recheck_ms, now_ms))
        release_to_old(e, old, now_ms);
}

/* What it takes from now on the named node will replicate, and whoever the Sentinels promote in its
 * place, when they find it to be no master. */
void election_try_return(struct election *e, struct election_node *old, int64_t now_ms)
{
    if (old->says.unready) {
        election_reason(e, "the master is loading its data");
        return;
    }
    e->handed_over = e->verdict.master;
    e->handed_over_epoch = e->verdict.epoch;
    election_story(
        e, LOG_WARN,
        "a Sentinel made the promoted node a replica again, going on with the old master",
        "master=%s epoch=%llu after_ms=%lld", old->shown.name, (unsigned long long)e->verdict.epoch,
        (long long)(now_ms - e->change.hold_ms));
    release_to_old(e, old, now_ms);
}
