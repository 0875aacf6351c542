/*
 * group_seeds: a configured name may lead to several Sentinels. The name itself has a seat, which is at one of its
 * addresses; each further address gets a seat of its own here. Such a Sentinel is as trusted as a configured one, but it
 * is counted only while it is reached: of a name that leads to one Sentinel twice (IPv4 and IPv6), or to pods that are
 * gone, nobody is missed.
 *
 *     sentinels = redis-sentinel       the name's seat    10.0.0.1   counts always
 *                                      seats made here    10.0.0.2, 10.0.0.3   count while they are reached
 *
 * group.c looks again whenever something has happened. Who is behind an address is told by the run id, as of all
 * Sentinels (votes.c). Held by tests/unit/topology/test_group_seeds.c and tests/system/test_seeds.c.
 */
#include "topology/group_state.h"

#include "base/log.h"
#include "net/resolve.h"

#include <stdio.h>
#include <string.h>

static int64_t now_of(const struct group *group)
{
    return (int64_t)uv_now(group->loop);
}

static struct seat *seat_of_name(struct group *group, const struct endpoint *name)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        struct seat *seat = &group->seats[i];
        if (seat->configured && group_same_text(&seat->endpoint, name))
            return seat;
    }
    return NULL;
}

/* Where its connections go, or would go. */
static bool is_at(const struct seat *seat, const struct address *address)
{
    struct address number;
    if (address_equal(sentinel_address(seat->sentinel), address))
        return true;
    return address_from_number(&number, seat->endpoint.host, seat->endpoint.port) == 0 &&
           address_equal(&number, address);
}

static struct seat *seat_at(struct group *group, const struct address *address)
{
    for (size_t i = 0; i < group->seat_count; i++)
        if (is_at(&group->seats[i], address))
            return &group->seats[i];
    return NULL;
}

static void number_of(const struct address *address, struct endpoint *out)
{
    char text[ENDPOINT_TEXT_MAX];
    if (endpoint_parse(out, address_format(text, sizeof(text), address), 0) != 0)
        *out = (struct endpoint){.port = 0};
}

/* Somebody is at this address of the name: he who is there already, or a new one. */
static void seat_address(struct group *group, const struct endpoint *name,
                         const struct address *address)
{
    struct seat *seat = seat_at(group, address);
    struct endpoint at;
    if (!seat) {
        char text[ENDPOINT_TEXT_MAX];
        number_of(address, &at);
        log_event(LOG_INFO, "a Sentinel's name leads to a further address",
                  "group=%s name=%s sentinel=%s", group->options->name,
                  endpoint_format(text, sizeof(text), name),
                  address_format((char[ENDPOINT_TEXT_MAX]){0}, ENDPOINT_TEXT_MAX, address));
        group_seat_add(group, &at, name, "");
        return;
    }
    if (!seat->configured) {
        seat->seed = *name;
        seat->seen_ms = now_of(group);
    }
}

static bool leads_to(const struct address *addresses, size_t count, const struct seat *seat)
{
    for (size_t i = 0; i < count; i++)
        if (is_at(seat, &addresses[i]))
            return true;
    return false;
}

/* A seat that the name does not lead to any more is one that others may list; who was never there is not missed. */
static void let_go(struct group *group, const struct endpoint *name,
                   const struct address *addresses, size_t count)
{
    for (size_t i = group->seat_count; i-- > 0;) {
        struct seat *seat = &group->seats[i];
        if (!seat->seed.host[0] || !group_same_text(&seat->seed, name) ||
            leads_to(addresses, count, seat))
            continue;
        if (!seat->runid[0]) {
            group_seat_remove(group, seat);
            continue;
        }
        seat->seed.host[0] = '\0';
        memcpy(seat->listed, seat->runid, sizeof(seat->listed));
    }
}

void group_seeds_look(struct group *group)
{
    struct address addresses[RESOLVE_MAX];
    for (size_t i = 0; i < group->options->sentinel_count; i++) {
        const struct endpoint *name = &group->options->sentinels[i];
        const struct seat *own = seat_of_name(group, name);
        size_t count = names_all(group->names, name, addresses, RESOLVE_MAX);
        /* Before its own seat has chosen an address all of them would be taken for others. */
        if (count == 0 || !own || !sentinel_address(own->sentinel)->len)
            continue;
        let_go(group, name, addresses, count);
        for (size_t k = 0; k < count && count > 1; k++)
            seat_address(group, name, &addresses[k]);
    }
}
