/*
 * operator: what operators do to a running group that no failover of Sentinel's own is: a master on
 * another port, another password, Redis' FAILOVER command.
 */
#include "scenario/all.h"

#include "harness/client.h"
#include "harness/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int a_replica(struct stage *s)
{
    return stage_master(s) == 0 ? 1 : 0;
}

static int switch_over(struct stage *s)
{
    int64_t asked = now_us();
    if (trio_failover(&s->trio) < 0)
        stage_wrong(s, "no Sentinel takes the request");
    int master = stage_switch(s, asked);
    stage_whole(s);
    return master;
}

/* ---- another port ---- */

enum { PROMOTED_PORT = 6390, MOVED_PORT = 6391 };

/* A replica comes back on another port, and becomes the master there. */
static void promote_elsewhere(struct stage *s)
{
    int replica = a_replica(s);
    trio_end_node(&s->trio, replica);
    trio_move_port(&s->trio, replica, PROMOTED_PORT);
    stage_return(s, replica);
    stage_whole(s);
    stage_prefer(s, replica);
    if (switch_over(s) != replica)
        stage_wrong(s, "the replica on port %d did not become master", PROMOTED_PORT);
}

static void follow(struct stage *s, int node, int master)
{
    redisContext *c = trio_node(&s->trio, node);
    ask(c, "REPLICAOF %s %d", s->trio.name[master], s->trio.port[master]);
    redisFree(c);
}

/* The master itself comes back on another port; replicas and Sentinels are told by hand. */
static void move_master(struct stage *s)
{
    int master = stage_master(s);
    int64_t gone = now_us(), named = 0;
    for (int i = 0; i < 3; i++) {
        redisContext *c = trio_sentinel(&s->trio, i);
        ask(c, "SENTINEL REMOVE " TRIO_GROUP);
        redisFree(c);
    }
    trio_end_node(&s->trio, master);
    trio_move_port(&s->trio, master, MOVED_PORT);
    if (trio_start_node(&s->trio, master) < 0)
        stage_wrong(s, "the master does not come back");
    for (int i = 0; i < 3; i++)
        if (i != master)
            follow(s, i, master);
    for (int i = 0; i < 3; i++) {
        stage_monitor(s, i, master);
        if (i == 1)
            named = now_us();
    }
    stage_whole(s);
    int64_t writable = observer_writable(s->observer, master, gone);
    stage_moment(s, gone, writable > named ? writable : named);
}

static void run_port(struct stage *s)
{
    promote_elsewhere(s);
    move_master(s);
    switch_over(s);
}

const struct scenario scenario_port = {
    .name = "port",
    .title = "the master moves to another port",
    .run = run_port,
    .trio = {.min_replicas = 1, .persistent = true},
};

/* ---- another password ---- */

#define WATCHER "watcher"

static void tell_nodes(struct stage *s, const char *what, const char *password)
{
    char command[80];
    snprintf(command, sizeof(command), "CONFIG SET %s %s", what, password);
    if (!trio_tell_all(&s->trio, command))
        stage_wrong(s, "%s cannot be set", what);
}

/* Replicas first, who have to be let in; then the Sentinels, and what asks the nodes here. */
static void change_password(struct stage *s, const char *password)
{
    char command[80];
    tell_nodes(s, "masterauth", password);
    tell_nodes(s, "requirepass", password);
    s->trio.options.password = password;
    snprintf(command, sizeof(command), "SENTINEL SET " TRIO_GROUP " auth-pass %s", password);
    trio_tell_sentinels(&s->trio, command);
    snprintf(command, sizeof(command), "ACL SETUSER " WATCHER " resetpass >%s", password);
    trio_tell_sentinels(&s->trio, command);
}

static void rewrite_files(struct stage *s, const char *password, bool in_place)
{
    if (proxy_write_file(&s->trio, PROXY_PASSWORD_FILE, password, in_place) < 0 ||
        proxy_write_file(&s->trio, PROXY_SENTINEL_PASSWORD_FILE, password, in_place) < 0)
        stage_wrong(s, "the passwords' files cannot be written");
}

/* Everybody who entered with the password has to enter again; clients have one of their own. */
static void end_connections(struct stage *s)
{
    for (int i = 0; i < 3; i++) {
        redisContext *c = trio_node(&s->trio, i);
        ask(c, "CLIENT KILL TYPE normal USER default SKIPME yes");
        redisFree(c);
    }
    trio_tell_sentinels(&s->trio, "CLIENT KILL USER " WATCHER);
}

static int count(const char *log, const char *text)
{
    int found = 0;
    for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
        found++;
    return found;
}

/* Waits until the proxy has said this so often, in all. */
static bool said(struct stage *s, const char *text, int times)
{
    char *log = file_text(s->target.proxy.log);
    bool yes = count(log, text) >= times;
    free(log);
    return yes;
}

static void await_said(struct stage *s, const char *text, int times)
{
    if (s->target.kind == TARGET_REDISPROXY && !wait_until(10000, said(s, text, times)))
        stage_wrong(s, "the proxy has not said %d times: %s", times, text);
}

static void check_secrecy(struct stage *s)
{
    static const char *const passwords[] = {"first-pass", "second-pass", "third-pass", "app-pass"};
    char *log = file_text(s->target.proxy.log);
    for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++)
        if (strstr(log, passwords[i]))
            stage_wrong(s, "the proxy's log shows %s", passwords[i]);
    free(log);
}

/* First the file comes late, as a Kubernetes volume does; then it is there before the change, and the
 * first to need it is a switchover. "Accepted" is said for the nodes and for the Sentinels. */
static void run_password(struct stage *s)
{
    change_password(s, "second-pass");
    end_connections(s);
    await_said(s, "own password is refused", 2);
    stage_flow(s, 2000);
    rewrite_files(s, "second-pass\n", false);
    await_said(s, "a new password was read and accepted", 2);
    switch_over(s);
    rewrite_files(s, "third-pass\n", true);
    change_password(s, "third-pass");
    trio_tell_sentinels(&s->trio, "CLIENT KILL USER " WATCHER);
    switch_over(s);
    await_said(s, "a new password was read and accepted", 4);
    check_secrecy(s);
}

const struct scenario scenario_password = {
    .name = "password",
    .title = "the nodes' and Sentinels' passwords change",
    .run = run_password,
    .trio = {.min_replicas = 1,
             .password = "first-pass",
             .client_user = "app",
             .client_password = "app-pass",
             .sentinel_lines = "user " WATCHER " on >first-pass allchannels ~* +@all\n"},
    .proxy = {.password_file = true,
              .sentinel_password = "first-pass",
              .master_lines = "sentinel_username = " WATCHER "\n"},
};

/* ---- Redis' FAILOVER ---- */

static bool is_replica_now(struct stage *s, int node)
{
    redisContext *c = trio_glance(&s->trio, node, TRIO_PORT);
    bool yes = strcmp(info_field(c, "replication", "role"), "slave") == 0;
    redisFree(c);
    return yes;
}

/* A replica of a node that is no longer master is put right after this time only: not 180 s. */
static void shorten_failover_timeout(struct stage *s)
{
    if (!s->fast)
        trio_tell_sentinels(&s->trio, "SENTINEL SET " TRIO_GROUP " failover-timeout 20000");
}

/* The master pauses writes, hands over to a replica that has caught up, and answers READONLY. Sentinel
 * does not know: it sees its master down for saying that it is a replica, and votes for another. */
static void run_failover_command(struct stage *s)
{
    int master = stage_master(s), replica = a_replica(s);
    shorten_failover_timeout(s);
    int64_t asked = now_us();
    redisContext *c = trio_node(&s->trio, master);
    const char *reply = ask(c, "FAILOVER TO %s %d", s->trio.host[replica], s->trio.port[replica]);
    if (strcmp(reply, "+OK") != 0)
        stage_wrong(s, "FAILOVER: %s", reply);
    redisFree(c);
    if (!wait_until(10000, is_replica_now(s, master)))
        stage_wrong(s, "the master does not hand over");
    int64_t writable = 0;
    if (!wait_until(10000, (writable = observer_writable(s->observer, replica, asked))))
        stage_wrong(s, "the replica does not take over");
    stage_moment(s, asked, writable);
    stage_flow(s, 500);
    int64_t voted = now_us();
    stage_switch(s, voted);
    stage_whole(s);
}

const struct scenario scenario_failover_command = {
    .name = "failover-command",
    .title = "Redis' FAILOVER, which Sentinel does not know of",
    .run = run_failover_command,
    .trio = {.min_replicas = 1},
};

/* Both at once: Sentinel promotes one replica while the master may hand over to another one. What the
 * master has paused by the time of the promotion is never answered. */
static void run_failover_race(struct stage *s)
{
    static const int delays_ms[] = {0, 60, 120, 180, -1};
    shorten_failover_timeout(s);
    for (const int *delay_ms = delays_ms; *delay_ms >= 0; delay_ms++) {
        int64_t asked = now_us();
        redisContext *c = trio_node(&s->trio, stage_master(s));
        if (trio_failover(&s->trio) < 0)
            stage_wrong(s, "no Sentinel takes the request");
        stage_go_on(s, *delay_ms);
        ask(c, "FAILOVER TIMEOUT 1000");
        redisFree(c);
        stage_switch(s, asked);
        stage_whole(s);
    }
}

const struct scenario scenario_failover_race = {
    .name = "failover-race",
    .title = "FAILOVER while Sentinel fails over",
    .run = run_failover_race,
    .trio = {.min_replicas = 1},
    .limits = {.unknown = 4},
};
