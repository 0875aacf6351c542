/*
 * doctor_nodes: what is wrong with a group's nodes, and what would be in a failure.
 */
#include "ops/doctor_checks.h"

#include <inttypes.h>
#include <string.h>

/* What a planned switchover costs beside a full resync: docs/failover.md. */
#define SWITCHOVER_TAKES_MS 1200

static void check_node(const struct doctor_group *group, const struct doctor_node *node,
                       struct findings *findings)
{
    const char *name = doctor_name(&node->endpoint), *kind = node->is_master ? "master" : "replica";
    if (node->named_by * 2 <= group->sentinel_count) {
        struct finding *finding = finding_add(findings, SEVERITY_WARNING);
        finding_wrong(finding,
                      "%zu of %zu Sentinels name the node %s: it is neither used nor shown a "
                      "password",
                      node->named_by, group->sentinel_count, name);
        finding_mend(finding, "SENTINEL RESET %s where it is not a node any more",
                     group->options->name);
    } else if (*node->trouble) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding, "%s %s %s: %s", kind, name,
                      node->refuses ? "does not let the proxy in" : "cannot be used from here",
                      node->trouble);
        finding_mend(finding, "check %s in [master %s]",
                     node->refuses
                         ? "`username` and `password`"
                         : "`tls`, and whether the announced address (replica-announce-ip) leads "
                           "there from this machine,",
                     group->options->name);
    } else if (node->is_master && node->role == DOCTOR_REPLICA) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding, "the master %s says that it is a replica of %s", name,
                      doctor_name(&node->follows));
        finding_mend(finding,
                     "wait for a failover to end; otherwise REPLICAOF NO ONE at the right node");
    }
}

static const struct doctor_node *master_of(const struct doctor_group *group)
{
    for (size_t i = 0; i < group->node_count; i++)
        if (group->nodes[i].is_master && group->nodes[i].role == DOCTOR_MASTER)
            return &group->nodes[i];
    return NULL;
}

/* Replicas that follow somebody else, have other data, or can never be promoted. */
static void check_replicas(const struct doctor_group *group, const struct doctor_node *master,
                           struct findings *findings)
{
    size_t promotable = 0, replicas = 0;
    for (size_t i = 0; i < group->node_count; i++) {
        const struct doctor_node *node = &group->nodes[i];
        if (node == master || node->role == DOCTOR_ROLE_UNKNOWN)
            continue;
        replicas++;
        promotable += node->priority != 0 && node->link_up;
        if (node->role == DOCTOR_MASTER) {
            struct finding *finding = finding_add(findings, SEVERITY_ERROR);
            finding_wrong(finding, "the replica %s says that it is a master",
                          doctor_name(&node->endpoint));
            finding_mend(finding,
                         "Sentinel points it at the master within seconds; if not, it belongs to "
                         "another group: SENTINEL RESET %s",
                         group->options->name);
        } else if (!node->link_up) {
            struct finding *finding = finding_add(findings, SEVERITY_ERROR);
            finding_wrong(finding, "the replica %s has no link to %s", doctor_name(&node->endpoint),
                          doctor_name(&node->follows));
            finding_mend(finding,
                         "look at its log; check masterauth, masteruser and tls-replication there");
        } else if (*node->replid && strcmp(node->replid, master->replid_before) == 0) {
            struct finding *finding = finding_add(findings, SEVERITY_WARNING);
            finding_wrong(finding,
                          "the replica %s has not followed the new master yet: it follows %s",
                          doctor_name(&node->endpoint), doctor_name(&node->follows));
            finding_mend(finding, "a switchover has just happened: look again in ten seconds");
        } else if (*node->replid && strcmp(node->replid, master->replid) != 0) {
            struct finding *finding = finding_add(findings, SEVERITY_ERROR);
            finding_wrong(finding, "the replica %s has the data of another group: it follows %s",
                          doctor_name(&node->endpoint), doctor_name(&node->follows));
            finding_mend(finding,
                         "REPLICAOF the right master there, or SENTINEL RESET %s so that it is "
                         "forgotten",
                         group->options->name);
        }
    }
    if (!promotable) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding,
                      "no replica can be promoted: there are %zu, and none has its link and a "
                      "replica-priority over 0",
                      replicas);
        finding_mend(finding, "add a replica, or CONFIG SET replica-priority 100 at one");
    }
}

/* What min-replicas-to-write means with so many replicas. */
static void check_min_replicas(const struct doctor_node *master, struct findings *findings)
{
    if (master->min_replicas == UNKNOWN || master->replicas == UNKNOWN)
        return;
    if (master->min_replicas == 0) {
        struct finding *finding = finding_add(findings, SEVERITY_WARNING);
        finding_wrong(finding,
                      "min-replicas-to-write is 0: a master that is cut off goes on acknowledging "
                      "writes that will be lost");
        finding_mend(finding, "CONFIG SET min-replicas-to-write 1 at all nodes");
    } else if (master->min_replicas > master->replicas) {
        struct finding *finding = finding_add(findings, SEVERITY_ERROR);
        finding_wrong(finding,
                      "min-replicas-to-write is %" PRId64 ", and the master has %" PRId64
                      " replicas: every write is refused",
                      master->min_replicas, master->replicas);
        finding_mend(finding, "CONFIG SET min-replicas-to-write %" PRId64 ", or add replicas",
                     master->replicas > 1 ? master->replicas - 1 : 1);
    } else if (master->min_replicas == master->replicas) {
        struct finding *finding = finding_add(findings, SEVERITY_WARNING);
        finding_wrong(finding,
                      "min-replicas-to-write is %" PRId64 ", as many as the master has replicas: "
                      "when one restarts, writes stop; a failover leaves one fewer",
                      master->min_replicas);
        finding_mend(finding, "have a replica more than that, or lower it");
    }
}

static bool any_min_replicas(const struct doctor_node *master)
{
    return master->min_replicas > 0;
}

/* After a promotion the other replicas may need a full resync, which the master delays, so that several share it. */
static void check_diskless_delay(const struct doctor_group *group, const struct doctor_node *master,
                                 struct findings *findings)
{
    int64_t delay = master->diskless_delay_s;
    if (delay == UNKNOWN || delay < 1 || !any_min_replicas(master))
        return;
    bool fenced = group->options->fence == FENCE_FULL;
    struct finding *finding = finding_add(findings, fenced ? SEVERITY_NOTE : SEVERITY_WARNING);
    if (fenced)
        finding_wrong(finding,
                      "repl-diskless-sync-delay is %" PRId64 " s: when a master crashes, and its "
                      "replicas need a full resync, writes wait for that",
                      delay);
    else
        finding_wrong(finding,
                      "repl-diskless-sync-delay is %" PRId64 " s: a planned switchover stops "
                      "writes for about %" PRId64 " s with fence = %s, and for about %.1f s with "
                      "fence = full",
                      delay, delay + 1, group->options->fence == FENCE_NO ? "no" : "write",
                      SWITCHOVER_TAKES_MS / 1000.0);
    finding_mend(finding,
                 fenced
                     ? "CONFIG SET repl-diskless-sync-delay 0 at all nodes, if that is too long"
                     : "set `fence = full` here, or CONFIG SET repl-diskless-sync-delay 0 there");
}

static void check_rights(const struct doctor_node *node, struct findings *findings)
{
    if (*node->trouble || node->role == DOCTOR_ROLE_UNKNOWN)
        return;
    if (!node->rights_told) {
        struct finding *finding = finding_add(findings, SEVERITY_NOTE);
        finding_wrong(finding,
                      "whether the proxy's user has the rights that it needs at %s is not known",
                      doctor_name(&node->endpoint));
        finding_mend(finding,
                     "ACL DRYRUN needs Redis 7 and the right to ACL; docs/operations.md lists the "
                     "rights");
        return;
    }
    for (const struct doctor_right *right = node->rights; right->command; right++)
        if (right->refused) {
            struct finding *finding = finding_add(findings, SEVERITY_ERROR);
            finding_wrong(finding, "the user %s may not %s at %s, which %s needs", node->user,
                          right->command, doctor_name(&node->endpoint), right->needed_for);
            finding_mend(finding, "ACL SETUSER %s +%s there, or change that setting", node->user,
                         right->command);
        }
}

/* Ports that speak plainly beside TLS. */
static void check_plain_ports(const struct doctor_group *group, const struct doctor_node *node,
                              struct findings *findings)
{
    if (!group->options->tls || node->port <= 0 || node->tls_port <= 0)
        return;
    struct finding *finding = finding_add(findings, SEVERITY_WARNING);
    finding_wrong(finding, "%s speaks TLS, and plainly at port %" PRId64,
                  doctor_name(&node->endpoint), node->port);
    finding_mend(finding, "`port 0` in its configuration, when nobody needs that any more");
}

void doctor_check_nodes(const struct doctor_group *group, struct findings *findings)
{
    const struct doctor_node *master = master_of(group);
    for (size_t i = 0; i < group->node_count; i++) {
        const struct doctor_node *node = &group->nodes[i];
        check_node(group, node, findings);
        check_rights(node, findings);
        check_plain_ports(group, node, findings);
    }
    if (!master)
        return;
    check_replicas(group, master, findings);
    check_min_replicas(master, findings);
    check_diskless_delay(group, master, findings);
}
