/*
 * doctor_checks: which facts are which fault. A good group is the stage; each test makes one thing wrong.
 */
#include "ops/doctor_checks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct topology_options options;
static struct traffic_group_options traffic;
static struct doctor_group group;
static struct findings findings;

static struct endpoint at(int host, uint16_t port)
{
    struct endpoint endpoint = {.port = port};
    snprintf(endpoint.host, sizeof(endpoint.host), "10.0.0.%d", host);
    return endpoint;
}

static void fill_sentinel(int i)
{
    struct doctor_sentinel *sentinel = &group.sentinels[i];
    *sentinel = (struct doctor_sentinel){.endpoint = at(i + 1, 26379),
                                         .knows = true,
                                         .master = at(1, 6379),
                                         .quorum = 2,
                                         .down_after_ms = 10000,
                                         .failover_timeout_ms = 18000,
                                         .clock_ahead_ms = 3};
    snprintf(sentinel->runid, sizeof(sentinel->runid), "sentinel-%d", i);
    for (int other = 0; other < 3; other++)
        if (other != i) {
            struct doctor_peer *peer = &sentinel->peers[sentinel->peer_count++];
            peer->endpoint = at(other + 1, 26379);
            snprintf(peer->runid, sizeof(peer->runid), "sentinel-%d", other);
        }
}

static void begin(void)
{
    options = (struct topology_options){.name = "mymaster", .fence = FENCE_FULL};
    traffic = (struct traffic_group_options){.name = "mymaster", .hold_timeout_ms = 20000};
    group = (struct doctor_group){
        .options = &options, .traffic = &traffic, .sentinel_count = 3, .node_count = 3};
    for (int i = 0; i < 3; i++) {
        fill_sentinel(i);
        group.nodes[i] = (struct doctor_node){.endpoint = at(i + 1, 6379),
                                              .is_master = i == 0,
                                              .named_by = 3,
                                              .user = "proxy",
                                              .role = i == 0 ? DOCTOR_MASTER : DOCTOR_REPLICA,
                                              .follows = at(1, 6379),
                                              .link_up = i > 0,
                                              .replicas = i == 0 ? 2 : 0,
                                              .priority = 100,
                                              .replid = "abc",
                                              .min_replicas = 1,
                                              .min_replicas_max_lag_s = 10,
                                              .diskless_delay_s = 0,
                                              .port = 6379,
                                              .tls_port = 0,
                                              .clock_ahead_ms = INT64_MIN,
                                              .rights_told = true,
                                              .rights = {{"ROLE", "probes", false}}};
    }
}

static void end(void)
{
    findings_free(&findings);
}

TestSuite(doctor_checks, .init = begin, .fini = end);

/* Whether the group has this fault, told with this text, and with a way to mend it. */
static bool finds(enum severity severity, const char *text)
{
    findings_free(&findings);
    doctor_check(&group, &findings);
    for (size_t i = 0; i < findings.count; i++)
        if (findings.items[i].severity == severity && strstr(findings.items[i].wrong, text))
            return findings.items[i].mend[0];
    for (size_t i = 0; i < findings.count; i++)
        fprintf(stderr, "%s: %s\n", severity_name(findings.items[i].severity),
                findings.items[i].wrong);
    return false;
}

Test(doctor_checks, a_good_group_has_none)
{
    doctor_check(&group, &findings);
    cr_assert_eq(findings.count, 0, "%s", findings.count ? findings.items[0].wrong : "");
}

Test(doctor_checks, sentinels_that_cannot_be_asked)
{
    strcpy(group.sentinels[1].trouble, "it cannot be reached: Connection refused");
    cr_expect(finds(SEVERITY_ERROR, "Sentinel 10.0.0.2:26379 could not be asked"));
    strcpy(group.sentinels[2].trouble, "it cannot be reached: Connection refused");
    cr_expect(finds(SEVERITY_ERROR, "only 1 of 3 Sentinels could be asked"));
}

Test(doctor_checks, names_and_numbers_of_sentinels)
{
    group.sentinels[0].tilt = true;
    cr_expect(finds(SEVERITY_WARNING, "TILT"));
    group.sentinels[0].quorum = 3;
    cr_expect_not(finds(SEVERITY_ERROR, "the quorum"));
    group.sentinels[0].quorum = 4;
    cr_expect(finds(SEVERITY_ERROR, "the quorum of 4 can never be reached"));
    group.sentinels[0].knows = false;
    strcpy(group.sentinels[0].known, "MyMaster");
    cr_expect(finds(SEVERITY_ERROR, "knows no master named mymaster"));
}

Test(doctor_checks, too_few_and_too_many_sentinels)
{
    group.sentinel_count = 2;
    for (int i = 0; i < 2; i++) {
        group.sentinels[i].peer_count = 1;
        snprintf(group.sentinels[i].peers[0].runid, RUNID_SIZE, "sentinel-%d", 1 - i);
    }
    cr_expect(finds(SEVERITY_WARNING, "there are 2 Sentinels: 0 may be lost"));
    begin();
    group.sentinel_count = 2;
    cr_expect(finds(SEVERITY_WARNING, "there are 3 Sentinels, and 2 are configured here"));
    for (int i = 0; i < 2; i++)
        group.sentinels[i].peer_count = 3;
    cr_expect(finds(SEVERITY_NOTE, "there are 4 Sentinels: 1 may be lost"));
}

Test(doctor_checks, sentinels_that_do_not_know_each_other)
{
    group.sentinels[0].peer_count = 1;
    cr_expect(finds(SEVERITY_ERROR, "10.0.0.1:26379 does not know Sentinel 10.0.0.3:26379"));
    begin();
    strcpy(group.sentinels[2].runid, group.sentinels[0].runid);
    cr_expect(finds(SEVERITY_WARNING, "10.0.0.1:26379 and 10.0.0.3:26379 are the same Sentinel"));
}

Test(doctor_checks, who_announces_itself_as_loopback)
{
    strcpy(group.sentinels[0].peers[1].endpoint.host, "127.0.0.1");
    cr_expect(finds(SEVERITY_ERROR, "knows another one as 127.0.0.1:26379"));
    strcpy(group.sentinels[0].endpoint.host, "127.0.0.2"); /* all on one machine */
    cr_expect_not(finds(SEVERITY_ERROR, "knows another one as"));
    strcpy(group.sentinels[1].master.host, "localhost");
    cr_expect(finds(SEVERITY_ERROR, "announces the master as localhost:6379"));
}

Test(doctor_checks, two_masters)
{
    group.sentinels[2].master = at(2, 6379);
    cr_expect(finds(SEVERITY_ERROR, "names the master 10.0.0.1:6379, and Sentinel 10.0.0.3:26379"));
}

Test(doctor_checks, nodes_that_cannot_be_used)
{
    strcpy(group.nodes[1].trouble, "it cannot be reached: No route to host");
    cr_expect(finds(SEVERITY_ERROR, "replica 10.0.0.2:6379 cannot be used from here"));
    strcpy(group.nodes[0].trouble, "WRONGPASS");
    group.nodes[0].refuses = true;
    cr_expect(finds(SEVERITY_ERROR, "master 10.0.0.1:6379 does not let the proxy in: WRONGPASS"));
    group.nodes[2].named_by = 1;
    cr_expect(finds(SEVERITY_WARNING, "1 of 3 Sentinels name the node 10.0.0.3:6379"));
}

Test(doctor_checks, replicas_of_others)
{
    strcpy(group.nodes[1].replid, "xyz");
    cr_expect(finds(SEVERITY_ERROR, "10.0.0.2:6379 has the data of another group"));
    strcpy(group.nodes[0].replid_before, "xyz"); /* Sentinel has not told it yet */
    cr_expect_not(finds(SEVERITY_ERROR, "10.0.0.2:6379 has the data of another group"));
    cr_expect(finds(SEVERITY_WARNING, "10.0.0.2:6379 has not followed the new master yet"));
    group.nodes[1].link_up = false;
    cr_expect(finds(SEVERITY_ERROR, "10.0.0.2:6379 has no link to 10.0.0.1:6379"));
    group.nodes[2].priority = 0;
    cr_expect(finds(SEVERITY_ERROR, "no replica can be promoted"));
    group.nodes[2].role = DOCTOR_MASTER;
    cr_expect(finds(SEVERITY_ERROR, "the replica 10.0.0.3:6379 says that it is a master"));
    group.nodes[0].role = DOCTOR_REPLICA;
    cr_expect(finds(SEVERITY_ERROR, "the master 10.0.0.1:6379 says that it is a replica"));
}

Test(doctor_checks, min_replicas)
{
    group.nodes[0].min_replicas = 2;
    cr_expect(finds(SEVERITY_WARNING, "as many as the master has replicas"));
    group.nodes[0].min_replicas = 3;
    cr_expect(finds(SEVERITY_ERROR, "every write is refused"));
    group.nodes[0].min_replicas = 0;
    cr_expect(finds(SEVERITY_WARNING, "min-replicas-to-write is 0"));
    group.nodes[0].min_replicas = UNKNOWN;
    cr_expect_not(finds(SEVERITY_WARNING, "min-replicas"));
}

Test(doctor_checks, the_delay_of_a_full_resync)
{
    group.nodes[0].diskless_delay_s = 5;
    cr_expect(finds(SEVERITY_NOTE, "repl-diskless-sync-delay is 5 s"));
    options.fence = FENCE_WRITE;
    cr_expect(finds(SEVERITY_WARNING, "about 6 s with fence = write"));
    group.nodes[0].min_replicas = 0;
    cr_expect_not(finds(SEVERITY_WARNING, "repl-diskless"));
}

Test(doctor_checks, rights)
{
    group.nodes[1].rights[0].refused = true;
    cr_expect(finds(SEVERITY_ERROR, "the user proxy may not ROLE at 10.0.0.2:6379"));
    group.nodes[1].rights_told = false;
    cr_expect(finds(SEVERITY_NOTE, "whether the proxy's user has the rights"));
}

Test(doctor_checks, plain_ports_beside_tls)
{
    group.nodes[1].tls_port = 6380;
    cr_expect_not(finds(SEVERITY_WARNING, "plainly at port"));
    options.tls = (struct tls_source *)&group; /* only whether there is one counts */
    cr_expect(finds(SEVERITY_WARNING, "10.0.0.2:6379 speaks TLS, and plainly at port 6379"));
    group.nodes[1].port = 0;
    cr_expect_not(finds(SEVERITY_WARNING, "plainly at port"));
}

Test(doctor_checks, clocks)
{
    group.nodes[1].clock_ahead_ms = -2500;
    cr_expect(finds(SEVERITY_WARNING, "the clock of 10.0.0.2:6379 is 2.5 s behind"));
    group.sentinels[0].clock_ahead_ms = 60000;
    cr_expect(finds(SEVERITY_WARNING, "the clock of 10.0.0.1:26379 is 60.0 s ahead of"));
}

Test(doctor_checks, times)
{
    traffic.hold_timeout_ms = 12999;
    cr_expect(finds(SEVERITY_ERROR, "hold_timeout is 12999 ms"));
    traffic.hold_timeout_ms = 13000;
    cr_expect_not(finds(SEVERITY_ERROR, "hold_timeout"));
    cr_expect(finds(SEVERITY_NOTE, "a failover that fails is tried again"));
}
