/*
 * group_vouch: which Sentinels may be learnt from others. One Sentinel can list as many as it likes, each
 * of them under its own command, and bring a majority about: so those that the operator has configured
 * decide, by majority, whom they know, under which run id and where. What each of them listed last
 * is remembered: one that is away has not changed its mind.
 *
 * A configured Sentinel that comes back elsewhere (a pod with another address) is not listed by
 * itself: its run id is known, and a majority of all that are seated says where it is now.
 *
 * A configured address behind which several Sentinels answer (a Service's) is one voice, that of whoever answers there; a
 * configured name with several addresses is one for each of them (group_seeds.c). Held by tests/unit/topology/test_group.c.
 */
#include "topology/group_state.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DOUBT_MS 5000 /* others need a few seconds to hear of a new Sentinel */

bool group_same_text(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

static bool is_loopback(const struct address *address)
{
    if (address->sa.any.sa_family == AF_INET)
        return address->sa.v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    return IN6_IS_ADDR_LOOPBACK(&address->sa.v6.sin6_addr);
}

bool group_means_itself(const struct seat *seat, const struct endpoint *told)
{
    struct address address;
    bool number = address_from_number(&address, told->host, told->port) == 0;
    bool loopback = number ? is_loopback(&address) : strcasecmp(told->host, "localhost") == 0;
    return loopback && !is_loopback(sentinel_address(seat->sentinel));
}

bool group_same_place(const struct group *group, const struct endpoint *a, const struct endpoint *b)
{
    struct address one, other;
    if (a->port == b->port && strcmp(a->host, b->host) == 0)
        return true;
    return names_lookup(group->names, a, &one) && names_lookup(group->names, b, &other) &&
           address_equal(&one, &other);
}

void group_take_list(struct seat *seat, const struct sentinel_report *report)
{
    size_t size = report->peer_count * sizeof(*seat->peers);
    struct sentinel_peer *peers = size ? realloc(seat->peers, size) : seat->peers;
    if (size && !peers)
        abort();
    seat->peers = peers;
    seat->peer_count = report->peer_count;
    if (size)
        memcpy(seat->peers, report->peers, size);
}

static bool is_same_sentinel(const struct seat *a, const struct seat *b)
{
    return a == b || (a->runid[0] && strcmp(a->runid, b->runid) == 0);
}

/* Whether this Sentinel lists it, at whichever of its addresses it was heard. */
static bool lists(const struct group *group, const struct seat *voice,
                  const struct sentinel_peer *peer)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        const struct seat *seat = &group->seats[i];
        for (size_t j = 0; j < seat->peer_count && is_same_sentinel(seat, voice); j++) {
            if (strcmp(seat->peers[j].runid, peer->runid) == 0 &&
                group_same_place(group, &seat->peers[j].endpoint, &peer->endpoint))
                return true;
        }
    }
    return false;
}

/* Whom the configuration trusts: one that it names, and who answers at a further address of a name, or may be about to. */
static bool is_trusted(const struct seat *seat)
{
    return seat->configured ||
           (seat->seed.host[0] && (seat->runid[0] || !sentinel_has_tried(seat->sentinel)));
}

/* Two seats of one Sentinel are one voice. */
static bool is_counted(const struct group *group, size_t index, bool configured)
{
    for (size_t i = 0; i < index; i++) {
        if ((is_trusted(&group->seats[i]) || !configured) &&
            is_same_sentinel(&group->seats[i], &group->seats[index]))
            return true;
    }
    return false;
}

static bool majority_lists(const struct group *group, const struct sentinel_peer *peer,
                           bool configured)
{
    size_t voices = 0, listing = 0;
    for (size_t i = 0; i < group->seat_count; i++) {
        const struct seat *seat = &group->seats[i];
        if ((configured && !is_trusted(seat)) || is_counted(group, i, configured))
            continue;
        voices++;
        listing += lists(group, seat, peer);
    }
    return listing > voices / 2;
}

static bool is_configured(const struct group *group, const struct sentinel_peer *peer)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        if (is_trusted(&group->seats[i]) && strcmp(group->seats[i].runid, peer->runid) == 0)
            return true;
    }
    return false;
}

bool group_is_vouched(const struct group *group, const struct sentinel_peer *peer)
{
    return majority_lists(group, peer, true) ||
           (is_configured(group, peer) && majority_lists(group, peer, false));
}

void group_log_doubt(const struct group *group, struct seat *seat)
{
    int64_t now_ms = (int64_t)uv_now(group->loop);
    size_t doubtful = 0;
    for (size_t i = 0; i < seat->peer_count; i++)
        doubtful +=
            !group_is_vouched(group, &seat->peers[i]) && !is_configured(group, &seat->peers[i]);
    if (doubtful == 0) {
        seat->doubtful_ms = 0;
        seat->doubt_logged = false;
        return;
    }
    if (seat->doubtful_ms == 0)
        seat->doubtful_ms = now_ms;
    if (seat->doubt_logged || now_ms - seat->doubtful_ms < DOUBT_MS)
        return;
    seat->doubt_logged = true;
    log_event(LOG_WARN, "a Sentinel lists others that too few of the configured ones know",
              "group=%s sentinel=%s count=%zu", group->options->name, sentinel_name(seat->sentinel),
              doubtful);
}
