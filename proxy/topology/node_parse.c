/*
 * node_parse: the forms are those of Redis' replication.c (roleCommand) and
 * server.c (genRedisInfoString).
 */
#include "topology/node_parse.h"

#include "topology/number.h"

#include <hiredis/hiredis.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* BUSY is not among these: only its clients can end a script. */
bool node_parse_unready(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           (strncmp(reply->str, "LOADING", 7) == 0 || strncmp(reply->str, "MASTERDOWN", 10) == 0);
}

static bool parse_replica(struct node_answer *out, struct endpoint *master, const redisReply *reply)
{
    if (reply->elements < 4 || reply->element[1]->type != REDIS_REPLY_STRING ||
        reply->element[2]->type != REDIS_REPLY_INTEGER ||
        reply->element[3]->type != REDIS_REPLY_STRING)
        return false;
    if (!endpoint_is_host(reply->element[1]->str))
        return false;
    out->role = ROLE_REPLICA;
    out->link_connected = strcmp(reply->element[3]->str, "connected") == 0;
    snprintf(master->host, sizeof(master->host), "%s", reply->element[1]->str);
    master->port = (uint16_t)reply->element[2]->integer;
    return true;
}

bool node_parse_role(struct node_answer *out, struct endpoint *master,
                     const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return false;
    if (strcmp(reply->element[0]->str, "slave") == 0)
        return parse_replica(out, master, reply);
    if (strcmp(reply->element[0]->str, "master") != 0)
        return false;
    out->role = ROLE_MASTER;
    return true;
}

bool node_parse_info(char *out, size_t size, const char *info, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = info; line; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (strncmp(line, name, len) != 0 || line[len] != ':')
            continue;
        const char *value = line + len + 1;
        snprintf(out, size, "%.*s", (int)strcspn(value, "\r\n"), value);
        return true;
    }
    return false;
}

void node_parse_replication(struct node_answer *out, const char *info, int needed)
{
    char text[64];
    if (!node_parse_info(out->replid[0], REPLID_SIZE, info, "master_replid"))
        out->replid[0][0] = '\0';
    if (!node_parse_info(out->replid[1], REPLID_SIZE, info, "master_replid2"))
        out->replid[1][0] = '\0';
    if (node_parse_info(text, sizeof(text), info, "master_link_status"))
        out->link_connected = out->link_connected && strcmp(text, "up") == 0;
    /* A replica counts on in slave_repl_offset; its master_repl_offset is the same number. */
    if (node_parse_info(text, sizeof(text), info, "master_repl_offset"))
        out->offset = number_of(text, NUMBER_MAX);
    if (node_parse_info(text, sizeof(text), info, "second_repl_offset"))
        out->promoted_offset = number_of(text, NUMBER_MAX) - 1;
    /* The node shows this line only when both min-replicas options are set. */
    if (node_parse_info(text, sizeof(text), info, "min_slaves_good_slaves"))
        out->good_replicas_missing = (needed < 0 ? 1 : needed) - (int)number_of(text, INT_MAX);
}
