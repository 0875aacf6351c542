/*
 * election_fence: the old master takes no writes while it is being replaced, whoever sends them.
 *
 * Without it the Sentinels' hello messages and the replication PING go on there after the promotion, and
 * move the other replica past the point up to which it shares its past with the promoted node: it
 * needs a full resync, and with min-replicas-to-write nobody can write for that long. And clients that
 * do not come through a proxy go on writing what will be lost.
 *
 *     +elected-leader --hold, all that this proxy's workers wrote is answered--> PAUSE WRITE
 *         --promotion seen--> PAUSE ALL, and the replicas' links cut, in one transaction
 *         --a majority confirms--> it ends by itself      (demote = yes: REPLICAOF at once)
 *         --it came to nothing---> UNPAUSE
 *
 * Not before the hold: writes of our own would be caught, and their outcome be unknown when the old
 * master is cut off. The grace is for other proxies, which hear of it a moment later.
 *
 * With TLS the replicas' links are left alone. A replica whose link is cut connects to the old master at once, whose TLS
 * sends it session tickets; Redis takes those for the answer to its PING, waits for that in read(2) until the pause
 * is over, serves nobody meanwhile, and hears of its new master only when the old one has streamed to it. What the
 * pause leaves to be streamed there is one replication PING in ten seconds.
 *
 * A Sentinel's link to the node waits behind its hello message as long as a pause lasts. One that waits longer than
 * down-after-milliseconds takes the node for dead: a pause lasts half of that at most, and before the next one
 * the links are let through. Each ends by itself, so none outlives this process by more than that.
 */
#include "topology/election_state.h"

#include <stdio.h>

#define GRACE_MS 25   /* from the hold on: other proxies have heard of it by then */
#define LOOK_MS 5     /* how often to look whether the writes in flight are answered */
#define PAUSE_MS 3000 /* of writes */
#define CUT_MS 1300   /* of everything: until Sentinel has re-pointed the other replicas, */
#define CUT_ALL_MS                                                                                 \
    2600 /* again when it has not (its INFO is late on a busy machine), up to this in all */
#define GAP_MS 50       /* between two pauses of writes */
#define UNKNOWN_MS 1000 /* down-after-milliseconds, when no Sentinel tells it */
#define DEMOTE_MS 10000 /* Sentinel does it itself by then */
#define DEMOTE_AGAIN_MS 1000

/* ---- how long ---- */

static int64_t half_of_down_after(const struct election *e, int64_t now_ms)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < e->voter_count; i++) {
        int64_t its_ms = e->voters[i].answer.down_after_ms;
        if (voter_present(&e->voters[i], now_ms) && its_ms > 0 && its_ms < least)
            least = its_ms;
    }
    return (least == INT64_MAX ? UNKNOWN_MS : least) / 2;
}

static int64_t at_most(const struct election *e, int64_t ms, int64_t now_ms)
{
    int64_t half_ms = half_of_down_after(e, now_ms);
    return ms < half_ms ? ms : half_ms;
}

/* ---- whether ---- */

static bool client_pauses(const struct election *e, const struct election_node *node,
                          int64_t now_ms)
{
    const struct election_writes *writes = &e->options.writes;
    return writes->paused_until && writes->paused_until(writes->arg, node->shown.id) > now_ms;
}

static bool is_quiet(const struct election *e)
{
    const struct election_writes *writes = &e->options.writes;
    return !writes->quiet || writes->quiet(writes->arg);
}

/* The old master of a failover that a Sentinel leads for certain; NULL: there is nobody to be fenced
 * off. */
static struct election_node *fenced_node(const struct election *e)
{
    struct election_node *old = nodes_find(&e->nodes, &e->change.old);
    bool switching = (e->view.state == GROUP_SWITCHING && !e->change.confirmed.len) ||
                     e->view.state == GROUP_PROVISIONAL;
    if (e->options.fence == FENCE_NO || e->change.fence.refused || !switching || !old)
        return NULL;
    if (!e->change.leader || e->change.leader_lost || e->change.rivals)
        return NULL;
    return old->says.role == ROLE_MASTER && !old->down ? old : NULL;
}

/* ---- acting ---- */

static void order(struct election *e, const struct election_node *node, enum fence_act act,
                  int64_t ms)
{
    struct election_request *request = &e->view.request;
    request->fence_seq++;
    request->fenced = node->shown.address;
    request->fence = (struct fence_order){.act = act, .ms = ms};
}

static void pause_writes(struct election *e, const struct election_node *old, int64_t now_ms)
{
    int64_t ms = at_most(e, PAUSE_MS, now_ms);
    if (now_ms < e->change.hold_ms + GRACE_MS || !is_quiet(e) ||
        (e->change.fence.step == FENCE_PAUSED && now_ms < e->change.fence.until_ms + GAP_MS))
        return;
    order(e, old, FENCE_PAUSE, ms);
    e->change.fence.step = FENCE_PAUSED;
    e->change.fence.begun_ms = now_ms;
    e->change.fence.until_ms = now_ms + ms;
    election_story(e, LOG_INFO, "pausing writes at the old master",
                   "master=%s ms=%lld after_ms=%lld", old->shown.name, (long long)ms,
                   (long long)(now_ms - e->change.hold_ms));
}

/* A client's pause would be lifted by it, or become one of everything for as long as it lasts. */
static bool spares_client(struct election *e, const struct election_node *old, int64_t now_ms)
{
    if (!client_pauses(e, old, now_ms))
        return false;
    if (!e->change.fence.spared)
        election_story(e, LOG_INFO, "a client has paused the old master, it is not cut off",
                       "master=%s", old->shown.name);
    e->change.fence.spared = true;
    return true;
}

static int64_t next_cut_ms(const struct election *e, int64_t ms)
{
    return e->change.fence.step == FENCE_IS_CUT ? e->change.fence.until_ms - ms / 5
                                                : e->change.promoted_ms;
}

/* It goes on where the pause of writes, or the last one, ends: as long as the links may wait. */
static int64_t begin_cut(struct election *e, bool again, int64_t now_ms, bool *extend)
{
    int64_t half_ms = half_of_down_after(e, now_ms);
    bool fresh = e->change.fence.step == FENCE_NONE || e->change.fence.until_ms <= now_ms;
    bool tired = again && e->change.fence.begun_ms + half_ms - now_ms < CUT_MS;
    if (fresh || tired)
        e->change.fence.begun_ms = now_ms;
    int64_t left_ms = e->change.fence.begun_ms + half_ms - now_ms;
    *extend = again && !tired;
    return left_ms < CUT_MS ? left_ms : CUT_MS;
}

static void cut_off(struct election *e, const struct election_node *old, int64_t now_ms)
{
    int64_t ms = at_most(e, CUT_MS, now_ms);
    bool again = e->change.fence.step == FENCE_IS_CUT, extend;
    if (now_ms < next_cut_ms(e, ms) ||
        (again && e->change.fence.until_ms >= e->change.promoted_ms + CUT_ALL_MS) ||
        spares_client(e, old, now_ms))
        return;
    ms = begin_cut(e, again, now_ms, &extend);
    order(e, old, FENCE_CUT, ms);
    e->view.request.fence.extend = extend;
    e->view.request.fence.spare = e->options.spare_links;
    e->change.fence.step = FENCE_IS_CUT;
    e->change.fence.until_ms = now_ms + ms;
    election_story(e, again ? LOG_DEBUG : LOG_INFO, "cutting the old master off",
                   "master=%s ms=%lld after_ms=%lld", old->shown.name, (long long)ms,
                   (long long)(now_ms - e->change.hold_ms));
}

void election_fence(struct election *e, int64_t now_ms)
{
    const struct election_node *old = fenced_node(e);
    if (!old)
        return;
    if (!e->change.promoted)
        pause_writes(e, old, now_ms);
    else if (e->options.fence == FENCE_FULL)
        cut_off(e, old, now_ms);
}

int64_t election_fence_deadline(const struct election *e, int64_t now_ms)
{
    if (!fenced_node(e))
        return INT64_MAX;
    if (e->change.promoted)
        return e->options.fence == FENCE_FULL && e->change.fence.step == FENCE_IS_CUT
                   ? next_cut_ms(e, at_most(e, CUT_MS, now_ms))
                   : INT64_MAX;
    if (e->change.fence.step == FENCE_PAUSED)
        return e->change.fence.until_ms + GAP_MS;
    return now_ms < e->change.hold_ms + GRACE_MS ? e->change.hold_ms + GRACE_MS : now_ms + LOOK_MS;
}

void election_fence_lift(struct election *e, const struct election_node *old, int64_t now_ms)
{
    if (e->change.fence.step == FENCE_NONE || now_ms >= e->change.fence.until_ms)
        return;
    e->change.fence.step = FENCE_NONE;
    if (client_pauses(e, old, now_ms))
        return;
    order(e, old, FENCE_LIFT, 0);
    election_story(e, LOG_INFO, "the old master may be written to again",
                   "master=%s paused_ms=%lld", old->shown.name,
                   (long long)(now_ms - e->change.hold_ms));
}

void election_fence_refused(struct election *e, const struct address *address, const char *error)
{
    char quoted[256];
    const struct election_node *node = nodes_find(&e->nodes, address);
    if (e->change.fence.refused || !node)
        return;
    e->change.fence.refused = true;
    election_story(e, LOG_WARN, "a node does not let itself be fenced off, going on without",
                   "node=%s error=%s", node->shown.name, log_quote(quoted, sizeof(quoted), error));
}

/* ---- demote = yes ---- */

void election_demote_begin(struct election *e, int64_t now_ms)
{
    if (e->options.demote && !address_equal(&e->change.old, &e->master))
        e->demoted = e->change.old;
    e->demote_ms = now_ms;
    e->demote_sent_ms = now_ms - DEMOTE_AGAIN_MS;
}

/* Whoever says by now that it is a replica has been told already. */
void election_demote(struct election *e, int64_t now_ms)
{
    struct election_node *node = nodes_find(&e->nodes, &e->demoted);
    const struct election_node *master = nodes_find(&e->nodes, &e->master);
    if (!e->demoted.len)
        return;
    bool over = e->view.state == GROUP_SWITCHING && !e->change.confirmed.len;
    if (!node || !master || node == master || over || node->says.role == ROLE_REPLICA ||
        now_ms - e->demote_ms > DEMOTE_MS) {
        e->demoted.len = 0;
        return;
    }
    if (node->says.role != ROLE_MASTER || !node_in_lineage(node, e->view.replid) ||
        !node_says_master(master) || !election_trusted(e, now_ms) ||
        !address_equal(&e->verdict.master, &e->master) ||
        now_ms - e->demote_sent_ms < DEMOTE_AGAIN_MS)
        return;
    e->demote_sent_ms = now_ms;
    order(e, node, FENCE_DEMOTE, 0);
    e->view.request.fence.keep = client_pauses(e, node, now_ms);
    snprintf(e->view.request.demote_to, sizeof(e->view.request.demote_to), "%s",
             master->shown.name);
    node->probe_seq++;
    election_story(e, LOG_INFO, "pointing the old master at the new one",
                   "node=%s master=%s after_ms=%lld", node->shown.name, master->shown.name,
                   (long long)(now_ms - e->change.hold_ms));
}
