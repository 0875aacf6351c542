/*
 * election_trust: what may be believed? The majority, as long as nobody
 * present knows better; and a node, as far as its data continues the group's.
 */
#include "topology/election_state.h"

#include <string.h>

#define QUORUM_AWAY_MS 2000 /* the majority has to be away for so long to be worth a line */

/* ---- the Sentinels ---- */

bool election_trusted(const struct election *e, int64_t now_ms)
{
    return e->verdict.majority &&
           (!e->verdict.contested || now_ms - e->contested_ms >= ELECTION_CONTESTED_MS);
}

const char *election_distrust(const struct election *e)
{
    return e->verdict.majority
               ? "a minority of the Sentinels names another master, at a higher epoch"
               : "no majority of the Sentinels names one master";
}

/* The majority's word on a master that has handed over by itself (FAILOVER) is outdated, until the
 * Sentinels have voted anew. */
static bool outdated(const struct election *e)
{
    return e->handed_over.len && address_equal(&e->verdict.master, &e->handed_over) &&
           e->verdict.epoch == e->handed_over_epoch;
}

bool election_named_otherwise(const struct election *e, const struct address *than, int64_t now_ms)
{
    return election_trusted(e, now_ms) && !address_equal(&e->verdict.master, than) && !outdated(e);
}

bool election_quorum_lost(const struct election *e, int64_t now_ms)
{
    return e->options.quorum_timeout_ms >= 0 &&
           now_ms - e->quorum_ms >= e->options.quorum_timeout_ms;
}

/* Between two epochs of a switch there is none for a moment: that is not worth showing. */
void election_note_majority(struct election *e, int64_t now_ms)
{
    if (e->verdict.majority)
        e->majority_ms = now_ms;
    e->view.quorum = now_ms - e->majority_ms < QUORUM_AWAY_MS;
}

static void log_quorum_back(struct election *e)
{
    if (e->minority_logged)
        election_story(e, LOG_INFO, "a majority of the Sentinels agrees again", "epoch=%llu",
                       (unsigned long long)e->verdict.epoch);
    e->minority_ms = -1;
    e->minority_logged = e->quorum_logged = false;
}

void election_note_quorum(struct election *e, int64_t now_ms)
{
    bool backed =
        e->verdict.majority && (address_equal(&e->verdict.master, &e->master) || outdated(e));
    if (backed && e->verdict.asked_ms > e->quorum_ms)
        e->quorum_ms = e->verdict.asked_ms;
    if (e->verdict.majority && !election_quorum_lost(e, now_ms)) {
        log_quorum_back(e);
        return;
    }
    if (e->minority_ms < 0)
        e->minority_ms = now_ms;
    if (election_quorum_lost(e, now_ms) && !e->quorum_logged) {
        e->minority_logged = e->quorum_logged = true;
        election_story(e, LOG_WARN, "no majority of the Sentinels agrees, holding writes",
                       "votes=%zu sentinels=%zu quorum_timeout_ms=%lld", e->verdict.votes,
                       e->verdict.electorate, (long long)e->options.quorum_timeout_ms);
    }
    if (e->minority_logged || now_ms - e->minority_ms < QUORUM_AWAY_MS)
        return;
    e->minority_logged = true;
    election_story(e, LOG_WARN, "no majority of the Sentinels agrees, staying with the master",
                   "votes=%zu sentinels=%zu", e->verdict.votes, e->verdict.electorate);
}

void election_set_leader(struct election *e, uint64_t key)
{
    e->change.leader = key;
    e->change.leader_runid[0] = '\0';
    for (size_t i = 0; i < e->voter_count; i++) {
        if (key && e->voters[i].key == key)
            memcpy(e->change.leader_runid, e->voters[i].runid, sizeof(e->change.leader_runid));
    }
}

bool election_leads(const struct election *e, const struct voter *voter)
{
    if (e->change.leader_runid[0] && voter->runid[0])
        return strcmp(e->change.leader_runid, voter->runid) == 0;
    return e->change.leader && voter->key == e->change.leader;
}

bool election_all_answered_since(const struct election *e, int64_t since_ms, int64_t now_ms)
{
    for (size_t i = 0; i < e->voter_count; i++) {
        if (voter_present(&e->voters[i], now_ms) && e->voters[i].asked_ms < since_ms)
            return false;
    }
    return true;
}

/* ---- the nodes ---- */

void election_remember_replids(struct election *e, const struct election_node *master)
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

/* Whether its data continues the group's. When its replication ids do not show that (it was
 * restarted empty, this proxy missed a switch, or the group was set up anew), the group's own nodes speak
 * for it: what they will replicate is what the group's data is. When none of them can be asked, or
 * they follow somebody else, the majority's word, kept up for a while, is enough. */
bool election_acceptable(struct election *e, struct election_node *node, int64_t now_ms)
{
    enum nodes_opinion opinion = nodes_think(&e->nodes, node);
    if (node_in_lineage(node, e->view.replid) || opinion == NODES_FOLLOW) {
        node->foreign_ms = -1;
        return true;
    }
    if (node->foreign_ms < 0) {
        node->foreign_ms = now_ms;
        election_probe_all(e);
        election_story(e, LOG_WARN, "the named master has a replication id unknown to this group",
                       "node=%s replid=%s known=%s", node->shown.name, node->says.replid[0],
                       e->view.replid[0]);
    }
    return now_ms - node->foreign_ms >=
           (opinion == NODES_ABSENT ? ELECTION_ALONE_MS : ELECTION_FOREIGN_MS);
}

static bool promoted(const struct election *e, const struct election_node *node,
                     const struct address *master)
{
    if (!node->named || node->dismissed || address_equal(&node->shown.address, master))
        return false;
    return node_was_promoted(node, e->view.replid) ||
           (node->candidate && node_says_master(node) && node_in_lineage(node, e->view.replid));
}

struct election_node *election_promoted_node(const struct election *e, const struct address *master,
                                             size_t *how_many)
{
    struct election_node *first = NULL;
    *how_many = 0;
    for (size_t i = 0; i < e->nodes.count; i++) {
        if (!promoted(e, e->nodes.at[i], master))
            continue;
        first = first ? first : e->nodes.at[i];
        ++*how_many;
    }
    return first;
}

struct election_node *election_successor(const struct election *e)
{
    const struct election_node *old = nodes_find(&e->nodes, &e->change.old);
    if (!old || old->says.role != ROLE_REPLICA || !old->says.link_connected)
        return NULL;
    struct election_node *node = nodes_find(&e->nodes, &old->says.master);
    if (!node || !node->named || !node_says_master(node) || !node_in_lineage(node, e->view.replid))
        return NULL;
    return node;
}

/* A Sentinel that had not seen yet that the candidate has been a replica since the last switch takes its
 * promotion for the return of a master, and undoes it. If the leader has recorded the promotion by then, all
 * of them name a node that replicates from the old master, for half a minute. */
struct election_node *election_turned_back(const struct election *e)
{
    const struct election_node *named = nodes_find(&e->nodes, &e->verdict.master);
    struct election_node *old = nodes_find(&e->nodes, &e->change.old);
    if (!named || !old || named == old || named->says.role != ROLE_REPLICA ||
        named->turned_ms <= e->change.hold_ms ||
        !address_equal(&named->says.master, &e->change.old))
        return NULL;
    return node_says_master(old) && old->asked_ms >= named->turned_ms ? old : NULL;
}
