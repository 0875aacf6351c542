/*
 * election: takes what Sentinels and nodes say, keeps the tables of both, and
 * has election_rules.c decide after each input. Then it derives what follows
 * from the decision: the master's index, who may be read, how often to probe
 * whom, which nodes to forget.
 */
#include "topology/election_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_MS 1000
#define PROBE_SWITCH_MS 100     /* bystanders during a switch, and until it has settled */
#define PROBE_CANDIDATE_MS 20   /* who may become, or become again, the master */
#define PROBE_GATE_MS 10        /* a confirmed master that waits for its good replicas */
#define PROBE_RETURN_MS 50      /* a master that is gone and may come back */
#define UNLISTED_MS 5000        /* a node that is down and that no Sentinel lists is forgotten */
#define UNLISTED_ALIVE_MS 60000 /* one that answers, but serves nobody */
#define LISTS_FRESH_MS 2000

static struct voter *find_voter(struct election *e, uint64_t key)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        if (e->voters[i].key == key)
            return &e->voters[i];
    }
    return NULL;
}

/* ---- after each input ---- */

static int64_t probe_period(const struct election *e, const struct election_node *node)
{
    const struct address *address = &node->shown.address;
    bool master = address_equal(address, &e->master);
    if (e->view.state == GROUP_SWITCHING && e->change.confirmed.len &&
        address_equal(address, &e->change.confirmed))
        return PROBE_GATE_MS;
    if (e->view.state == GROUP_SWITCHING || e->view.state == GROUP_PROVISIONAL) {
        bool involved = master || node->candidate || address_equal(address, &e->change.old) ||
                        (e->verdict.majority && address_equal(address, &e->verdict.master));
        return involved ? PROBE_CANDIDATE_MS : PROBE_SWITCH_MS;
    }
    if (e->view.state == GROUP_STEADY && master && e->objection)
        return PROBE_CANDIDATE_MS;
    if (e->view.state == GROUP_STEADY && master && (node->down || node->shown.suspect))
        return PROBE_RETURN_MS;
    return e->view.settling ? PROBE_SWITCH_MS : PROBE_MS;
}

/* A node that nobody lists any more goes once it is down, or has been of no use for a minute. While
 * no Sentinel answers, nothing is listed and nobody goes. */
static bool forgettable(const struct election *e, const struct election_node *node, int64_t now_ms)
{
    const struct address *address = &node->shown.address;
    int64_t unlisted_ms = now_ms - node->listed_ms;
    if (address_equal(address, &e->master) || node->candidate ||
        now_ms - e->lists_ms > LISTS_FRESH_MS)
        return false;
    if (e->view.state != GROUP_STEADY &&
        (address_equal(address, &e->change.old) || address_equal(address, &e->change.confirmed)))
        return false;
    return node->down ? unlisted_ms > UNLISTED_MS
                      : unlisted_ms > UNLISTED_ALIVE_MS && !node->shown.readable;
}

static void update_nodes(struct election *e, int64_t now_ms)
{
    election_update_readers(e, now_ms);
    for (size_t i = 0; i < e->nodes.count; i++) {
        struct election_node *node = e->nodes.at[i];
        bool named = e->verdict.majority && address_equal(&node->shown.address, &e->verdict.master);
        if (!named && !address_equal(&node->shown.address, &e->master))
            node->foreign_ms = -1;
        node->kin =
            node->named && (node_in_lineage(node, (const char(*)[REPLID_SIZE])e->view.replid) ||
                            address_equal(&node->shown.address, &e->master) ||
                            address_equal(&node->shown.address, &e->change.confirmed));
        node->probe_every_ms = probe_period(e, node);
        node->gone = forgettable(e, node, now_ms);
        node->shown.up = node->answered_ms >= 0 && !node->down && !node->silent;
    }
    nodes_sweep(&e->nodes);
}

static int index_of(const struct election *e, const struct address *address)
{
    for (size_t i = 0; i < e->nodes.count && address->len; i++) {
        if (address_equal(&e->nodes.at[i]->shown.address, address))
            return (int)i;
    }
    return -1;
}

static void update_view(struct election *e)
{
    struct election_view *view = &e->view;
    view->nodes = e->nodes.at;
    view->node_count = e->nodes.count;
    view->urgent = view->state == GROUP_SWITCHING || view->state == GROUP_PROVISIONAL;
    view->master = index_of(e, &e->master);
    view->reader = index_of(e, &e->reader);
}

/* For good, as long as it is remembered: after a switch or a RESET the lists are incomplete for a while. */
static void note_named(struct election *e, int64_t now_ms)
{
    for (size_t i = 0; i < e->nodes.count; i++) {
        struct election_node *node = e->nodes.at[i];
        if (node->named || !votes_majority_of(e->voters, e->voter_count, node->named_by, now_ms))
            continue;
        node->named = true;
        node->probe_seq++;
    }
}

static void settle(struct election *e, int64_t now_ms)
{
    note_named(e, now_ms);
    election_decide(e, now_ms);
    update_nodes(e, now_ms);
    update_view(e);
}

void election_tick(struct election *e, int64_t now_ms)
{
    settle(e, now_ms);
}

static void sooner(int64_t *deadline, int64_t at_ms, int64_t now_ms)
{
    if (at_ms > now_ms && at_ms < *deadline)
        *deadline = at_ms;
}

int64_t election_deadline(const struct election *e, int64_t now_ms)
{
    int64_t deadline = INT64_MAX;
    /* Answers expire, nodes are forgotten, a majority goes away: none of that is in a hurry. */
    sooner(&deadline, now_ms + PROBE_MS, now_ms);
    if (e->view.settling)
        sooner(&deadline, e->settling_until, now_ms);
    if (e->view.state == GROUP_SWITCHING) {
        sooner(&deadline, e->change.recheck_ms, now_ms);
        sooner(&deadline, e->change.confirmed_ms + e->options.settle_timeout_ms, now_ms);
    }
    if (e->view.state == GROUP_SWITCHING && e->change.leader_refused)
        sooner(&deadline, e->change.leader_refused_ms + ELECTION_ARRIVED_MS, now_ms);
    if (e->view.state == GROUP_SWITCHING && e->change.unannounced) {
        sooner(&deadline, e->change.hold_ms + 1, now_ms);
        sooner(&deadline, e->change.hold_ms + ELECTION_ASK_MS, now_ms);
    }
    sooner(&deadline, election_fence_deadline(e, now_ms), now_ms);
    if (e->missing_ms >= 0)
        sooner(&deadline, e->missing_ms + e->options.settle_timeout_ms, now_ms);
    if (e->view.state == GROUP_STEADY && e->options.quorum_timeout_ms >= 0)
        sooner(&deadline, e->quorum_ms + e->options.quorum_timeout_ms, now_ms);
    if (e->view.state == GROUP_PROVISIONAL)
        sooner(&deadline, e->change.provisional_ms + ELECTION_PROVISIONAL_MS, now_ms);
    if (e->contested_ms >= 0)
        sooner(&deadline, e->contested_ms + ELECTION_CONTESTED_MS, now_ms);
    sooner(&deadline, election_readers_deadline(e), now_ms);
    for (size_t i = 0; i < e->nodes.count; i++) {
        if (e->nodes.at[i]->foreign_ms < 0)
            continue;
        sooner(&deadline, e->nodes.at[i]->foreign_ms + ELECTION_ALONE_MS, now_ms);
        sooner(&deadline, e->nodes.at[i]->foreign_ms + ELECTION_FOREIGN_MS, now_ms);
    }
    return deadline;
}

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
    e->contested_ms = e->minority_ms = e->missing_ms = e->dry_ms = -1;
    settle(e, now_ms);
    return e;
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
    settle(e, now_ms);
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
    settle(e, now_ms);
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
    settle(e, now_ms);
}

void election_sentinel_quorum(struct election *e, uint64_t key, bool good, int64_t now_ms)
{
    election_assist_quorum(e, key, good, now_ms);
    settle(e, now_ms);
}

void election_sentinel_deaf(struct election *e, uint64_t key, int64_t now_ms)
{
    if (e->view.urgent && key == e->change.leader)
        election_leader_lost(e, now_ms);
    settle(e, now_ms);
}

void election_sentinel_lists(struct election *e, uint64_t key, const struct address *address,
                             const char *name, int64_t now_ms)
{
    const struct voter *voter = find_voter(e, key);
    struct election_node *node = voter ? nodes_add(&e->nodes, address, name, now_ms) : NULL;
    if (node)
        name_node(node, voter, now_ms);
    settle(e, now_ms);
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
                (e->ceded.len && address_equal(master, &e->ceded));
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
    settle(e, now_ms);
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
    settle(e, now_ms);
}

void election_node_lost(struct election *e, const struct address *address, int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, address);
    if (!node)
        return;
    node->says.role = ROLE_UNKNOWN;
    settle(e, now_ms);
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
    settle(e, now_ms);
}

void election_node_silent(struct election *e, const struct address *address, bool silent,
                          int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, address);
    if (!node || node->silent == silent)
        return;
    node->silent = silent;
    suspicion(e, node, now_ms);
    settle(e, now_ms);
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
    settle(e, now_ms);
}
