/*
 * trio_life: what happens to the servers of a trio after their start: they are killed, ended,
 * stopped, started again, and moved to other addresses (trio.h).
 */
#include "harness/client.h"
#include "harness/trio_files.h"
#include "harness/wait.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { END_MS = 20000, END_AGAIN_MS = 500, ANSWER_MS = 10000, NAMED_MS = 30000 };

void trio_kill_node(struct trio *t, int node)
{
    process_kill(&t->node_pid[node]);
}

void trio_kill_sentinel(struct trio *t, int sentinel)
{
    process_kill(&t->sentinel_pid[sentinel]);
}

/* Redis refuses to end while it writes its first append-only file ("Can't exit"), and says so only in
 * its log: it is asked again. */
static void end(pid_t *pid)
{
    int status;
    for (int64_t until = now_ms() + END_MS; *pid > 0 && now_ms() < until;) {
        kill(*pid, SIGTERM);
        if (process_ended(*pid, END_AGAIN_MS, &status))
            *pid = 0;
    }
    process_kill(pid);
}

void trio_end_node(struct trio *t, int node)
{
    end(&t->node_pid[node]);
}

void trio_end_sentinel(struct trio *t, int sentinel)
{
    end(&t->sentinel_pid[sentinel]);
}

static bool answers(const struct trio *t, int host, int port)
{
    redisContext *c = trio_glance(t, host, port);
    const char *reply = ask(c, "PING");
    bool yes = strcmp(reply, "+PONG") == 0 || strncmp(reply, "-LOADING", 8) == 0 ||
               strncmp(reply, "-MASTERDOWN", 11) == 0;
    redisFree(c);
    return yes;
}

void trio_launch_node(struct trio *t, int i)
{
    if (t->moved && trio_readdress(t, "redis", i) < 0)
        fprintf(stderr, "node %d keeps its address\n", i + 1);
    t->node_pid[i] = trio_start_server(t, "redis", i, NULL, NULL);
}

int trio_start_node(struct trio *t, int i)
{
    trio_launch_node(t, i);
    if (t->node_pid[i] > 0 && wait_until(ANSWER_MS, answers(t, i, TRIO_PORT)))
        return 0;
    fprintf(stderr, "redis-server %d does not answer\n", i + 1);
    return -1;
}

/* As the chart's init container: Sentinel says whom to follow; if it names nobody, things stay. Who
 * comes back elsewhere waits until a living master is named: it may have been that master. */
int trio_return_node(struct trio *t, int i)
{
    int master = -1;
    wait_until(t->moved ? NAMED_MS : 0, (master = trio_named(t)) >= 0);
    if (master >= 0 && trio_write_node(t, i, master == i ? -1 : master) < 0)
        return -1;
    return trio_start_node(t, i);
}

static int launch_sentinel(struct trio *t, int i)
{
    t->sentinel_pid[i] = trio_start_server(t, "sentinel", i, NULL, NULL);
    if (t->sentinel_pid[i] <= 0 || !wait_until(ANSWER_MS, answers(t, i, TRIO_SENTINEL_PORT))) {
        fprintf(stderr, "redis-sentinel %d does not answer\n", i + 1);
        return -1;
    }
    redisContext *c = trio_sentinel(t, i);
    if (t->options.fast)
        ask(c, "SENTINEL DEBUG publish-period 500 info-period 1000");
    redisFree(c);
    return 0;
}

int trio_start_sentinel(struct trio *t, int i)
{
    return trio_readdress(t, "sentinel", i) < 0 ? -1 : launch_sentinel(t, i);
}

int trio_return_sentinel(struct trio *t, int i)
{
    int master = trio_named(t);
    if (master < 0)
        return trio_start_sentinel(t, i);
    return trio_write_sentinel(t, i, master) < 0 ? -1 : launch_sentinel(t, i);
}

void trio_move(struct trio *t, int i)
{
    unsigned last = 0;
    t->moved = true;
    const char *dot = strrchr(t->host[i], '.');
    if (dot)
        sscanf(dot + 1, "%u", &last);
    snprintf(t->host[i], TRIO_HOST, "%s.%u", t->scratch.prefix, (last + 10) % 250);
    if (!t->options.names)
        memcpy(t->name[i], t->host[i], TRIO_HOST);
    else if (trio_write_names(t) < 0)
        fprintf(stderr, "the names cannot be moved\n");
}

void trio_move_port(struct trio *t, int i, int port)
{
    t->moved = true;
    t->port[i] = port;
}

/* "[address, port]" */
static bool is_place_of(const struct trio *t, int i, const char *reply)
{
    char place[TRIO_HOST + 16];
    snprintf(place, sizeof(place), "[%s, %d]", t->name[i], t->port[i]);
    return strcmp(reply, place) == 0;
}

int trio_named(struct trio *t)
{
    int votes[TRIO_MAX] = {0}, answered = 0;
    for (int i = 0; i < t->options.sentinels; i++) {
        redisContext *c = trio_glance(t, i, TRIO_SENTINEL_PORT);
        const char *reply = ask(c, "SENTINEL GET-MASTER-ADDR-BY-NAME " TRIO_GROUP);
        answered += reply[0] == '[';
        for (int k = 0; k < t->options.nodes; k++)
            votes[k] += is_place_of(t, k, reply);
        redisFree(c);
    }
    for (int k = 0; k < t->options.nodes; k++)
        if (votes[k] * 2 > answered)
            return k;
    return -1;
}

void trio_tell_sentinels(const struct trio *t, const char *command)
{
    for (int i = 0; i < t->options.sentinels; i++) {
        redisContext *c = trio_glance(t, i, TRIO_SENTINEL_PORT);
        redisReply *r = redisCommand(c, command);
        freeReplyObject(r);
        redisFree(c);
    }
}
