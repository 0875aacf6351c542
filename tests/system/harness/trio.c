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
#include "harness/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE_DEADLINE_MS = 60000 };

static void set_hosts(struct trio *t)
{
    for (int i = 0; i < TRIO_MAX; i++)
        snprintf(t->host[i], TRIO_HOST, "%s.%d", t->scratch.prefix, i + 1);
    snprintf(t->proxy_host, TRIO_HOST, "%s.100", t->scratch.prefix);
}

static void node_path(const struct trio *t, char *out, size_t size, const char *kind, int i,
                      const char *end)
{
    snprintf(out, size, "%s/%s-%d.%s", t->scratch.dir, kind, i + 1, end);
}

static int write_node_config(const struct trio *t, int i)
{
    const struct trio_options *o = &t->options;
    char path[128], text[4096], pass[512] = "", follow[64] = "";
    node_path(t, path, sizeof(path), "redis", i, "conf");
    if (o->password)
        snprintf(pass, sizeof(pass), "requirepass %s\nmasterauth %s\n", o->password, o->password);
    if (i > 0)
        snprintf(follow, sizeof(follow), "replicaof %s %d\n", t->host[0], TRIO_PORT);
    snprintf(text, sizeof(text),
             "bind %s\nport %d\ndir %s\ndbfilename redis-%d.rdb\nsave \"\"\nappendonly no\n"
             "protected-mode no\nenable-debug-command yes\nreplica-announce-ip %s\n"
             "min-replicas-to-write %d\nmin-replicas-max-lag 5\n"
             "repl-diskless-sync yes\nrepl-diskless-sync-delay 5\n%s%s%s\n",
             t->host[i], TRIO_PORT, t->scratch.dir, i + 1, t->host[i], o->min_replicas, pass,
             follow, o->node_lines ? o->node_lines : "");
    return file_write(path, text);
}

static int write_sentinel_config(const struct trio *t, int i)
{
    const struct trio_options *o = &t->options;
    char path[128], text[4096], pass[256] = "";
    node_path(t, path, sizeof(path), "sentinel", i, "conf");
    if (o->password)
        snprintf(pass, sizeof(pass), "sentinel auth-pass %s %s\n", TRIO_GROUP, o->password);
    snprintf(text, sizeof(text),
             "bind %s\nport %d\ndir %s\nprotected-mode no\nsentinel announce-ip %s\n"
             "sentinel monitor %s %s %d %d\n%ssentinel down-after-milliseconds %s %d\n"
             "sentinel failover-timeout %s 180000\nsentinel parallel-syncs %s 5\n",
             t->host[i], TRIO_SENTINEL_PORT, t->scratch.dir, t->host[i], TRIO_GROUP, t->host[0],
             TRIO_PORT, o->sentinels / 2 + 1, pass, TRIO_GROUP,
             o->down_after_ms ? o->down_after_ms : 10000, TRIO_GROUP, TRIO_GROUP);
    return file_write(path, text);
}

static pid_t start_server(const struct trio *t, const char *kind, int i, const char *option,
                          const char *value)
{
    char conf[128], log[128];
    node_path(t, conf, sizeof(conf), kind, i, "conf");
    node_path(t, log, sizeof(log), kind, i, "log");
    const char *argv[] = {strcmp(kind, "redis") == 0 ? "redis-server" : "redis-sentinel", conf,
                          option, value, NULL};
    return process_start(argv, log);
}

/* Whether a reply looks like `+OK`, `+PONG`, ...; frees the connection. */
static bool answers(redisContext *c, const char *command, const char *wanted)
{
    bool yes = strcmp(ask(c, "%s", command), wanted) == 0;
    redisFree(c);
    return yes;
}

int trio_start_node(struct trio *t, int i)
{
    t->node_pid[i] = start_server(t, "redis", i, NULL, NULL);
    if (t->node_pid[i] > 0 && wait_until(10000, answers(trio_node(t, i), "PING", "+PONG")))
        return 0;
    fprintf(stderr, "redis-server %d does not answer\n", i + 1);
    return -1;
}

int trio_start_sentinels(struct trio *t)
{
    for (int i = 0; i < t->options.sentinels; i++) {
        if (write_sentinel_config(t, i) < 0)
            return -1;
        t->sentinel_pid[i] = start_server(t, "sentinel", i, NULL, NULL);
    }
    return trio_wait_whole(t);
}

/* Why the nodes are not one master and its replicas; NULL when they are. */
static const char *nodes_not_whole(struct trio *t, int *master)
{
    static char why[160];
    *master = trio_master(t);
    if (*master < 0)
        return "not exactly one node says role:master";
    for (int i = 0; i < t->options.nodes; i++) {
        redisContext *c = trio_node(t, i);
        const char *info = ask(c, "INFO replication");
        bool good;
        char count[40];
        snprintf(count, sizeof(count), "connected_slaves:%d\r", t->options.nodes - 1);
        if (i == *master) {
            good = strstr(info, count) && !strstr(info, "state=wait_bgsave") &&
                   !strstr(info, "state=send_bulk");
        } else {
            char follow[60];
            snprintf(follow, sizeof(follow), "master_host:%s\r", t->host[*master]);
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

static bool sentinel_sees_replicas(redisContext *c, int wanted)
{
    redisReply *r = redisCommand(c, "SENTINEL REPLICAS " TRIO_GROUP);
    int good = 0;
    for (size_t i = 0; r && r->type == REDIS_REPLY_ARRAY && i < r->elements; i++)
        good +=
            strcmp(field(r->element[i], "flags"), "slave") == 0 && field(r->element[i], "runid")[0];
    freeReplyObject(r);
    return good == wanted;
}

static bool sentinel_sees_master(const struct trio *t, redisContext *c, int master)
{
    redisReply *r = redisCommand(c, "SENTINEL MASTER " TRIO_GROUP);
    bool good = r && r->type == REDIS_REPLY_ARRAY && strcmp(field(r, "ip"), t->host[master]) == 0 &&
                strcmp(field(r, "flags"), "master") == 0 && field(r, "runid")[0] &&
                atoi(field(r, "num-other-sentinels")) == t->options.sentinels - 1 &&
                atoi(field(r, "num-slaves")) == t->options.nodes - 1;
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
        redisContext *c = trio_sentinel(t, i);
        bool good = !c->err && sentinel_sees_master(t, c, master) &&
                    sentinel_sees_replicas(c, t->options.nodes - 1);
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
    if (wait_until(WHOLE_DEADLINE_MS, (why = not_whole(t)) == NULL))
        return 0;
    fprintf(stderr, "the trio is not whole after %d s: %s\n", WHOLE_DEADLINE_MS / 1000, why);
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
    set_hosts(t);
    for (int i = 0; i < t->options.nodes; i++) {
        if (write_node_config(t, i) < 0)
            return -1;
        t->node_pid[i] = start_server(t, "redis", i, "--repl-diskless-sync-delay", "0");
    }
    if (!wait_until(WHOLE_DEADLINE_MS, nodes_not_whole(t, &master) == NULL) ||
        !trio_tell_all(t, "CONFIG SET repl-diskless-sync-delay 5")) {
        fprintf(stderr, "the nodes did not become one group\n");
        return -1;
    }
    return options->sentinels_later ? 0 : trio_start_sentinels(t);
}

void trio_stop(struct trio *t)
{
    for (int i = 0; i < TRIO_MAX; i++) {
        process_kill(&t->sentinel_pid[i]);
        process_kill(&t->node_pid[i]);
    }
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
    t->options.password = getenv("TRIO_PASSWORD");
    set_hosts(t);
    return 0;
}

int trio_master(struct trio *t)
{
    int master = -1, masters = 0;
    for (int i = 0; i < t->options.nodes; i++) {
        redisContext *c = trio_node(t, i);
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

int trio_failover(struct trio *t)
{
    for (int i = 0; i < 1000; i++) {
        redisContext *c = trio_sentinel(t, i % t->options.sentinels);
        bool taken = strcmp(ask(c, "SENTINEL FAILOVER " TRIO_GROUP), "+OK") == 0;
        redisFree(c);
        if (taken)
            return 0;
        pause_ms(10);
    }
    fprintf(stderr, "no Sentinel starts a failover\n");
    return -1;
}

void trio_kill_node(struct trio *t, int node)
{
    process_kill(&t->node_pid[node]);
}

redisContext *trio_node(const struct trio *t, int node)
{
    return client_open_auth(t->host[node], TRIO_PORT, t->options.password);
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
