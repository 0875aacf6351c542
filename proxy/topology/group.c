/*
 * group: the wiring, with group_sentinels.c. What Sentinels and probes report goes into the election
 * as addresses; after each input follow() carries out what the election's view
 * asks for: a probe for each node, polls, deadlines.
 *
 *     sentinel --report, event--> |          | --view--> follow(): probes, polls, timer
 *     probe ----answer, lost----> | election |           changed(): control publishes
 *     timer ------tick----------> |          |
 */
#include "topology/group_state.h"

#include "base/log.h"
#include "net/tls_source.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t now_of(const struct group *group)
{
    return (int64_t)uv_now(group->loop);
}

static struct watch *find_watch(const struct group *group, const struct address *address)
{
    for (size_t i = 0; i < group->watch_count; i++) {
        if (address_equal(probe_address(group->watches[i].probe), address))
            return &group->watches[i];
    }
    return NULL;
}

static void handle_closed(struct group *group)
{
    if (--group->open_handles > 0)
        return;
    void (*closed)(void *owner) = group->callbacks.closed;
    void *owner = group->owner;
    election_free(group->election);
    keyring_close(&group->own);
    keyring_close(&group->sentinels_own);
    free(group->watches);
    tls_source_release(group->kept.tls);
    tls_source_release(group->kept.sentinel_tls);
    free(group);
    closed(owner);
}

/* ---- doing what the election asks for ---- */

static void probe_answer(void *owner, struct probe *probe, const struct node_answer *answer,
                         int64_t asked_ms);
static void probe_lost(void *owner, struct probe *probe);
static void probe_down(void *owner, struct probe *probe, enum node_failure why);
static void probe_suspect(void *owner, struct probe *probe, bool suspect);
static void probe_leaving(void *owner, struct probe *probe, bool leaving);
static void probe_unfenced(void *owner, struct probe *probe, const char *error);

static void probe_gone(void *owner, struct probe *probe)
{
    (void)probe;
    handle_closed(owner);
}

static const struct probe_callbacks probe_callbacks = {
    .answer = probe_answer,
    .lost = probe_lost,
    .down = probe_down,
    .suspect = probe_suspect,
    .leaving = probe_leaving,
    .unfenced = probe_unfenced,
    .closed = probe_gone,
};

static struct watch *watch_new(struct group *group, const struct address *address)
{
    struct probe_options options = {
        .address = *address,
        .group = group->options->name,
        .credential = keyring_current(&group->own),
        .connect_timeout_ms = group->options->connect_timeout_ms,
        .tls = group->options->tls,
        .names = group->names,
        .callbacks = &probe_callbacks,
        .owner = group,
    };
    if (group->watch_count == group->watch_room) {
        group->watch_room = group->watch_room ? group->watch_room * 2 : 8;
        group->watches = realloc(group->watches, group->watch_room * sizeof(*group->watches));
        if (!group->watches)
            abort();
    }
    struct watch *watch = &group->watches[group->watch_count++];
    *watch = (struct watch){.probe = probe_new(group->loop, &options)};
    group->open_handles++;
    return watch;
}

static void drop_unwatched(struct group *group, const struct election_view *view)
{
    for (size_t i = group->watch_count; i-- > 0;) {
        struct probe *probe = group->watches[i].probe;
        bool wanted = false;
        for (size_t j = 0; j < view->node_count && !wanted; j++)
            wanted = address_equal(&view->nodes[j]->shown.address, probe_address(probe));
        if (wanted)
            continue;
        log_event(LOG_INFO, "a node left the group", "group=%s node=%s", group->options->name,
                  probe_name(probe));
        probe_close(probe);
        group->watches[i] = group->watches[--group->watch_count];
    }
}

/* ---- doing what it requests, once each ---- */

static void repoint(struct group *group, const struct election_request *request)
{
    struct endpoint master;
    struct watch *watch = find_watch(group, &request->replica);
    if (!watch || endpoint_parse(&master, request->master, 0) != 0 ||
        !probe_replicaof(watch->probe, &master))
        log_event(LOG_WARN, "a replica could not be pointed elsewhere", "group=%s master=%s",
                  group->options->name, request->master);
}

static void fence(struct group *group, const struct election_request *request)
{
    struct endpoint master;
    struct fence_order order = request->fence;
    struct watch *watch = find_watch(group, &request->fenced);
    order.master = &master;
    if (order.act == FENCE_DEMOTE && endpoint_parse(&master, request->demote_to, 0) != 0)
        return;
    if (!watch || !probe_fence(watch->probe, &order))
        log_event(LOG_WARN, "the old master cannot be told", "group=%s", group->options->name);
}

static void obey(struct group *group, const struct election_request *request)
{
    struct election_request before = group->obeyed;
    struct seat *seat = group_seat_by_key(group, request->sentinel);
    group->obeyed = *request;
    if (before.repoint_seq != request->repoint_seq)
        repoint(group, request);
    if (before.fence_seq != request->fence_seq)
        fence(group, request);
    if (before.quorum_seq != request->quorum_seq && seat)
        sentinel_ask_quorum(seat->sentinel);
    if (before.failover_seq != request->failover_seq && seat)
        sentinel_ask_failover(seat->sentinel);
}

static void on_timer(uv_timer_t *timer);

static void follow(struct group *group)
{
    const struct election_view *view = election_view(group->election);
    if (group->closing)
        return;
    group_seeds_look(group);
    drop_unwatched(group, view);
    for (size_t i = 0; i < view->node_count; i++) {
        const struct election_node *node = view->nodes[i];
        struct watch *watch = find_watch(group, &node->shown.address);
        if (!watch)
            watch = watch_new(group, &node->shown.address);
        probe_set_trust(watch->probe, node->named, node->in_group);
        probe_set_period(watch->probe, node->probe_every_ms);
        probe_set_close(watch->probe, (int)i == view->master);
        if (watch->seq != node->probe_seq)
            probe_now(watch->probe);
        watch->seq = node->probe_seq;
    }
    for (size_t i = 0; i < group->seat_count; i++) {
        sentinel_set_urgent(group->seats[i].sentinel, view->urgent || !view->quorum);
        if (group->poll_seq != view->poll_seq)
            sentinel_poll(group->seats[i].sentinel);
    }
    group->poll_seq = view->poll_seq;
    group->had_master = group->had_master || view->master >= 0;
    obey(group, &view->request);
    int64_t now = now_of(group), deadline = election_deadline(group->election, now);
    uv_timer_start(&group->timer, on_timer, (uint64_t)(deadline - now), 0);
    group->callbacks.changed(group->owner);
}

static bool is_quiet(void *arg)
{
    const struct group *group = arg;
    uint64_t (*acknowledged)(void *owner) = group->callbacks.acknowledged;
    if (!acknowledged)
        return true;
    return group->shown_hold == election_view(group->election)->hold_seq &&
           acknowledged(group->owner) >= group->hold_seq;
}

static int64_t paused_until(void *arg, uint64_t node)
{
    const struct group *group = arg;
    return group->callbacks.paused_until ? group->callbacks.paused_until(group->owner, group, node)
                                         : 0;
}

void group_published(struct group *group, uint64_t seq)
{
    uint32_t hold = election_view(group->election)->hold_seq;
    if (group->shown_hold != hold)
        group->hold_seq = seq;
    group->shown_hold = hold;
}

static void probe_at_once(struct group *group, const struct address *address)
{
    const struct watch *watch = find_watch(group, address);
    if (watch)
        probe_now(watch->probe);
}

static void log_story(void *arg, enum log_level level, const char *msg, const char *pairs)
{
    (void)arg;
    log_event(level, msg, "%s", pairs);
}

static void switched(void *arg, const struct switchover *s)
{
    const struct group *group = arg;
    if (group->callbacks.switched)
        group->callbacks.switched(group->owner, group, s);
}

/* ---- what nodes report ---- */

static void probe_answer(void *owner, struct probe *probe, const struct node_answer *answer,
                         int64_t asked_ms)
{
    struct group *group = owner;
    election_node_answer(group->election, probe_address(probe), answer, asked_ms, now_of(group));
    follow(group);
}

static void probe_lost(void *owner, struct probe *probe)
{
    struct group *group = owner;
    election_node_lost(group->election, probe_address(probe), now_of(group));
    follow(group);
}

static void probe_down(void *owner, struct probe *probe, enum node_failure why)
{
    struct group *group = owner;
    names_doubt(group->names, probe_address(probe));
    election_node_down(group->election, probe_address(probe), why, now_of(group));
    follow(group);
}

static void probe_leaving(void *owner, struct probe *probe, bool leaving)
{
    struct group *group = owner;
    election_node_leaving(group->election, probe_address(probe), leaving, now_of(group));
    follow(group);
}

static void probe_suspect(void *owner, struct probe *probe, bool suspect)
{
    struct group *group = owner;
    election_node_silent(group->election, probe_address(probe), suspect, now_of(group));
    follow(group);
}

static void probe_unfenced(void *owner, struct probe *probe, const char *error)
{
    struct group *group = owner;
    election_fence_refused(group->election, probe_address(probe), error);
}

void group_look_at_credentials(struct group *group)
{
    if (group->closing)
        return;
    if (keyring_look(&group->own, now_of(group))) {
        for (size_t i = 0; i < group->watch_count; i++)
            probe_set_credential(group->watches[i].probe, keyring_current(&group->own));
        group->callbacks.changed(group->owner);
    }
    if (keyring_look(&group->sentinels_own, now_of(group))) {
        for (size_t i = 0; i < group->seat_count; i++)
            sentinel_set_credential(group->seats[i].sentinel,
                                    keyring_current(&group->sentinels_own));
    }
}

void group_ask_all(struct group *group)
{
    group_seeds_look(group);
    for (size_t i = 0; i < group->seat_count; i++)
        sentinel_poll(group->seats[i].sentinel);
    for (size_t i = 0; i < group->watch_count; i++)
        probe_now(group->watches[i].probe);
}

/* ---- life ---- */

static void on_timer(uv_timer_t *timer)
{
    struct group *group = timer->data;
    election_tick(group->election, now_of(group));
    group_unseat(group);
    follow(group);
}

static void timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void open_keyrings(struct group *group)
{
    const struct topology_options *options = group->options;
    struct credential_owner owner = {.group = options->name,
                                     .file = options->password_file,
                                     .wake = group->callbacks.credential,
                                     .arg = group->owner};
    keyring_open(&group->own, &owner, options->username, options->password);
    owner.file = options->sentinel_password_file;
    keyring_open(&group->sentinels_own, &owner, options->sentinel_username,
                 options->sentinel_password);
}

struct election_options group_election_options(struct group *group)
{
    const struct topology_options *options = group->options;
    return (struct election_options){
        .name = options->name,
        .eager = options->promotion == PROMOTION_EAGER,
        .reconfigure_assist = options->reconfigure_assist,
        .fence = options->fence,
        .spare_links = options->tls != NULL,
        .demote = options->demote,
        .writes = {.quiet = is_quiet, .paused_until = paused_until, .arg = group},
        .settle_timeout_ms = options->settle_timeout_ms,
        .stale_reads_ms = options->stale_reads_ms,
        .replica_lag_ms = options->replica_lag_ms,
        .quorum_timeout_ms =
            options->lose_quorum == LOSE_QUORUM_HOLD ? options->quorum_timeout_ms : -1,
        .failover_assist_ms = options->assist_owner ? options->failover_assist_ms : -1,
        .story = log_story,
        .switched = switched,
        .switched_arg = group,
    };
}

struct group *group_new(uv_loop_t *loop, const struct topology_options *options,
                        struct names *names, const struct group_callbacks *callbacks, void *owner)
{
    struct group *group = calloc(1, sizeof(*group));
    if (!group)
        abort();
    group->loop = loop;
    group->options = options;
    group->names = names;
    group->callbacks = *callbacks;
    group->owner = owner;
    group->wiring = (struct group_wiring){.follow = follow,
                                          .look = group_seeds_look,
                                          .probe_now = probe_at_once,
                                          .handle_closed = handle_closed};
    open_keyrings(group);
    struct election_options election = group_election_options(group);
    group->election = election_new(&election, now_of(group));
    uv_timer_init(loop, &group->timer);
    group->timer.data = group;
    group->open_handles = 1;
    group_seat_configured(group);
    follow(group);
    return group;
}

void group_close(struct group *group)
{
    if (group->closing)
        return;
    group->closing = true;
    for (size_t i = 0; i < group->watch_count; i++)
        probe_close(group->watches[i].probe);
    group_forget_seats(group);
    group->watch_count = 0;
    uv_close((uv_handle_t *)&group->timer, timer_closed);
}
