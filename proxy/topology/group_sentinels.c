/*
 * group_sentinels: a group's Sentinels: the configured ones and those that they
 * name, each on a seat of its own; what they report goes into the election.
 */
#include "topology/group_state.h"

#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_MS 60000 /* a discovered Sentinel that too few others list any more */

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

struct seat *group_seat_by_key(struct group *group, uint64_t key)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        if (group->seats[i].key == key)
            return &group->seats[i];
    }
    return NULL;
}

static void sentinel_reported(void *owner, struct sentinel *sentinel,
                              const struct sentinel_report *report);
static void sentinel_happened(void *owner, struct sentinel *sentinel, const char *channel,
                              const char *payload);
static void sentinel_other(void *owner, struct sentinel *sentinel, const char *runid);

static void sentinel_lost(void *owner, struct sentinel *sentinel)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    if (!seat)
        return;
    seat->reachable = false;
    election_sentinel_lost(group->election, seat->key, now_of(group));
    group->wiring.follow(group);
}

static void sentinel_deaf(void *owner, struct sentinel *sentinel)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    if (!seat)
        return;
    election_sentinel_deaf(group->election, seat->key, now_of(group));
    group->wiring.follow(group);
}

static void sentinel_refused(void *owner, struct sentinel *sentinel)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    if (!seat)
        return;
    election_sentinel_refused(group->election, seat->key, now_of(group));
    group->wiring.follow(group);
}

static void sentinel_failed(void *owner, struct sentinel *sentinel)
{
    struct group *group = owner;
    (void)sentinel;
    group->callbacks.changed(group->owner); /* why may be new */
}

static void sentinel_quorum(void *owner, struct sentinel *sentinel, bool good)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    if (!seat)
        return;
    election_sentinel_quorum(group->election, seat->key, good, now_of(group));
    group->wiring.follow(group);
}

static void sentinel_gone(void *owner, struct sentinel *sentinel)
{
    struct group *group = owner;
    (void)sentinel;
    group->wiring.handle_closed(group);
}

static const struct sentinel_callbacks sentinel_callbacks = {
    .report = sentinel_reported,
    .event = sentinel_happened,
    .lost = sentinel_lost,
    .deaf = sentinel_deaf,
    .refused = sentinel_refused,
    .failed = sentinel_failed,
    .quorum = sentinel_quorum,
    .other = sentinel_other,
    .closed = sentinel_gone,
};

struct sentinel *group_connect_sentinel(struct group *group, const struct endpoint *endpoint,
                                        const struct endpoint *seed)
{
    struct sentinel_options options = {
        .endpoint = *endpoint,
        .group = group->options->name,
        .credential = keyring_current(&group->sentinels_own),
        .connect_timeout_ms = group->options->connect_timeout_ms,
        .tls = group->options->sentinel_tls,
        .tls_host = seed && seed->host[0] ? seed->host : NULL,
        .callbacks = &sentinel_callbacks,
        .owner = group,
    };
    group->open_handles++;
    return sentinel_new(group->loop, &options);
}

void group_seat_add(struct group *group, const struct endpoint *endpoint,
                    const struct endpoint *seed, const char *runid)
{
    assert(endpoint);
    bool configured = seed && group_same_text(seed, endpoint);
    if (group->seat_count == SENTINEL_LIST_MAX)
        return;
    struct seat *seat = &group->seats[group->seat_count++];
    *seat = (struct seat){.key = ++group->next_key,
                          .configured = configured,
                          .seen_ms = now_of(group),
                          .events_left = GROUP_EVENTS_MAX,
                          .events_ms = now_of(group)};
    seat->endpoint = *endpoint;
    if (seed && !configured)
        seat->seed = *seed;
    seat->sentinel = group_connect_sentinel(group, endpoint, &seat->seed);
    snprintf(seat->runid, sizeof(seat->runid), "%s", runid);
    snprintf(seat->listed, sizeof(seat->listed), "%s", runid);
    election_sentinel_add(group->election, seat->key, configured, sentinel_name(seat->sentinel));
    election_sentinel_runid(group->election, seat->key, runid);
}

void group_seat_remove(struct group *group, struct seat *seat)
{
    uint64_t key = seat->key;
    log_event(LOG_INFO,
              seat->configured ? "a Sentinel is not in the configuration any more"
                               : "a discovered Sentinel is not needed any more",
              "group=%s sentinel=%s", group->options->name, sentinel_name(seat->sentinel));
    sentinel_close(seat->sentinel);
    free(seat->peers);
    *seat = group->seats[--group->seat_count];
    election_sentinel_remove(group->election, key, now_of(group));
}

static bool resolves(const struct group *group, const struct endpoint *endpoint)
{
    struct address address;
    return names_lookup(group->names, endpoint, &address);
}

/* The address that it is connected to is the peer's. */
static bool is_at(const struct group *group, const struct seat *seat,
                  const struct sentinel_peer *peer)
{
    struct address address;
    return names_lookup(group->names, &peer->endpoint, &address) &&
           address_equal(sentinel_address(seat->sentinel), &address);
}

/* Whether a Sentinel that is vouched for has a seat already, by its run id, or by its address. */
static bool is_seated(struct group *group, const struct sentinel_peer *peer)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        struct seat *seat = &group->seats[i];
        bool same_id = strcmp(seat->runid, peer->runid) == 0;
        bool same_place =
            group_same_place(group, &seat->endpoint, &peer->endpoint) || is_at(group, seat, peer);
        if (same_place && same_id)
            memcpy(seat->listed, peer->runid, sizeof(seat->listed));
        if (same_place || (same_id && seat->reachable && !seat->several)) {
            seat->seen_ms = now_of(group);
            return true;
        }
    }
    return !resolves(group, &peer->endpoint);
}

static bool still_vouched(const struct group *group, const struct seat *seat)
{
    struct sentinel_peer peer = {.endpoint = seat->endpoint};
    memcpy(peer.runid, seat->listed, sizeof(peer.runid));
    return group_is_vouched(group, &peer);
}

/* Whether this other seat makes the first superfluous. Of a name with several addresses each keeps its seat, or it would
 * be taken anew; and what answers as different Sentinels stands for none of them. */
static bool replaces(const struct seat *other, const struct seat *seat)
{
    if (!seat->runid[0] || strcmp(seat->runid, other->runid) != 0 || !other->reachable ||
        other->several)
        return false;
    if (seat->seed.host[0])
        return other->configured &&
               address_equal(sentinel_address(other->sentinel), sentinel_address(seat->sentinel));
    return other->configured || !seat->reachable;
}

/* A Sentinel that came back elsewhere leaves an unreachable seat behind; so does a discovered one
 * that turns out to be a configured one under another name. */
void group_unseat(struct group *group)
{
    for (size_t i = group->seat_count; i-- > 0;) {
        struct seat *seat = &group->seats[i];
        bool twin = false;
        for (size_t j = 0; j < group->seat_count && !twin; j++)
            twin = i != j && replaces(&group->seats[j], seat);
        if (!seat->configured && still_vouched(group, seat))
            seat->seen_ms = now_of(group);
        if (!seat->configured && (twin || now_of(group) - seat->seen_ms > FORGET_MS))
            group_seat_remove(group, seat);
    }
}

static void learn_peers(struct group *group, uint64_t key, const struct sentinel_report *report)
{
    for (size_t i = 0; i < report->peer_count; i++) {
        const struct sentinel_peer *peer = &report->peers[i];
        if (group_means_itself(group_seat_by_key(group, key), &peer->endpoint) ||
            !group_is_vouched(group, peer) || is_seated(group, peer))
            continue;
        log_event(LOG_INFO, "a Sentinel was discovered", "group=%s sentinel=%s:%u",
                  group->options->name, peer->endpoint.host, (unsigned)peer->endpoint.port);
        group_seat_add(group, &peer->endpoint, NULL, peer->runid);
    }
}

/* Tells the election of a node, and the caller its address (len 0: not resolved yet). */
static void list_node(struct group *group, uint64_t key, const struct endpoint *endpoint,
                      struct address *out)
{
    char name[ENDPOINT_TEXT_MAX];
    if (names_lookup(group->names, endpoint, out))
        election_sentinel_lists(group->election, key, out,
                                endpoint_format(name, sizeof(name), endpoint), now_of(group));
}

/* An address that a discovered Sentinel had may be another group's today: who answers there must be
 * the one that is listed there. He brings his friends along, and outvotes us. */
static bool is_stranger(const struct seat *seat)
{
    return !seat->configured && !seat->seed.host[0] && seat->runid[0] &&
           strcmp(seat->runid, seat->listed) != 0;
}

/* Somebody answers at this seat who is known as another one, with a seat of his own: behind a Service's address another
 * Sentinel may answer at each connect. */
static void note_several(struct group *group, struct seat *seat, const char *runid)
{
    bool known = false;
    for (size_t i = 0; i < group->seat_count && !known; i++)
        known = &group->seats[i] != seat && strcmp(group->seats[i].runid, runid) == 0;
    if (seat->several || !seat->configured || !known || !seat->runid[0])
        return;
    seat->several = true;
    log_event(LOG_INFO, "several Sentinels answer at one address",
              "group=%s sentinel=%s runid=%s another=%s", group->options->name,
              sentinel_name(seat->sentinel), seat->runid, runid);
}

static void sentinel_other(void *owner, struct sentinel *sentinel, const char *runid)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    if (seat)
        note_several(group, seat, runid);
}

static void learn_runid(struct group *group, struct seat *seat, const char *runid)
{
    if (!runid[0] || strcmp(seat->runid, runid) == 0)
        return;
    note_several(group, seat, runid);
    snprintf(seat->runid, sizeof(seat->runid), "%s", runid);
    election_sentinel_runid(group->election, seat->key, runid);
    if (is_stranger(seat))
        log_event(LOG_WARN, "a stranger answers on a Sentinel's address",
                  "group=%s sentinel=%s runid=%s listed=%s", group->options->name,
                  sentinel_name(seat->sentinel), seat->runid, seat->listed);
}

static void turn_away(struct group *group, struct seat *seat)
{
    seat->reachable = false;
    election_sentinel_lost(group->election, seat->key, now_of(group));
    group->wiring.follow(group);
}

/* Whether it has not been told of a master yet that others could reach; it says so once. */
static bool is_vague(const struct group *group, struct seat *seat,
                     const struct sentinel_report *report)
{
    bool vague = report->known && group_means_itself(seat, &report->named);
    if (vague && !seat->vague)
        log_event(LOG_WARN, "a Sentinel names a master on its own host: it is waited for",
                  "group=%s sentinel=%s master=%s:%u", group->options->name,
                  sentinel_name(seat->sentinel), report->named.host, (unsigned)report->named.port);
    seat->vague = vague;
    return vague;
}

static void sentinel_reported(void *owner, struct sentinel *sentinel,
                              const struct sentinel_report *report)
{
    struct group *group = owner;
    struct address address;
    group->wiring.look(group);
    struct seat *seat = seat_of(group, sentinel);
    struct sentinel_answer answer = {
        .epoch = report->epoch,
        .step = report->step,
        .failover_timeout_ms = report->failover_timeout_ms,
        .down_after_ms = report->down_after_ms,
    };
    if (!seat)
        return;
    uint64_t key = seat->key;
    learn_runid(group, seat, report->runid);
    if (is_stranger(seat)) {
        turn_away(group, seat);
        return;
    }
    seat->reachable = true;
    group_take_list(seat, report);
    for (size_t i = 0; i < report->replica_count; i++)
        if (!group_means_itself(seat, &report->replicas[i]))
            list_node(group, key, &report->replicas[i], &address);
    answer.known = report->known && !is_vague(group, seat, report);
    if (answer.known)
        list_node(group, key, &report->named, &answer.named);
    seat->said.known = answer.known;
    seat->said.named = answer.named;
    seat->said.epoch = answer.epoch;
    seat->said.step = answer.step;
    seat->said.answered_ms = now_of(group);
    election_sentinel_answer(group->election, key, &answer, report->asked_ms, now_of(group));
    learn_peers(group, key, report);
    seat = group_seat_by_key(group, key);
    if (seat)
        group_log_doubt(group, seat);
    group_unseat(group);
    group->wiring.follow(group);
}

static void sentinel_happened(void *owner, struct sentinel *sentinel, const char *channel,
                              const char *payload)
{
    struct group *group = owner;
    struct seat *seat = seat_of(group, sentinel);
    if (seat && !is_stranger(seat))
        group_take_event(group, seat, channel, payload);
}

int64_t group_sentinels_cert_ends(const struct group *group)
{
    int64_t first = 0;
    for (size_t i = 0; i < group->seat_count; i++) {
        int64_t ends = sentinel_cert_ends(group->seats[i].sentinel);
        if (ends && (!first || ends < first))
            first = ends;
    }
    return first;
}

void group_each_sentinel(const struct group *group, sentinel_visitor *each, void *data)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        const struct seat *seat = &group->seats[i];
        struct sentinel_view view = {.name = sentinel_name(seat->sentinel),
                                     .runid = seat->runid,
                                     .configured = seat->configured,
                                     .reachable = seat->reachable,
                                     .known = seat->said.known,
                                     .named = seat->said.named,
                                     .epoch = seat->said.epoch,
                                     .step = seat->said.step,
                                     .answered_ms = seat->said.answered_ms,
                                     .peers = (unsigned)seat->peer_count};
        each(data, &view);
    }
}

void group_forget_seats(struct group *group)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        sentinel_close(group->seats[i].sentinel);
        free(group->seats[i].peers);
    }
    group->seat_count = 0;
}

void group_seat_configured(struct group *group)
{
    for (size_t i = 0; i < group->options->sentinel_count; i++)
        group_seat_add(group, &group->options->sentinels[i], &group->options->sentinels[i], "");
}
