/*
 * pool_events: what upstreams tell their pool, and what follows.
 *
 *     on_open     begin the handshake
 *     verify      is the node what the upstream is for, and of this group?
 *     on_greeted  note whether the node wants a password
 *     on_ready    the node can be used: those who wait for it are told
 *     on_cut      take the upstream out of its slot; after a failure leave the node alone for a moment, and tell the
 *                 operator if the node refuses the proxy
 */
#include "nodes/pool_state.h"

#include "base/clock.h"
#include "base/log.h"
#include "nodes/handshake.h"

#include <stdio.h>
#include <string.h>

/* A node that has no room for another client may have some soon: so long requests wait for that. */
#define ROOM_MS 1000
/* A node that answers its probe, and that no connection has reached for so long, refuses the proxy, too. */
#define VAIN_MS 2000

/* A replication id that is all zeros stands for "none". */
static bool same_replid(const char *a, const char *b)
{
    return a[0] && b[0] && strspn(a, "0") != strlen(a) && strcmp(a, b) == 0;
}

static bool belongs(const struct topology_group *group, const struct node_claim *node)
{
    if (!group->replid[0][0])
        return true; /* not known yet: nothing to compare with */
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if (same_replid(group->replid[i], node->replid[j]))
                return true;
    return false;
}

static const char *on_verify(struct upstream *up, const struct node_claim *node)
{
    const struct slot *slot = up->owner_data;
    const struct topology_group *group = pool_view_of(slot->pool, up);
    if (up->purpose == PURPOSE_MASTER && !node->master)
        return "it is not a master";
    if (up->purpose == PURPOSE_REPLICA && !node->replica &&
        !(group && pool_is_reader(group, up->node)))
        return "it is not a replica";
    if (group && !node->busy && !belongs(group, node))
        return "its replication id belongs to another group";
    return NULL;
}

static void on_greeted(struct upstream *up, bool admitted)
{
    pool_prove_greeting(up->owner_data, up, admitted);
}

/* ---- refusals ---- */

/* How long requests wait for the end of a refusal: for a new password in its file as long as for a
 * master, for room a moment; other refusals end only when an operator does something. */
static int64_t patience(const struct pool *pool, const struct upstream *up)
{
    if (up->waits)
        return pool->options->groups[up->group].hold_timeout_ms;
    return strstr(up->why, "max number of clients") ? ROOM_MS : 0;
}

static void tell_refusal(const struct pool *pool, const struct upstream *up, const char *why,
                         int64_t patience_ms)
{
    char quoted[200];
    if (refusals_note(board_refusals(pool->turn->board), up->group, up->node, why, clock_ms(),
                      patience_ms))
        log_event(
            LOG_WARN,
            "a node refuses the proxy: connections that stand are used, there are no new ones",
            "group=%s node=%s reason=%s", pool->options->groups[up->group].name, up->name,
            log_quote(quoted, sizeof(quoted), why));
}

static void note_refusal(const struct pool *pool, const struct upstream *up)
{
    if (up->refused)
        tell_refusal(pool, up, up->why, patience(pool, up));
}

/* New connections do not come about, though the node answers its probe, whose connection is older: a firewall, a listener
 * that hangs, no descriptor. One that is down is the election's business. */
static void note_vain(const struct pool *pool, struct pool_node *node, const struct upstream *up)
{
    int64_t now = turn_now(pool->turn);
    int64_t forgiven_ms = VAIN_MS + pool->options->groups[up->group].connect_timeout_ms;
    const struct topology_group *group = pool_view_of(pool, up);
    const struct topology_node *view = group ? topology_node_by_id(group, up->node) : NULL;
    char why[REFUSAL_TEXT_MAX];
    if (!view || !view->up || view->suspect) {
        node->vain_ms = 0;
        return;
    }
    if (!node->vain_ms || now - node->vain_last_ms > forgiven_ms)
        node->vain_ms = now;
    node->vain_last_ms = now;
    if (now - node->vain_ms < VAIN_MS)
        return;
    snprintf(why, sizeof(why), "no new connection comes about: %.100s", up->why);
    tell_refusal(pool, up, why, pool->options->groups[up->group].hold_timeout_ms);
}

static void note_success(const struct pool *pool, const struct upstream *up)
{
    if (refusals_clear(board_refusals(pool->turn->board), up->group, up->node))
        log_event(LOG_INFO, "a node lets the proxy in again", "group=%s node=%s",
                  pool->options->groups[up->group].name, up->name);
}

/* ---- their life ---- */

static const struct handshake_checks checks = {on_verify, on_greeted};

static void on_open(struct upstream *up)
{
    const struct slot *slot = up->owner_data;
    handshake_begin(up, pool_view_of(slot->pool, up)->own, &checks);
}

static void on_ready(struct upstream *up)
{
    struct slot *slot = up->owner_data;
    pool_prove_slot(slot, up);
    note_success(slot->pool, up);
    struct pool_node *node = pool_get_node(slot->pool, up->group, up->node);
    node->vain_ms = 0;
    if (node->failures > 1 && !node->rejects)
        log_event(LOG_INFO, "a node can be used again", "group=%s node=%s",
                  slot->pool->options->groups[up->group].name, up->name);
    if (!node->rejects) {
        node->failures = 0;
        node->retry_at_ms = 0;
    }
    if (list_linked(&up->in_idle))
        up->deadline_ms = turn_now(slot->pool->turn) + IDLE_MS;
    slot->pool->epoch++;
    slot->pool->on_change(slot->pool->data, up->group);
}

/* The newest snapshot is asked, also if the worker has not adopted it yet: a connection may end just before that. */
static bool lets_no_write_through(const struct upstream *up)
{
    const struct slot *slot = up->owner_data;
    struct topology *newest = board_acquire(slot->pool->turn->board);
    const struct topology_node *node =
        newest ? topology_node_by_id(&newest->groups[up->group], up->node) : NULL;
    bool leaving = node && node->leaving;
    if (newest)
        topology_release(newest);
    return leaving;
}

static enum connect_failure failure_of(const struct upstream *up)
{
    if (up->refused)
        return CONNECT_REFUSED;
    if (up->state == UPSTREAM_READY)
        return CONNECT_BROKEN;
    if (up->deadline_ms && up->deadline_ms <= turn_now(up->turn))
        return CONNECT_TIMEOUT;
    return up->state == UPSTREAM_CONNECTING ? CONNECT_CONNECT : CONNECT_HANDSHAKE;
}

static void on_cut(struct upstream *up, const char *why, bool error)
{
    struct slot *slot = up->owner_data;
    struct pool *pool = slot->pool;
    bool stood = up->state == UPSTREAM_READY;
    unsigned left;
    char quoted[200];

    if (slot->shared == up)
        slot->shared = NULL;
    for (int i = 0; i < AUTH_UPSTREAMS; i++)
        if (slot->auth_upstreams[i] == up)
            slot->auth_upstreams[i] = NULL;
    if (list_linked(&up->in_idle))
        pool_take_idle(slot, up);
    if (error && !pool->closing) {
        pool_count_failure(pool, up->group, up->node, failure_of(up));
        struct pool_node *node = pool_get_node(pool, up->group, up->node);
        bool news = stood ? !up->leased : node->failures == 1;
        if (!stood || node->failures == 0)
            pool_note_failure(pool, node, false);
        if (stood)
            pool_note_break(pool, node, up);
        note_refusal(pool, up);
        if (!stood && !up->refused)
            note_vain(pool, node, up);
        log_event(news && !up->refused ? LOG_WARN : LOG_DEBUG, "an upstream ended",
                  "group=%s node=%s purpose=%s leased=%d reason=%s",
                  pool->options->groups[up->group].name, up->name,
                  up->purpose == PURPOSE_MASTER ? "master" : "replica", up->leased,
                  log_quote(quoted, sizeof(quoted), why));
    }
    left = --pool_get_node(pool, up->group, up->node)->upstreams;
    if (pool->on_gone && ((error && stood) || left == 0))
        pool->on_gone(pool->data, up->group, up->node);
    pool->epoch++;
    pool->count--;
    slot->upstreams--;
    up->identity->pooled--;
    up->owner_data = NULL;
    pool_drop_slot_if_empty(slot);
}

const struct upstream_owner pool_upstream_owner = {on_open, on_ready, lets_no_write_through,
                                                   on_cut};
