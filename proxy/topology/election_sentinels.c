/*
 * election_sentinels: what the Sentinels say, taken down: the table of voters with each one's last answer, the nodes that
 * they name, and the events of a failover. An event may open a switch, or shorten one; what ends it is never an event,
 * but answers (election_rules.c).
 *
 * group_sentinels.c calls this, with addresses instead of names.
 */
#include "topology/election_state.h"

#include <stdio.h>

static struct voter *find_voter(struct election *e, uint64_t key)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        if (e->voters[i].key == key)
            return &e->voters[i];
    }
    return NULL;
}

/* ---- what Sentinels say ---- */

static unsigned free_slot(const struct election *e)
{
    uint64_t taken = 0;
    unsigned slot = 0;
    for (size_t i = 0; i < e->voter_count; i++)
        taken |= UINT64_C(1) << e->voters[i].slot;
    while (taken & UINT64_C(1) << slot)
        slot++;
    return slot;
}

void election_sentinel_add(struct election *e, uint64_t key, bool configured, const char *name)
{
    if (e->voter_count == VOTERS_MAX)
        return;
    unsigned slot = free_slot(e);
    struct voter *voter = &e->voters[e->voter_count++];
    *voter = (struct voter){.key = key, .slot = slot, .configured = configured, .reached_ms = -1};
    snprintf(voter->name, sizeof(voter->name), "%s", name);
}

void election_sentinel_remove(struct election *e, uint64_t key, int64_t now_ms)
{
    struct voter *voter = find_voter(e, key);
    if (!voter)
        return;
    for (size_t i = 0; i < e->nodes.count; i++)
        e->nodes.at[i]->named_by &= ~(UINT64_C(1) << voter->slot);
    *voter = e->voters[--e->voter_count];
    election_settle(e, now_ms);
}

void election_sentinel_runid(struct election *e, uint64_t key, const char *runid)
{
    struct voter *voter = find_voter(e, key);
    if (voter)
        snprintf(voter->runid, sizeof(voter->runid), "%s", runid);
}

static void name_node(struct election_node *node, const struct voter *voter, int64_t now_ms)
{
    node->listed_ms = now_ms;
    node->named_by |= UINT64_C(1) << voter->slot;
}

void election_sentinel_answer(struct election *e, uint64_t key,
                              const struct sentinel_answer *answer, int64_t asked_ms,
                              int64_t now_ms)
{
    struct voter *voter = find_voter(e, key);
    if (!voter)
        return;
    if (answer->step != voter->answer.step) {
        voter->stepped_ms = asked_ms;
        voter->undone_ms = 0;
    }
    voter->answer = *answer;
    voter->reachable = true;
    voter->asked_ms = asked_ms;
    voter->reached_ms = now_ms;
    if (answer->known)
        e->lists_ms = now_ms;
    if (answer->known && answer->named.len) {
        bool news = !nodes_find(&e->nodes, &answer->named);
        struct election_node *node = nodes_add(&e->nodes, &answer->named, NULL, now_ms);
        if (node) {
            name_node(node, voter, now_ms);
            node->probe_seq += news;
        }
    }
    election_settle(e, now_ms);
}

void election_sentinel_lost(struct election *e, uint64_t key, int64_t now_ms)
{
    struct voter *voter = find_voter(e, key);
    if (!voter)
        return;
    voter->reachable = false;
    election_sentinel_deaf(e, key, now_ms);
}

void election_sentinel_refused(struct election *e, uint64_t key, int64_t now_ms)
{
    if (e->view.urgent && key == e->change.leader)
        election_leader_refused(e, now_ms);
    election_settle(e, now_ms);
}

void election_sentinel_quorum(struct election *e, uint64_t key, bool good, int64_t now_ms)
{
    election_assist_quorum(e, key, good, now_ms);
    election_settle(e, now_ms);
}

void election_sentinel_deaf(struct election *e, uint64_t key, int64_t now_ms)
{
    if (e->view.urgent && key == e->change.leader)
        election_leader_lost(e, now_ms);
    election_settle(e, now_ms);
}

void election_sentinel_lists(struct election *e, uint64_t key, const struct address *address,
                             const char *name, int64_t now_ms)
{
    const struct voter *voter = find_voter(e, key);
    struct election_node *node = voter ? nodes_add(&e->nodes, address, name, now_ms) : NULL;
    if (node)
        name_node(node, voter, now_ms);
    election_settle(e, now_ms);
}

/* ---- events ---- */

static void select_candidate(struct election *e, const struct address *subject, int64_t now_ms)
{
    struct election_node *node = nodes_add(&e->nodes, subject, NULL, now_ms);
    if (!node || node->candidate)
        return;
    node->candidate = true;
    node->dismissed = false;
    node->probe_seq++;
    e->change.selected = *subject;
    if (e->change.selected_ms < 0)
        e->change.selected_ms = now_ms;
    election_story(e, LOG_INFO, "candidate selected", "candidate=%s after_ms=%lld",
                   node->shown.name, (long long)(now_ms - e->change.hold_ms));
}

/* An event of a failover that has a leader, and so holds writes. */
static void failover_event(struct election *e, uint64_t key, enum election_event event,
                           const struct address *subject, int64_t now_ms)
{
    struct voter *leader = find_voter(e, key);
    if (leader) {
        leader->stepped_ms = now_ms;
        leader->undone_ms = 0;
    }
    if (e->view.state == GROUP_STEADY) {
        election_hold(e, "a failover has begun", key, now_ms);
    } else if (event == EVENT_ELECTED_LEADER || !e->change.leader) {
        e->change.rivals =
            e->change.rivals || (e->change.leader && leader && !election_leads(e, leader));
        election_set_leader(e, key);
        e->change.leader_lost = e->change.leader_refused = false;
    }
    if (e->change.recheck_ms < now_ms + ELECTION_RECHECK_MS) {
        e->change.recheck_ms = now_ms + ELECTION_RECHECK_MS;
        e->change.rechecking = false;
    }
    e->change.leader_promoted = e->change.leader_promoted || event == EVENT_PROMOTED;
    if ((event == EVENT_SELECTED_REPLICA || event == EVENT_PROMOTED) && subject->len)
        select_candidate(e, subject, now_ms);
    if (event == EVENT_WAIT_PROMOTION || event == EVENT_PROMOTED) {
        struct election_node *node = NULL;
        for (size_t i = 0; i < e->nodes.count && !node; i++)
            node = e->nodes.at[i]->candidate ? e->nodes.at[i] : NULL;
        election_promotion_seen(
            e, node, event == EVENT_PROMOTED ? "+promoted-slave" : "+failover-state-wait-promotion",
            now_ms);
    }
}

/* Others that wanted to lead, and were not elected, say so too. */
static void abort_event(struct election *e, uint64_t key, int64_t now_ms)
{
    const struct voter *voter = find_voter(e, key);
    bool leads = voter && !e->change.rivals && election_leads(e, voter);
    if (e->view.state != GROUP_SWITCHING || e->change.confirmed.len || !leads)
        return;
    election_story(e, LOG_INFO, "failover aborted", "sentinel=%s after_ms=%lld",
                   election_voter_name(e, key), (long long)(now_ms - e->change.hold_ms));
    election_recheck(e, now_ms);
}

void election_event(struct election *e, uint64_t key, enum election_event event,
                    const struct address *master, const struct address *subject, int64_t now_ms)
{
    bool steady = e->view.state == GROUP_STEADY;
    bool again = e->view.state == GROUP_SWITCHING && event == EVENT_ELECTED_LEADER && master->len &&
                 address_equal(master, &e->change.confirmed);
    if (again)
        election_hold_again(e, key, now_ms);
    bool ours = address_equal(master, steady ? &e->master : &e->change.old) ||
                (e->handed_over.len && address_equal(master, &e->handed_over));
    if (event == EVENT_SWITCH_MASTER && subject->len) {
        struct election_node *node = nodes_add(&e->nodes, subject, NULL, now_ms);
        if (node)
            node->probe_seq++;
    }
    e->view.poll_seq++;
    if (ours)
        e->changed_ms = now_ms;
    if (ours && e->view.state != GROUP_NONE) {
        if (event == EVENT_TRY_FAILOVER)
            election_story(e, LOG_INFO, "failover started", "sentinel=%s",
                           election_voter_name(e, key));
        else if (event == EVENT_ABORTED)
            abort_event(e, key, now_ms);
        else if (event != EVENT_SWITCH_MASTER)
            failover_event(e, key, event, subject, now_ms);
    }
    election_settle(e, now_ms);
}
