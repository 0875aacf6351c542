/*
 * doctor_sentinels: what is wrong with a group's Sentinels, in the order in which somebody would look.
 */
#include "ops/doctor_checks.h"

#include <inttypes.h>
#include <string.h>

bool doctor_asked(const struct doctor_sentinel *sentinel)
{
    return !*sentinel->trouble && sentinel->knows;
}

const struct doctor_sentinel *doctor_first_asked(const struct doctor_group *group)
{
    for (size_t i = 0; i < group->sentinel_count; i++)
        if (doctor_asked(&group->sentinels[i]))
            return &group->sentinels[i];
    return NULL;
}

static void check_sentinel(const struct doctor_group *group, const struct doctor_sentinel *sentinel,
                           struct findings *findings)
{
    const char *name = doctor_name(&sentinel->endpoint);
    if (*sentinel->trouble) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding, "Sentinel %s could not be asked: %s", name, sentinel->trouble);
        finding_mend(finding,
                     "check `sentinels`, `sentinel_password` and `sentinel_tls` in [master %s], "
                     "and whether it runs",
                     group->options->name);
    } else if (!sentinel->knows) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding, "Sentinel %s knows no master named %s (names are case-sensitive)",
                      name, group->options->name);
        if (*sentinel->known)
            finding_mend(finding, "it knows: %s. Write [master NAME] as it is there",
                         sentinel->known);
        else
            finding_mend(finding, "it watches no master at all: SENTINEL MONITOR there");
    }
    if (sentinel->tilt) {
        struct finding *finding = finding_add(findings, SEVERITY_WARNING);
        finding_wrong(finding,
                      "Sentinel %s is in TILT mode: its clock jumped, or its machine stood still",
                      name);
        finding_mend(finding,
                     "until 30 s after the last jump it fails nothing over; look at its machine");
    }
}

/* Which majority a failover needs: of all Sentinels that there are, as one of them counts them. */
static void check_majority(const struct doctor_group *group, struct findings *findings)
{
    size_t reached = 0, known = 0;
    int64_t quorum = UNKNOWN;
    for (size_t i = 0; i < group->sentinel_count; i++) {
        const struct doctor_sentinel *sentinel = &group->sentinels[i];
        if (!doctor_asked(sentinel))
            continue;
        reached++;
        if (sentinel->peer_count + 1 > known)
            known = sentinel->peer_count + 1;
        if (sentinel->quorum > quorum)
            quorum = sentinel->quorum;
    }
    if (!known)
        return;
    if (quorum > (int64_t)known) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding,
                      "the quorum of %" PRId64 " can never be reached: there are %zu Sentinels",
                      quorum, known);
        finding_mend(finding, "SENTINEL SET %s quorum %zu at each of them", group->options->name,
                     known / 2 + 1);
    }
    if (reached * 2 <= known) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding,
                      "only %zu of %zu Sentinels could be asked: no majority, so no failover",
                      reached, known);
        finding_mend(finding,
                     "start the others, or SENTINEL RESET those that count some who are gone");
    }
    if (known < 3 || known % 2 == 0) {
        struct finding *finding =
            finding_add(findings, known < 3 ? SEVERITY_WARNING : SEVERITY_NOTE);
        finding_wrong(finding,
                      "there are %zu Sentinels: %zu may be lost before no failover is possible",
                      known, (known - 1) / 2);
        finding_mend(finding, "use three or five of them, on different machines");
    }
    if (known > group->sentinel_count) {
        struct finding *finding = finding_add(findings, SEVERITY_WARNING);
        finding_wrong(finding,
                      "there are %zu Sentinels, and %zu are configured here: the proxy believes "
                      "the configured ones first",
                      known, group->sentinel_count);
        finding_mend(finding, "list all of them in `sentinels` of [master %s]",
                     group->options->name);
    }
}

static bool knows_peer(const struct doctor_sentinel *sentinel, const char *runid)
{
    for (size_t i = 0; i < sentinel->peer_count; i++)
        if (strcmp(sentinel->peers[i].runid, runid) == 0)
            return true;
    return false;
}

/* Each pair of Sentinels that could be asked. */
static void check_acquaintance(const struct doctor_group *group, struct findings *findings)
{
    for (size_t i = 0; i < group->sentinel_count; i++)
        for (size_t j = 0; j < group->sentinel_count; j++) {
            const struct doctor_sentinel *one = &group->sentinels[i], *other = &group->sentinels[j];
            if (i == j || !doctor_asked(one) || !doctor_asked(other) || !*other->runid)
                continue;
            if (strcmp(one->runid, other->runid) == 0 && i < j) {
                struct finding *finding = finding_add(findings, SEVERITY_WARNING);
                finding_wrong(finding, "%s and %s are the same Sentinel",
                              doctor_name(&one->endpoint), doctor_name(&other->endpoint));
                finding_mend(finding,
                             "list each Sentinel once in `sentinels`, by an address of its own");
            } else if (strcmp(one->runid, other->runid) != 0 && !knows_peer(one, other->runid)) {
                struct finding *finding = finding_add(findings, SEVERITY_ERROR);
                finding_wrong(finding, "Sentinel %s does not know Sentinel %s",
                              doctor_name(&one->endpoint), doctor_name(&other->endpoint));
                finding_mend(finding,
                             "they find each other through the master: check that both monitor "
                             "the same one, and `sentinel announce-ip`");
            }
        }
}

static bool is_loopback(const struct endpoint *endpoint)
{
    return strncmp(endpoint->host, "127.", 4) == 0 || strcmp(endpoint->host, "::1") == 0 ||
           strcmp(endpoint->host, "localhost") == 0;
}

/* Who announces 127.0.0.1 is told apart from tests on one machine by where it was reached. */
static void check_announced(const struct doctor_group *group, struct findings *findings)
{
    for (size_t i = 0; i < group->sentinel_count; i++) {
        const struct doctor_sentinel *sentinel = &group->sentinels[i];
        if (!doctor_asked(sentinel) || is_loopback(&sentinel->endpoint))
            continue;
        for (size_t j = 0; j < sentinel->peer_count; j++)
            if (is_loopback(&sentinel->peers[j].endpoint)) {
                struct finding *finding = finding_add(findings, SEVERITY_ERROR);
                finding_wrong(finding, "Sentinel %s knows another one as %s",
                              doctor_name(&sentinel->endpoint),
                              doctor_name(&sentinel->peers[j].endpoint));
                finding_mend(finding,
                             "set `sentinel announce-ip` in that Sentinel's configuration");
            }
        if (is_loopback(&sentinel->master)) {
            struct finding *finding = finding_add(findings, SEVERITY_ERROR);
            finding_wrong(finding, "Sentinel %s announces the master as %s",
                          doctor_name(&sentinel->endpoint), doctor_name(&sentinel->master));
            finding_mend(finding, "SENTINEL MONITOR it by an address that others reach");
        }
    }
}

static void check_agreement(const struct doctor_group *group, struct findings *findings)
{
    const struct doctor_sentinel *first = doctor_first_asked(group);
    for (size_t i = 0; first && i < group->sentinel_count; i++) {
        const struct doctor_sentinel *other = &group->sentinels[i];
        if (!doctor_asked(other) || (other->master.port == first->master.port &&
                                     strcmp(other->master.host, first->master.host) == 0))
            continue;
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding, "Sentinel %s names the master %s, and Sentinel %s names %s",
                      doctor_name(&first->endpoint), doctor_name(&first->master),
                      doctor_name(&other->endpoint), doctor_name(&other->master));
        finding_mend(finding,
                     "wait for a failover to end, and ask again; SENTINEL MONITOR and RESET the "
                     "one that is wrong");
    }
}

void doctor_check_sentinels(const struct doctor_group *group, struct findings *findings)
{
    for (size_t i = 0; i < group->sentinel_count; i++)
        check_sentinel(group, &group->sentinels[i], findings);
    check_majority(group, findings);
    check_acquaintance(group, findings);
    check_announced(group, findings);
    check_agreement(group, findings);
}
