/*
 * replicas: replicas that are gone, in trouble, or not ours.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { KEYS = 2000 };

/* With no replica left Redis refuses writes, and so it is for the client: at once. */
static void run_no_replicas(struct stage *s)
{
    int master = stage_master(s);
    for (int i = 0; i < 3; i++)
        if (i != master)
            trio_end_node(&s->trio, i);
    redisContext *c = proxy_client(&s->target.proxy, PROXY_MASTER);
    if (!wait_until(5000, strncmp(ask(c, "SET refused 1"), "-NOREPLICAS", 11) == 0))
        stage_wrong(s, "not NOREPLICAS but %s", ask(c, "SET refused 1"));
    int limit = s->fast ? 300 : 100; /* tests run on busy machines */
    for (int i = 0; i < 50; i++) {
        int64_t asked = now_ms();
        const char *reply = ask(c, "SET refused 1");
        if (strncmp(reply, "-NOREPLICAS", 11) != 0 || now_ms() - asked > limit)
            stage_wrong(s, "after %ld ms: %s", (long)(now_ms() - asked), reply);
    }
    redisFree(c);
    for (int i = 0; i < 3; i++)
        if (i != master)
            stage_return(s, i);
}

const struct scenario scenario_no_replicas = {
    .name = "no-replicas",
    .title = "all replicas gone: NOREPLICAS at once",
    .run = run_no_replicas,
    .trio = {.min_replicas = 1, .persistent = true},
    .limits = {.errors = true},
};

static void put_keys(struct stage *s, int master)
{
    redisContext *c = trio_node(&s->trio, master);
    for (int i = 0; i < KEYS; i++)
        say(c, "SET bulk:%d %d", i, i);
    for (int i = 0; i < KEYS; i++)
        hear(c);
    redisFree(c);
}

/* Hangs, restarts and loads for a second, and is made a master by mistake. */
static void run_replica_trouble(struct stage *s)
{
    int master = stage_master(s), replica = master == 0 ? 1 : 0;
    put_keys(s, master);
    stage_signal_node(s, replica, SIGSTOP);
    stage_go_on(s, 1500);
    stage_signal_node(s, replica, SIGCONT);
    stage_go_on(s, 500);
    trio_kill_node(&s->trio, replica);
    stage_go_on(s, 500);
    stage_return(s, replica);
    stage_whole(s);
    redisContext *c = trio_node(&s->trio, replica);
    ask(c, "REPLICAOF NO ONE");
    redisFree(c);
    stage_whole(s);
}

const struct scenario scenario_replica_trouble = {
    .name = "replica-trouble",
    .title = "replica hangs, restarts, loads, goes astray",
    .run = run_replica_trouble,
    .trio = {.min_replicas = 1, .node_lines = "key-load-delay 500\n"},
    /* one that says master might be a promotion whose leader is out of hearing: all are asked */
    .limits = {.gap_ms = 100},
};

/* ---- another group's replica on a node's address ---- */

static pid_t start_redis(struct stage *s, const char *host, const char *master, const char *name)
{
    char conf[128], log[128], text[512];
    snprintf(conf, sizeof(conf), "%s/%s.conf", s->trio.scratch.dir, name);
    snprintf(log, sizeof(log), "%s/%s.log", s->trio.scratch.dir, name);
    snprintf(text, sizeof(text),
             "bind %s\nport %d\ndir %s\nsave \"\"\nprotected-mode no\n"
             "repl-diskless-sync-delay 0\n%s%s%s\n",
             host, TRIO_PORT, s->trio.scratch.dir, master ? "replicaof " : "", master ? master : "",
             master ? " 6379" : "");
    if (file_write(conf, text) < 0)
        return -1;
    return process_start((const char *[]){"redis-server", conf, NULL}, log);
}

static bool takes_write(const char *host)
{
    redisContext *c = client_open_within(host, TRIO_PORT, 300, 300);
    bool yes = strcmp(ask(c, "SET stranger yes"), "+OK") == 0;
    redisFree(c);
    return yes;
}

static bool has(const char *host, const char *key)
{
    redisContext *c = client_open_within(host, TRIO_PORT, 300, 300);
    bool yes = strcmp(ask(c, "EXISTS %s", key), ":1") == 0;
    redisFree(c);
    return yes;
}

/* New sessions on the read port, over and over: none may see the stranger's key. */
static void look_for_stranger(struct stage *s, int ms)
{
    int64_t until = now_ms() + ms;
    while (now_ms() < until) {
        redisContext *c = proxy_client(&s->target.proxy, PROXY_REPLICA);
        const char *reply = ask(c, "GET stranger");
        if (strcmp(reply, "(nil)") != 0)
            stage_wrong(s, "the read port answers %s", reply);
        redisFree(c);
        pause_ms(10);
    }
}

static void run_stranger(struct stage *s)
{
    char foreign[TRIO_HOST];
    int replica = stage_master(s) == 0 ? 1 : 0;
    snprintf(foreign, sizeof(foreign), "%s.50", s->trio.scratch.prefix);
    pid_t master = start_redis(s, foreign, NULL, "foreign-master");
    if (!wait_until(5000, takes_write(foreign)))
        stage_wrong(s, "the other group does not start");
    trio_kill_node(&s->trio, replica);
    s->trio.node_pid[replica] = start_redis(s, s->trio.host[replica], foreign, "stranger");
    if (!wait_until(5000, has(s->trio.host[replica], "stranger")))
        stage_wrong(s, "the stranger does not stand there");
    look_for_stranger(s, 2000);
    trio_kill_node(&s->trio, replica);
    stage_return(s, replica);
    process_kill(&master);
}

const struct scenario scenario_stranger = {
    .name = "stranger",
    .title = "another group's replica on a node's address",
    .run = run_stranger,
    .trio = {.min_replicas = 1, .down_after_ms = 10000},
    .limits = {.gap_ms = 100},
};
