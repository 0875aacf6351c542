/*
 * group_reload: a group goes on with other options. Connections that need not change stay, and so does all that is known: a
 * probe or a Sentinel is connected to anew only where TLS is set otherwise, which the election does not notice as long as
 * it answers within its patience.
 */
#include "topology/group_state.h"

#include "net/tls_source.h"

static int64_t now_of(const struct group *group)
{
    return (int64_t)uv_now(group->loop);
}

/* group.c makes new ones for the nodes that the election knows. */
static void renew_probes(struct group *group)
{
    for (size_t i = 0; i < group->watch_count; i++)
        probe_close(group->watches[i].probe);
    group->watch_count = 0;
}

static void change_credentials(struct group *group)
{
    const struct topology_options *options = group->options;
    if (keyring_change(&group->own, options->password_file, options->username, options->password))
        for (size_t i = 0; i < group->watch_count; i++)
            probe_set_credential(group->watches[i].probe, keyring_current(&group->own));
    if (keyring_change(&group->sentinels_own, options->sentinel_password_file,
                       options->sentinel_username, options->sentinel_password))
        for (size_t i = 0; i < group->seat_count; i++)
            sentinel_set_credential(group->seats[i].sentinel,
                                    keyring_current(&group->sentinels_own));
}

static void change_connect_timeout(struct group *group)
{
    int64_t ms = group->options->connect_timeout_ms;
    for (size_t i = 0; i < group->watch_count; i++)
        probe_set_connect_timeout(group->watches[i].probe, ms);
    for (size_t i = 0; i < group->seat_count; i++)
        sentinel_set_connect_timeout(group->seats[i].sentinel, ms);
}

/* ---- Sentinels ---- */

static void renew_sentinels(struct group *group)
{
    for (size_t i = 0; i < group->seat_count; i++) {
        struct seat *seat = &group->seats[i];
        sentinel_close(seat->sentinel);
        seat->sentinel = group_connect_sentinel(group, &seat->endpoint, &seat->seed);
    }
}

static bool is_configured(const struct group *group, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < group->options->sentinel_count; i++)
        if (group_same_text(&group->options->sentinels[i], endpoint))
            return true;
    return false;
}

static bool is_seated(const struct group *group, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < group->seat_count; i++)
        if (group_same_text(&group->seats[i].endpoint, endpoint))
            return true;
    return false;
}

/* A seat that is configured now and was not before, or the other way round, begins anew; so does one to which a name led
 * that is not configured any more. */
static void reseat(struct group *group)
{
    for (size_t i = group->seat_count; i-- > 0;) {
        struct seat *seat = &group->seats[i];
        bool named = is_configured(group, &seat->endpoint);
        bool seeded = !seat->seed.host[0] || is_configured(group, &seat->seed);
        if (seat->configured != named || !seeded)
            group_seat_remove(group, seat);
    }
    for (size_t i = 0; i < group->options->sentinel_count; i++)
        if (!is_seated(group, &group->options->sentinels[i]))
            group_seat_add(group, &group->options->sentinels[i], &group->options->sentinels[i], "");
}

/* ---- all ---- */

static void drop_kept(struct group *group)
{
    tls_source_release(group->kept.tls);
    tls_source_release(group->kept.sentinel_tls);
    group->kept = (struct topology_options){0};
}

void group_reload(struct group *group, const struct topology_options *options)
{
    const struct topology_options *before = group->options;
    bool other_nodes = before->tls != options->tls;
    bool other_sentinels = before->sentinel_tls != options->sentinel_tls;
    struct election_options election;
    group->options = options;
    change_credentials(group);
    change_connect_timeout(group);
    if (other_nodes)
        renew_probes(group);
    if (other_sentinels)
        renew_sentinels(group);
    reseat(group);
    drop_kept(group);
    election = group_election_options(group);
    election_change(group->election, &election, now_of(group));
    group->wiring.follow(group);
}

/* Sentinels and passwords were read already: seats and keyrings have them. */
void group_linger(struct group *group)
{
    const struct topology_options *options = group->options;
    if (options == &group->kept)
        return;
    group->kept = *options;
    group->kept.sentinels = NULL;
    group->kept.sentinel_count = 0;
    group->kept.username = group->kept.password = group->kept.password_file = NULL;
    group->kept.sentinel_username = group->kept.sentinel_password = NULL;
    group->kept.sentinel_password_file = NULL;
    tls_source_retain(group->kept.tls);
    tls_source_retain(group->kept.sentinel_tls);
    group->options = &group->kept;
}
