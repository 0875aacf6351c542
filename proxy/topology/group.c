/*
 * group: the wiring. What Sentinels and probes report goes into the election
 * as addresses; after each input follow() carries out what the election's view
 * asks for: a probe for each node, polls, deadlines.
 *
 *     sentinel --report, event--> |          | --view--> follow(): probes, polls, timer
 *     probe ----answer, lost----> | election |           changed(): control publishes
 *     timer ------tick----------> |          |
 */
#include "topology/group.h"

#include "base/log.h"
#include "topology/election.h"
#include "topology/probe.h"
#include "topology/sentinel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_MS 60000 /* a discovered Sentinel that is neither listed nor reached */

struct seat {
    struct sentinel *sentinel;
    uint64_t key;
    bool configured, reachable;
    char runid[RUNID_SIZE];
    int64_t seen_ms; /* when it was last listed by another one, or reached */
};

struct watch {
    struct probe *probe;
    uint32_t seq; /* the election_node.probe_seq that was obeyed */
};

struct group {
    uv_loop_t *loop;
    const struct topology_options *options;
    struct names *names;
    void (*changed)(void *owner);
    void (*closed)(void *owner);
    void *owner;
    struct election *election;
    uv_timer_t timer;
    struct seat seats[SENTINEL_LIST_MAX];
    size_t seat_count;
    struct watch *watches;
    size_t watch_count, watch_room;
    uint64_t next_key;
    uint32_t poll_seq;
    size_t open_handles;
    bool closing;
};

static int64_t now_of(const struct group *group)
{
    return (int64_t)uv_now(group->loop);
}

static struct seat *seat_of(struct group *group, const struct sentinel *sentinel)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        if (group->seats[i].sentinel == sentinel)
            return &group->seats[i];
    }
    return NULL;
}

static struct watch *watch_of(struct group *group, const struct address *address)
{
    for (size_t i = 0; i < group->watch_count; i++) {
        if (address_equal(probe_address(group->watches[i].probe), address))
            return &group->watches[i];
    }
    return NULL;
}

static void one_closed(struct group *group)
{
    if (--group->open_handles > 0)
        return;
    void (*closed)(void *owner) = group->closed;
    void *owner = group->owner;
    election_free(group->election);
    free(group->watches);
    free(group);
    closed(owner);
}

/* ---- doing what the election asks for ---- */

static void probe_answer(void *owner, struct probe *probe, const struct node_answer *answer,
                         int64_t asked_ms);
static void probe_lost(void *owner, struct probe *probe);
static void probe_down(void *owner, struct probe *probe);
static void probe_suspect(void *owner, struct probe *probe, bool suspect);

static void probe_gone(void *owner, struct probe *probe)
{
    (void)probe;
    one_closed(owner);
}

static const struct probe_callbacks probe_callbacks = {
    .answer = probe_answer,
    .lost = probe_lost,
    .down = probe_down,
    .suspect = probe_suspect,
    .closed = probe_gone,
};

static struct watch *watch_new(struct group *group, const struct address *address)
{
    struct probe_options options = {
        .address = *address,
        .group = group->options->name,
        .username = group->options->username,
        .password = group->options->password,
        .connect_timeout_ms = group->options->connect_timeout_ms,
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

static void on_timer(uv_timer_t *timer);

static void follow(struct group *group)
{
    const struct election_view *view = election_view(group->election);
    if (group->closing)
        return;
    drop_unwatched(group, view);
    for (size_t i = 0; i < view->node_count; i++) {
        const struct election_node *node = view->nodes[i];
        struct watch *watch = watch_of(group, &node->shown.address);
        if (!watch)
            watch = watch_new(group, &node->shown.address);
        probe_set_period(watch->probe, node->probe_every_ms);
        if (watch->seq != node->probe_seq)
            probe_now(watch->probe);
        watch->seq = node->probe_seq;
    }
    for (size_t i = 0; i < group->seat_count; i++) {
        sentinel_set_urgent(group->seats[i].sentinel, view->urgent);
        if (group->poll_seq != view->poll_seq)
            sentinel_poll(group->seats[i].sentinel);
    }
    group->poll_seq = view->poll_seq;
    int64_t now = now_of(group), deadline = election_deadline(group->election, now);
    uv_timer_start(&group->timer, on_timer, (uint64_t)(deadline - now), 0);
    group->changed(group->owner);
}

static void tell_story(void *arg, enum log_level level, const char *msg, const char *pairs)
{
    (void)arg;
    log_event(level, msg, "%s", pairs);
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

static void probe_down(void *owner, struct probe *probe)
{
    struct group *group = owner;
    election_node_down(group->election, probe_address(probe), now_of(group));
    follow(group);
}

static void probe_suspect(void *owner, struct probe *probe, bool suspect)
{
    struct group *group = owner;
    election_node_suspect(group->election, probe_address(probe), suspect, now_of(group));
    follow(group);
}

/* ---- what Sentinels report ---- */

static void sentinel_reported(void *owner, struct sentinel *sentinel,
                              const struct sentinel_report *report);
static void sentinel_happened(void *owner, struct sentinel *sentinel, const char *channel,
                              const char *payload);

static void sentinel_lost(void *owner, struct sentinel *sentinel)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    if (!seat)
        return;
    seat->reachable = false;
    election_sentinel_lost(group->election, seat->key, now_of(group));
    follow(group);
}

static void sentinel_deaf(void *owner, struct sentinel *sentinel)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    if (!seat)
        return;
    election_sentinel_deaf(group->election, seat->key, now_of(group));
    follow(group);
}

static void sentinel_gone(void *owner, struct sentinel *sentinel)
{
    (void)sentinel;
    one_closed(owner);
}

static const struct sentinel_callbacks sentinel_callbacks = {
    .report = sentinel_reported,
    .event = sentinel_happened,
    .lost = sentinel_lost,
    .deaf = sentinel_deaf,
    .closed = sentinel_gone,
};

static void seat_add(struct group *group, const struct endpoint *endpoint, bool configured,
                     const char *runid)
{
    struct sentinel_options options = {
        .endpoint = *endpoint,
        .group = group->options->name,
        .username = group->options->sentinel_username,
        .password = group->options->sentinel_password,
        .connect_timeout_ms = group->options->connect_timeout_ms,
        .callbacks = &sentinel_callbacks,
        .owner = group,
    };
    if (group->seat_count == SENTINEL_LIST_MAX)
        return;
    struct seat *seat = &group->seats[group->seat_count++];
    *seat =
        (struct seat){.key = ++group->next_key, .configured = configured, .seen_ms = now_of(group)};
    seat->sentinel = sentinel_new(group->loop, &options);
    snprintf(seat->runid, sizeof(seat->runid), "%s", runid);
    election_sentinel_add(group->election, seat->key, configured, sentinel_name(seat->sentinel));
    election_sentinel_runid(group->election, seat->key, runid);
    group->open_handles++;
}

static void seat_remove(struct group *group, struct seat *seat)
{
    uint64_t key = seat->key;
    log_event(LOG_INFO, "a discovered Sentinel is not needed any more", "group=%s sentinel=%s",
              group->options->name, sentinel_name(seat->sentinel));
    sentinel_close(seat->sentinel);
    *seat = group->seats[--group->seat_count];
    election_sentinel_remove(group->election, key, now_of(group));
}

/* Whether a listed Sentinel has a seat already, by its run id, or by its address. */
static bool is_seated(struct group *group, const struct sentinel_peer *peer)
{
    struct address address;
    char name[ENDPOINT_TEXT_MAX];
    bool resolved = names_lookup(group->names, &peer->endpoint, &address);
    endpoint_format(name, sizeof(name), &peer->endpoint);
    for (size_t i = 0; i < group->seat_count; i++) {
        struct seat *seat = &group->seats[i];
        bool same_id = strcmp(seat->runid, peer->runid) == 0;
        bool same_place = strcmp(sentinel_name(seat->sentinel), name) == 0 ||
                          (resolved && address_equal(sentinel_address(seat->sentinel), &address));
        if (same_place || (same_id && seat->reachable)) {
            seat->seen_ms = now_of(group);
            return true;
        }
    }
    return !resolved;
}

/* A Sentinel that came back elsewhere leaves an unreachable seat behind; so does a discovered one
 * that turns out to be a configured one under another name. */
static void unseat(struct group *group)
{
    for (size_t i = group->seat_count; i-- > 0;) {
        struct seat *seat = &group->seats[i];
        bool twin = false;
        for (size_t j = 0; j < group->seat_count && !twin; j++) {
            const struct seat *other = &group->seats[j];
            twin = i != j && seat->runid[0] && strcmp(seat->runid, other->runid) == 0 &&
                   other->reachable && (other->configured || !seat->reachable);
        }
        if (!seat->configured && (twin || now_of(group) - seat->seen_ms > FORGET_MS))
            seat_remove(group, seat);
    }
}

static void learn_peers(struct group *group, const struct sentinel_report *report)
{
    for (size_t i = 0; i < report->peer_count; i++) {
        const struct sentinel_peer *peer = &report->peers[i];
        if (is_seated(group, peer))
            continue;
        log_event(LOG_INFO, "a Sentinel was discovered", "group=%s sentinel=%s:%u",
                  group->options->name, peer->endpoint.host, (unsigned)peer->endpoint.port);
        seat_add(group, &peer->endpoint, false, peer->runid);
    }
}

/* Tells the election of a node, and the caller its address (len 0: not resolved yet). */
static void list_node(struct group *group, const struct endpoint *endpoint, struct address *out)
{
    char name[ENDPOINT_TEXT_MAX];
    if (names_lookup(group->names, endpoint, out))
        election_sentinel_lists(group->election, out, endpoint_format(name, sizeof(name), endpoint),
                                now_of(group));
}

static void sentinel_reported(void *owner, struct sentinel *sentinel,
                              const struct sentinel_report *report)
{
    struct group *group = owner;
    struct address address;
    struct seat *seat = seat_of(group, sentinel);
    struct sentinel_answer answer = {
        .known = report->known, .epoch = report->epoch, .step = report->step};
    if (!seat)
        return;
    uint64_t key = seat->key;
    seat->reachable = true;
    seat->seen_ms = now_of(group);
    if (report->runid[0]) {
        memcpy(seat->runid, report->runid, sizeof(seat->runid));
        election_sentinel_runid(group->election, key, report->runid);
    }
    for (size_t i = 0; i < report->replica_count; i++)
        list_node(group, &report->replicas[i], &address);
    if (report->known)
        list_node(group, &report->named, &answer.named);
    election_sentinel_answer(group->election, key, &answer, report->asked_ms, now_of(group));
    learn_peers(group, report);
    unseat(group);
    follow(group);
}

/* ---- events ---- */

static void sentinel_happened(void *owner, struct sentinel *sentinel, const char *channel,
                              const char *payload)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    struct sentinel_event event;
    enum election_event kind;
    struct address master, subject;
    char quoted[512];
    if (!seat || !sentinel_parse_event(&event, channel, payload))
        return;
    if (event.name[0] && strcmp(event.name, group->options->name) != 0)
        return;
    log_event(sentinel_event_notable(channel) ? LOG_INFO : LOG_DEBUG, "Sentinel event",
              "group=%s sentinel=%s event=%s payload=%s", group->options->name,
              sentinel_name(sentinel), channel, log_quote(quoted, sizeof(quoted), payload));
    (void)names_lookup(group->names, &event.master, &master);
    (void)names_lookup(group->names, &event.subject, &subject);
    struct watch *watch = subject.len ? watch_of(group, &subject) : NULL;
    if (watch)
        probe_now(watch->probe);
    sentinel_poll(sentinel);
    if (sentinel_event_kind(channel, &kind))
        election_event(group->election, seat->key, kind, &master, &subject, now_of(group));
    follow(group);
}

void group_ask_all(struct group *group)
{
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
    unseat(group);
    follow(group);
}

static void timer_closed(uv_handle_t *handle)
{
    one_closed(handle->data);
}

struct group *group_new(uv_loop_t *loop, const struct topology_options *options,
                        struct names *names, void (*changed)(void *owner),
                        void (*closed)(void *owner), void *owner)
{
    struct group *group = calloc(1, sizeof(*group));
    struct election_options election = {
        .name = options->name,
        .eager = options->promotion == PROMOTION_EAGER,
        .settle_timeout_ms = options->settle_timeout_ms,
        .stale_reads_ms = options->stale_reads_ms,
        .story = tell_story,
    };
    if (!group)
        abort();
    group->loop = loop;
    group->options = options;
    group->names = names;
    group->changed = changed;
    group->closed = closed;
    group->owner = owner;
    group->election = election_new(&election, now_of(group));
    uv_timer_init(loop, &group->timer);
    group->timer.data = group;
    group->open_handles = 1;
    for (size_t i = 0; i < options->sentinel_count; i++)
        seat_add(group, &options->sentinels[i], true, "");
    follow(group);
    return group;
}

void group_close(struct group *group)
{
    if (group->closing)
        return;
    group->closing = true;
    for (size_t i = 0; i < group->seat_count; i++)
        sentinel_close(group->seats[i].sentinel);
    for (size_t i = 0; i < group->watch_count; i++)
        probe_close(group->watches[i].probe);
    group->seat_count = group->watch_count = 0;
    uv_close((uv_handle_t *)&group->timer, timer_closed);
}

void group_show(const struct group *group, struct topology_group *out)
{
    const struct election_view *view = election_view(group->election);
    out->name = group->options->name;
    out->state = view->state;
    out->master = view->master;
    out->writable = view->writable;
    out->settling = view->settling;
    out->epoch = view->epoch;
    out->since_ms = view->since_ms;
    memcpy(out->replid, view->replid, sizeof(out->replid));
    memcpy(out->reason, view->reason, sizeof(out->reason));
    out->node_count = view->node_count;
    out->nodes = calloc(view->node_count ? view->node_count : 1, sizeof(*out->nodes));
    if (!out->nodes)
        abort();
    for (size_t i = 0; i < view->node_count; i++) {
        out->nodes[i] = view->nodes[i]->shown;
        out->nodes[i].readable = out->nodes[i].readable && !out->nodes[i].suspect;
    }
}
