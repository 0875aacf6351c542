/*
 * trio: see trio.h. Nothing is assumed about how long anything takes: trio_wait_whole() asks every
 * server until all say the same, and names the one that does not when the time is over.
 *
 * repl-diskless-sync-delay is 0 on the command line of the first start only, so that a trio stands
 * after a second; as soon as it does, it gets Redis' default back, which is also the chart's and
 * which a switchover's resync then meets.
 */
#include "harness/trio.h"

#include "harness/client.h"
#include "harness/names.h"
#include "harness/secure.h"
#include "harness/servers.h"
#include "harness/trio_files.h"
#include "harness/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE_DEADLINE_MS = 60000, FAST_DEADLINE_MS = 50000 };

/* Sentinels that publish often find each other at once. Those of 6.2 cannot be told. */
static bool sentinels_told(struct trio *t)
{
    bool all = true;
    if (!servers_have(7, 0))
        return true;
    for (int i = 0; i < t->options.sentinels; i++) {
        redisContext *c = trio_sentinel(t, i);
        all =
            all && strcmp(ask(c, "SENTINEL DEBUG publish-period 100 info-period 200"), "+OK") == 0;
        redisFree(c);
    }
    return all;
}

int trio_start_sentinels(struct trio *t)
{
    for (int i = 0; i < t->options.sentinels; i++) {
        if (trio_write_sentinel(t, i, 0) < 0)
            return -1;
        t->sentinel_pid[i] = trio_start_server(t, "sentinel", i, NULL, NULL);
    }
    if (t->options.fast && !wait_until(5000, sentinels_told(t)))
        return -1;
    int result = trio_wait_whole(t);
    if (t->options.fast)
        trio_tell_sentinels(t, "SENTINEL DEBUG publish-period 500 info-period 1000");
    return result;
}

/* After a diskless resync the master streams to a replica only from its first acknowledgement on that
 * comes when the transfer's process has ended: up to 1 s later. Until then the replica is online, may
 * be promoted, and gets nothing. */
static bool streams(redisContext *master, int replicas)
{
    int count = -1;
    ask(master, "PUBLISH trio starting");
    sscanf(ask(master, "WAIT %d 100", replicas), ":%d", &count);
    return count == replicas;
}

/* Why the nodes are not one master and its replicas; NULL when they are. */
static const char *nodes_not_whole(struct trio *t, int *master)
{
    static char why[160];
    *master = trio_master(t);
    if (*master < 0)
        return "not exactly one node says role:master";
    for (int i = 0; i < t->options.nodes; i++) {
        redisContext *c = trio_glance(t, i, TRIO_PORT);
        const char *info = ask(c, "INFO replication");
        bool good;
        char count[40];
        snprintf(count, sizeof(count), "connected_slaves:%d\r", t->options.nodes - 1);
        if (i == *master) {
            good = strstr(info, count) && !strstr(info, "state=wait_bgsave") &&
                   !strstr(info, "state=send_bulk") && streams(c, t->options.nodes - 1);
        } else {
            char follow[80];
            snprintf(follow, sizeof(follow), "master_host:%s\r\nmaster_port:%d\r", t->name[*master],
                     t->port[*master]);
            good = strstr(info, follow) && strstr(info, "master_link_status:up");
        }
        snprintf(why, sizeof(why), "node %s is not in its place yet", t->host[i]);
        redisFree(c);
        if (!good)
            return why;
    }
    return NULL;
}

/* The value of a field in a Sentinel's flat array reply; "" when it is not there. */
static const char *field(const redisReply *r, const char *name)
{
    for (size_t i = 0; i + 1 < r->elements; i += 2)
        if (r->element[i]->str && strcmp(r->element[i]->str, name) == 0)
            return r->element[i + 1]->str ? r->element[i + 1]->str : "";
    return "";
}

/* With short timings the next failover may come before a Sentinel's next INFO: one that still takes
 * a replica for the master that it was would demote it right after its promotion. */
static bool sentinel_sees_replicas(const struct trio *t, redisContext *c)
{
    redisReply *r = redisCommand(c, "SENTINEL REPLICAS " TRIO_GROUP);
    int good = 0;
    for (size_t i = 0; r && r->type == REDIS_REPLY_ARRAY && i < r->elements; i++)
        good += strcmp(field(r->element[i], "flags"), "slave") == 0 &&
                field(r->element[i], "runid")[0] &&
                (!t->options.fast || strcmp(field(r->element[i], "role-reported"), "slave") == 0);
    freeReplyObject(r);
    return good == t->options.nodes - 1;
}

static bool sentinel_sees_master(const struct trio *t, redisContext *c, int master)
{
    redisReply *r = redisCommand(c, "SENTINEL MASTER " TRIO_GROUP);
    bool good = r && r->type == REDIS_REPLY_ARRAY && strcmp(field(r, "ip"), t->name[master]) == 0 &&
                atoi(field(r, "port")) == t->port[master] &&
                strcmp(field(r, "flags"), "master") == 0 && field(r, "runid")[0] &&
                atoi(field(r, "num-other-sentinels")) == t->options.sentinels - 1 &&
                (t->moved || atoi(field(r, "num-slaves")) == t->options.nodes - 1);
    freeReplyObject(r);
    return good;
}

static const char *not_whole(struct trio *t)
{
    static char why[160];
    int master;
    const char *nodes = nodes_not_whole(t, &master);
    if (nodes)
        return nodes;
    for (int i = 0; i < t->options.sentinels; i++) {
        redisContext *c = trio_glance(t, i, TRIO_SENTINEL_PORT);
        bool good = !c->err && sentinel_sees_master(t, c, master) && sentinel_sees_replicas(t, c);
        redisFree(c);
        snprintf(why, sizeof(why), "Sentinel %s does not see the whole group yet", t->host[i]);
        if (!good)
            return why;
    }
    return NULL;
}

int trio_wait_whole(struct trio *t)
{
    const char *why = NULL;
    int deadline = t->options.fast ? FAST_DEADLINE_MS : WHOLE_DEADLINE_MS;
    if (wait_until(deadline, (why = not_whole(t)) == NULL))
        return 0;
    fprintf(stderr, "the trio is not whole after %d s: %s\n", deadline / 1000, why);
    return -1;
}

int trio_start(struct trio *t, const struct trio_options *options)
{
    int master;
    *t = (struct trio){.options = *options};
    t->options.nodes = options->nodes ? options->nodes : 3;
    t->options.sentinels = options->sentinels ? options->sentinels : 3;
    if (scratch_open(&t->scratch) < 0)
        return -1;
    if (t->options.partitions && net_open(&t->net, TRIO_MAX + 1) < 0)
        return -1;
    trio_set_hosts(t);
    if (secure_any())
        secure_prepare(t);
    if (t->options.names && trio_open_names(t) < 0)
        return -1;
    for (int i = 0; i < t->options.nodes; i++) {
        if (trio_write_node(t, i, i > 0 ? 0 : -1) < 0)
            return -1;
        t->node_pid[i] = trio_start_server(t, "redis", i, "--repl-diskless-sync-delay", "0");
    }
    if (!wait_until(WHOLE_DEADLINE_MS, nodes_not_whole(t, &master) == NULL) ||
        !(t->options.fast || trio_tell_all(t, "CONFIG SET repl-diskless-sync-delay 5"))) {
        fprintf(stderr, "the nodes did not become one group\n");
        return -1;
    }
    return options->sentinels_later ? 0 : trio_start_sentinels(t);
}

void trio_show(const struct trio *t)
{
    for (int i = 0; i < t->options.nodes; i++) {
        char path[96];
        snprintf(path, sizeof(path), "%s/redis-%d.log", t->scratch.dir, i + 1);
        file_show(path);
    }
}

void trio_stop(struct trio *t)
{
    for (int i = 0; i < TRIO_MAX; i++) {
        process_kill(&t->sentinel_pid[i]);
        process_kill(&t->node_pid[i]);
    }
    net_close(&t->net);
    scratch_close(&t->scratch);
}

static void export_number(const char *name, int number)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", number);
    setenv(name, text, 1);
}

void trio_export(const struct trio *t)
{
    setenv("TRIO_PREFIX", t->scratch.prefix, 1);
    setenv("TRIO_DIR", t->scratch.dir, 1);
    export_number("TRIO_NODES", t->options.nodes);
    export_number("TRIO_SENTINELS", t->options.sentinels);
    export_number("TRIO_MIN_REPLICAS", t->options.min_replicas);
    export_number("TRIO_FAST", t->options.fast);
    if (t->options.password)
        setenv("TRIO_PASSWORD", t->options.password, 1);
}

int trio_attach(struct trio *t)
{
    const char *prefix = getenv("TRIO_PREFIX"), *dir = getenv("TRIO_DIR");
    *t = (struct trio){0};
    if (!prefix || !dir || !getenv("TRIO_NODES") || !getenv("TRIO_SENTINELS"))
        return -1;
    snprintf(t->scratch.prefix, sizeof(t->scratch.prefix), "%s", prefix);
    snprintf(t->scratch.dir, sizeof(t->scratch.dir), "%s", dir);
    t->options.nodes = atoi(getenv("TRIO_NODES"));
    t->options.sentinels = atoi(getenv("TRIO_SENTINELS"));
    t->options.min_replicas = atoi(getenv("TRIO_MIN_REPLICAS"));
    t->options.fast = atoi(getenv("TRIO_FAST"));
    t->options.password = getenv("TRIO_PASSWORD");
    trio_set_hosts(t);
    return 0;
}

int trio_master(struct trio *t)
{
    int master = -1, masters = 0;
    for (int i = 0; i < t->options.nodes; i++) {
        redisContext *c = trio_glance(t, i, TRIO_PORT);
        if (!c->err && strcmp(info_field(c, "replication", "role"), "master") == 0) {
            master = i;
            masters++;
        }
        redisFree(c);
    }
    return masters == 1 ? master : -1;
}

int trio_replica(struct trio *t)
{
    return trio_master(t) == 0 ? 1 : 0;
}

bool trio_failover_by(struct trio *t, int sentinel)
{
    redisContext *c = trio_sentinel(t, sentinel);
    bool taken = strcmp(ask(c, "SENTINEL FAILOVER " TRIO_GROUP), "+OK") == 0;
    redisFree(c);
    return taken;
}

int trio_failover(struct trio *t)
{
    for (int i = 0; i < 1000; i++) {
        if (trio_failover_by(t, i % t->options.sentinels))
            return 0;
        pause_ms(10);
    }
    fprintf(stderr, "no Sentinel starts a failover\n");
    return -1;
}

redisContext *trio_node(const struct trio *t, int node)
{
    return client_open_auth(t->host[node], t->port[node], t->options.password);
}

redisContext *trio_glance(const struct trio *t, int host, int port)
{
    bool node = port == TRIO_PORT;
    redisContext *c = client_open_within(t->host[host], node ? t->port[host] : port, 300, 300);
    if (node && t->options.password)
        ask(c, "AUTH %s", t->options.password);
    return c;
}

redisContext *trio_sentinel(const struct trio *t, int sentinel)
{
    return client_open(t->host[sentinel], TRIO_SENTINEL_PORT);
}

bool trio_tell_all(const struct trio *t, const char *command)
{
    bool all = true;
    for (int i = 0; i < t->options.nodes; i++) {
        redisContext *c = trio_node(t, i);
        char *line = strdup(command);
        const char *argv[16];
        int argc = 0;
        for (char *rest, *word = strtok_r(line, " ", &rest); word && argc < 16;
             word = strtok_r(NULL, " ", &rest))
            argv[argc++] = word;
        redisReply *r = redisCommandArgv(c, argc, argv, NULL);
        all = all && r && r->type == REDIS_REPLY_STATUS;
        freeReplyObject(r);
        free(line);
        redisFree(c);
    }
    return all;
}
