/*
 * election_settle: after each input the rules decide (election_rules.c), and this derives what follows from the
 * decision, whatever it was: the master's index, who may be read, how often each node is asked, which nodes are
 * forgotten, and when time alone may change something.
 *
 * Everything that takes an input (election.c, election_sentinels.c) ends with election_settle().
 */
#include "topology/election_state.h"

#define PROBE_MS 1000
#define PROBE_SWITCH_MS 100     /* bystanders during a switch, and until it has settled */
#define PROBE_CANDIDATE_MS 20   /* who may become, or become again, the master */
#define PROBE_GATE_MS 10        /* a confirmed master that waits for its good replicas */
#define PROBE_RETURN_MS 50      /* a master that is gone and may come back */
#define UNLISTED_MS 5000        /* a node that is down and that no Sentinel lists is forgotten */
#define UNLISTED_ALIVE_MS 60000 /* one that answers, but serves nobody */
#define LISTS_FRESH_MS 2000

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
        node->in_group =
            node->named && (node_in_lineage(node, (const char(*)[REPLID_SIZE])e->view.replid) ||
                            address_equal(&node->shown.address, &e->master) ||
                            address_equal(&node->shown.address, &e->change.confirmed));
        node->probe_every_ms = probe_period(e, node);
        node->gone = forgettable(e, node, now_ms);
        node_update_up(node, now_ms);
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

/* In the middle of a switch a node may have been fenced, or be believed before it is confirmed: other rules would find what
 * they do not expect. */
static void take_options(struct election *e)
{
    if (!e->has_next || e->view.state == GROUP_SWITCHING || e->view.state == GROUP_PROVISIONAL)
        return;
    e->options = e->next;
    e->has_next = false;
}

void election_settle(struct election *e, int64_t now_ms)
{
    take_options(e);
    note_named(e, now_ms);
    election_decide(e, now_ms);
    update_nodes(e, now_ms);
    update_view(e);
}

/* ---- when time alone may change something ---- */

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
