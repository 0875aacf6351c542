/*
 * doctor_gather: one Sentinel after the other, then one node after the other, as the Sentinels announce them.
 *
 * The questions: SENTINEL MASTER, REPLICAS, SENTINELS and INFO at a Sentinel; ROLE, INFO, CONFIG GET and ACL DRYRUN at a
 * node. None of them changes anything.
 */
#include "ops/doctor_gather.h"

#include "base/clock.h"
#include "net/tls_source.h"
#include "ops/doctor_ask.h"
#include "topology/node_parse.h"
#include "topology/number.h"
#include "topology/sentinel_parse.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers ---- */

/* The text of a string, or "" where the answer is something else. */
static const char *text_of(const redisReply *reply)
{
    return reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS)
               ? reply->str
               : "";
}

static bool is_array(const redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ARRAY;
}

/* The field's number, or UNKNOWN. */
static int64_t field_number(const redisReply *reply, const char *name)
{
    const char *text = sentinel_field(reply, name);
    return text ? number_of(text, NUMBER_MAX) : UNKNOWN;
}

/* How far the clock of who gave this INFO is ahead of ours: its server_time_usec; INT64_MIN: it has none. */
static int64_t clock_ahead(const char *info)
{
    char text[32];
    if (!node_parse_info(text, sizeof(text), info, "server_time_usec"))
        return INT64_MIN;
    return number_of(text, NUMBER_MAX) / 1000 - clock_wall_ms();
}

/* ---- Sentinels ---- */

/* Remembers a node that one more Sentinel announces. */
static void add_node(struct doctor_group *group, const struct endpoint *endpoint, bool is_master)
{
    for (size_t i = 0; i < group->node_count; i++) {
        struct doctor_node *known = &group->nodes[i];
        if (known->endpoint.port == endpoint->port &&
            strcmp(known->endpoint.host, endpoint->host) == 0) {
            known->is_master |= is_master;
            known->named_by++;
            return;
        }
    }
    if (group->node_count < DOCTOR_NODES)
        group->nodes[group->node_count++] =
            (struct doctor_node){.endpoint = *endpoint, .is_master = is_master, .named_by = 1};
}

static void read_replicas(struct doctor_group *group, const redisReply *reply)
{
    struct endpoint endpoint;
    for (size_t i = 0; is_array(reply) && i < reply->elements; i++)
        if (sentinel_parse_instance(&endpoint, reply->element[i]))
            add_node(group, &endpoint, false);
}

static void read_peers(struct doctor_sentinel *sentinel, const redisReply *reply)
{
    for (size_t i = 0; is_array(reply) && i < reply->elements; i++) {
        const char *runid = sentinel_field(reply->element[i], "runid");
        struct doctor_peer *peer = &sentinel->peers[sentinel->peer_count];
        if (sentinel->peer_count == DOCTOR_SENTINELS ||
            !sentinel_parse_instance(&peer->endpoint, reply->element[i]))
            continue;
        snprintf(peer->runid, sizeof(peer->runid), "%s", runid ? runid : "");
        sentinel->peer_count++;
    }
}

static void read_master(struct doctor_group *group, struct doctor_sentinel *sentinel,
                        const redisReply *reply)
{
    sentinel->knows = is_array(reply);
    if (!sentinel->knows)
        return;
    sentinel->quorum = field_number(reply, "quorum");
    sentinel->down_after_ms = field_number(reply, "down-after-milliseconds");
    sentinel->failover_timeout_ms = field_number(reply, "failover-timeout");
    if (sentinel_parse_instance(&sentinel->master, reply))
        add_node(group, &sentinel->master, true);
}

/* The names that it has instead of ours. */
static void read_names(struct doctor_sentinel *sentinel, const redisReply *reply)
{
    size_t len = 0;
    for (size_t i = 0; is_array(reply) && i < reply->elements; i++) {
        const char *name = sentinel_field(reply->element[i], "name");
        if (name && len < sizeof(sentinel->known))
            len += (size_t)snprintf(sentinel->known + len, sizeof(sentinel->known) - len, "%s%s",
                                    len ? ", " : "", name);
    }
}

static void read_info(struct doctor_sentinel *sentinel, const char *info)
{
    char text[64];
    sentinel->tilt = node_parse_info(text, sizeof(text), info, "sentinel_tilt") && *text == '1';
    sentinel->clock_ahead_ms = clock_ahead(info);
}

/* SENTINEL <subcommand> <our group>. */
static redisReply *ask_about(struct asker *asker, const struct doctor_group *group,
                             const char *subcommand)
{
    char command[400];
    snprintf(command, sizeof(command), "SENTINEL %s %s", subcommand, group->options->name);
    return ask_now(asker, command);
}

static void question_sentinel(struct doctor_group *group, struct doctor_sentinel *sentinel,
                              struct asker *asker)
{
    redisReply *reply = ask_now(asker, "SENTINEL MYID");
    snprintf(sentinel->runid, sizeof(sentinel->runid), "%s", text_of(reply));
    freeReplyObject(reply);

    reply = ask_about(asker, group, "MASTER");
    read_master(group, sentinel, reply);
    if (!reply)
        snprintf(sentinel->trouble, sizeof(sentinel->trouble), "it does not answer");
    else if (!sentinel->knows && reply->type == REDIS_REPLY_ERROR &&
             !strstr(reply->str, "No such master"))
        snprintf(sentinel->trouble, sizeof(sentinel->trouble), "%s", reply->str);
    freeReplyObject(reply);

    reply = sentinel->knows ? ask_about(asker, group, "REPLICAS") : NULL;
    read_replicas(group, reply);
    freeReplyObject(reply);
    reply =
        sentinel->knows ? ask_about(asker, group, "SENTINELS") : ask_now(asker, "SENTINEL MASTERS");
    if (sentinel->knows)
        read_peers(sentinel, reply);
    else
        read_names(sentinel, reply);
    freeReplyObject(reply);

    reply = ask_now(asker, "INFO");
    read_info(sentinel, text_of(reply));
    freeReplyObject(reply);
}

static void gather_sentinel(struct doctor_group *group, size_t i)
{
    const struct topology_options *options = group->options;
    struct doctor_sentinel *sentinel = &group->sentinels[i];
    bool refused;
    *sentinel = (struct doctor_sentinel){.endpoint = options->sentinels[i],
                                         .quorum = UNKNOWN,
                                         .down_after_ms = UNKNOWN,
                                         .failover_timeout_ms = UNKNOWN,
                                         .clock_ahead_ms = INT64_MIN};
    struct asker *asker = ask_open(&(struct asked){.endpoint = sentinel->endpoint,
                                                   .tls = options->sentinel_tls,
                                                   .username = options->sentinel_username,
                                                   .password = options->sentinel_password,
                                                   .timeout_ms = options->connect_timeout_ms},
                                   &refused, sentinel->trouble, sizeof(sentinel->trouble));
    if (asker)
        question_sentinel(group, sentinel, asker);
    ask_close(asker);
}

/* ---- nodes ---- */

/* CONFIG GET's value as a number; "yes" is 1 and "no" 0; UNKNOWN where it may not be asked. */
static int64_t setting(struct asker *asker, const char *name)
{
    char command[100];
    int64_t value = UNKNOWN;
    snprintf(command, sizeof(command), "CONFIG GET %s", name);
    redisReply *reply = ask_now(asker, command);
    if (is_array(reply) && reply->elements == 2) {
        const char *text = text_of(reply->element[1]);
        value = strcmp(text, "yes") == 0 ? 1 : number_of(text, NUMBER_MAX);
    }
    freeReplyObject(reply);
    return value;
}

static void read_settings(struct doctor_node *node, struct asker *asker)
{
    node->min_replicas = setting(asker, "min-replicas-to-write");
    node->min_replicas_max_lag_s = setting(asker, "min-replicas-max-lag");
    node->diskless_delay_s = setting(asker, "repl-diskless-sync") == 1
                                 ? setting(asker, "repl-diskless-sync-delay")
                                 : UNKNOWN;
    node->port = setting(asker, "port");
    node->tls_port = setting(asker, "tls-port");
    node->priority = setting(asker, "replica-priority");
}

static void read_role(struct doctor_node *node, const redisReply *reply)
{
    struct node_answer answer = {0};
    if (!reply || !node_parse_role(&answer, &node->follows, reply))
        return;
    node->role = answer.role == ROLE_MASTER ? DOCTOR_MASTER : DOCTOR_REPLICA;
    node->link_up = answer.link_connected;
}

static void read_node_info(struct doctor_node *node, const char *info)
{
    char text[64];
    node->clock_ahead_ms = clock_ahead(info);
    if (node_parse_info(text, sizeof(text), info, "connected_slaves"))
        node->replicas = number_of(text, NUMBER_MAX);
    if (!node_parse_info(node->replid, sizeof(node->replid), info, "master_replid"))
        node->replid[0] = '\0';
    if (!node_parse_info(node->replid_before, sizeof(node->replid_before), info, "master_replid2"))
        node->replid_before[0] = '\0';
}

enum need { ALWAYS, FENCED, FENCED_FULLY, ASSISTS, DEMOTES };

/* What the proxy sends to nodes. */
static const struct {
    const char *command, *needed_for;
    enum need need;
} sent[] = {
    {"ROLE", "the proxy's probes", ALWAYS},
    {"INFO", "the proxy's probes", ALWAYS},
    {"PING", "the proxy's probes", ALWAYS},
    {"COMMAND", "commands newer than the proxy", ALWAYS},
    {"CLIENT PAUSE 1 WRITE", "fence = write or full", FENCED},
    {"CLIENT KILL TYPE replica", "fence = full", FENCED_FULLY},
    {"MONITOR", "fence = full", FENCED_FULLY},
    {"REPLICAOF 127.0.0.1 1", "demote or reconfigure_assist", ASSISTS},
    {"CONFIG REWRITE", "demote = yes", DEMOTES},
};

static bool is_needed(enum need need, const struct topology_options *options)
{
    switch (need) {
    case FENCED:
        return options->fence != FENCE_NO;
    case FENCED_FULLY:
        return options->fence == FENCE_FULL;
    case ASSISTS:
        return options->demote || options->reconfigure_assist;
    case DEMOTES:
        return options->demote;
    default:
        return true;
    }
}

/* What it sends there with these settings. */
static void list_rights(const struct topology_options *options, struct doctor_right *rights)
{
    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
        if (is_needed(sent[i].need, options))
            *rights++ =
                (struct doctor_right){.command = sent[i].command, .needed_for = sent[i].needed_for};
}

/* ACL DRYRUN (since Redis 7) tells whether a user may, without doing it. */
static void read_rights(struct doctor_node *node, struct asker *asker,
                        const struct topology_options *options)
{
    char command[300];
    redisReply *reply = ask_now(asker, "ACL WHOAMI");
    snprintf(node->user, sizeof(node->user), "%s", text_of(reply));
    freeReplyObject(reply);
    list_rights(options, node->rights);
    for (struct doctor_right *right = node->rights; *node->user && right->command; right++) {
        snprintf(command, sizeof(command), "ACL DRYRUN %s %s", node->user, right->command);
        reply = ask_now(asker, command);
        if (reply && reply->type == REDIS_REPLY_ERROR) { /* it knows no DRYRUN, or may not ask */
            freeReplyObject(reply);
            return;
        }
        right->refused = strcmp(text_of(reply), "OK") != 0;
        freeReplyObject(reply);
    }
    node->rights_told = *node->user;
}

static void question_node(struct doctor_node *node, struct asker *asker,
                          const struct topology_options *options)
{
    redisReply *reply = ask_now(asker, "ROLE");
    read_role(node, reply);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        snprintf(node->trouble, sizeof(node->trouble), "%s",
                 reply ? reply->str : "it does not answer");
        node->refuses = reply && strncmp(reply->str, "NO", 2) == 0; /* NOAUTH, NOPERM */
    }
    freeReplyObject(reply);
    if (*node->trouble)
        return;
    reply = ask_now(asker, "INFO");
    read_node_info(node, text_of(reply));
    freeReplyObject(reply);
    read_settings(node, asker);
    read_rights(node, asker, options);
}

/* As the proxy does: what fewer than a majority of the configured Sentinels name may be anybody's, and is shown no
 * password. */
static void gather_node(const struct topology_options *options, struct doctor_node *node)
{
    *node = (struct doctor_node){.endpoint = node->endpoint,
                                 .is_master = node->is_master,
                                 .named_by = node->named_by,
                                 .replicas = UNKNOWN,
                                 .priority = UNKNOWN,
                                 .min_replicas = UNKNOWN,
                                 .min_replicas_max_lag_s = UNKNOWN,
                                 .diskless_delay_s = UNKNOWN,
                                 .port = UNKNOWN,
                                 .tls_port = UNKNOWN,
                                 .clock_ahead_ms = INT64_MIN};
    if (node->named_by * 2 <= options->sentinel_count)
        return;
    struct asker *asker = ask_open(&(struct asked){.endpoint = node->endpoint,
                                                   .tls = options->tls,
                                                   .username = options->username,
                                                   .password = options->password,
                                                   .timeout_ms = options->connect_timeout_ms},
                                   &node->refuses, node->trouble, sizeof(node->trouble));
    if (asker)
        question_node(node, asker, options);
    ask_close(asker);
}

void doctor_gather(struct doctor_group *group)
{
    group->sentinel_count = group->options->sentinel_count < DOCTOR_SENTINELS
                                ? group->options->sentinel_count
                                : DOCTOR_SENTINELS;
    for (size_t i = 0; i < group->sentinel_count; i++)
        gather_sentinel(group, i);
    for (size_t i = 0; i < group->node_count; i++)
        gather_node(group->options, &group->nodes[i]);
}
