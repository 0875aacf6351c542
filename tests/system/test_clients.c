/*
 * clients: real client libraries, each in a program of its own (tests/clients/), go through the
 * steps of a client's life and through a switchover. Every program is started twice, on the route
 * master and on split:
 *
 *     PROGRAM HOST PORT NAME        NAME begins the name of every key and channel that it uses
 *
 * It prints a line for each step, then "ready for switchover". From then on it increments
 * <NAME>:counter in every way that the library knows, and looks at each answer: the next number, or
 * it fails. Meanwhile it waits in a BLPOP for <NAME>:go; what arrives there tells it that the
 * master has changed. It ends with "counter N", N being how many increments were answered, which
 * has to be what the new master holds.
 */
#include "harness/client.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULES "build/clients/node_modules"

enum { READY_MS = 60000, END_MS = 30000, ROUTES = 2 };

/* With a full resync's default delay of 5 s every switchover would cost as much. */
const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

struct program {
    char name[40], log[128];
    pid_t pid;
    int status;
    bool ended;
};

static struct program start(const struct shared *s, const char *library, const char *const *command,
                            int port)
{
    struct program p = {0};
    char number[8];
    const char *argv[8];
    int argc = 0;
    snprintf(p.name, sizeof(p.name), "%s-%s", library, port == PROXY_SPLIT ? "split" : "master");
    snprintf(p.log, sizeof(p.log), "%s/%s.log", s->trio.scratch.dir, p.name);
    snprintf(number, sizeof(number), "%d", port);
    while (command[argc]) {
        argv[argc] = command[argc];
        argc++;
    }
    argv[argc++] = s->proxy.host;
    argv[argc++] = number;
    argv[argc++] = p.name;
    argv[argc] = NULL;
    p.pid = process_start(argv, p.log);
    return p;
}

static bool ended(struct program *p)
{
    p->ended = p->ended || process_ended(p->pid, 0, &p->status);
    return p->ended;
}

/* What stands behind the last line that begins with this word; NULL when there is none. */
static char *said(const struct program *p, const char *word)
{
    char *text = file_text(p->log), *found = NULL, *rest, *line = strtok_r(text, "\n", &rest);
    for (; line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, word, strlen(word)) == 0) {
            free(found);
            found = strdup(line + strlen(word));
        }
    free(text);
    return found;
}

static bool ready(struct program *p)
{
    char *line = said(p, "ready for switchover");
    free(line);
    return line || ended(p);
}

static void switch_over(struct shared *s)
{
    int before = trio_master(&s->trio);
    cr_assert_eq(trio_wait_whole(&s->trio), 0);
    cr_assert_eq(trio_failover(&s->trio), 0);
    cr_assert_eq(trio_wait_whole(&s->trio), 0);
    cr_assert_neq(trio_master(&s->trio), before, "the old master is the new one");
}

static void tell(const struct shared *s, const struct program *p)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(c, ":1", "RPUSH %s:go switched", p->name);
    redisFree(c);
}

/* What the new master counted is what the program was answered. */
static bool counted(struct trio *trio, const struct program *p)
{
    redisContext *c = trio_node(trio, trio_master(trio));
    char *answered = said(p, "counter ");
    const char *done = ask(c, "GET %s:counter", p->name);
    bool same = answered && atol(answered) >= 10 && strcmp(answered, done) == 0;
    if (!same)
        fprintf(stderr, "%s: counter is %s; it was answered %s\n", p->name, done,
                answered ? answered : "no number");
    free(answered);
    redisFree(c);
    return same;
}

static bool good(struct trio *trio, struct program *p)
{
    bool ok = wait_until(END_MS, ended(p)) && WIFEXITED(p->status) && !WEXITSTATUS(p->status) &&
              counted(trio, p);
    if (!p->ended)
        process_kill(&p->pid);
    if (!ok)
        file_show(p->log);
    return ok;
}

/* `command` is how the program is started. */
static void run(const char *library, const char *const *command)
{
    struct shared s = shared();
    struct program program[ROUTES];
    int failed = 0;
    bool all = true;
    for (int i = 0; i < ROUTES; i++)
        program[i] = start(&s, library, command, i ? PROXY_SPLIT : PROXY_MASTER);
    for (int i = 0; i < ROUTES && all; i++)
        all = wait_until(READY_MS, ready(&program[i])) && !program[i].ended;
    if (all)
        switch_over(&s);
    for (int i = 0; i < ROUTES; i++) {
        if (all)
            tell(&s, &program[i]);
        else if (!program[i].ended)
            kill(program[i].pid, SIGKILL);
    }
    for (int i = 0; i < ROUTES; i++)
        failed += !good(&s.trio, &program[i]);
    cr_assert_eq(failed, 0);
}

/* For Node.js; skips the test when the libraries could not be had. */
static void run_node(const char *library, const char *script)
{
    char *modules = realpath(MODULES, NULL);
    if (!modules && access("build/clients/unreachable", F_OK) == 0) {
        /* Criterion is silent about it */
        fprintf(stderr, "%s is skipped: the npm registry cannot be reached\n", library);
        cr_skip_test("the npm registry cannot be reached");
    }
    cr_assert(modules, "%s is not there: tests/clients/install.sh makes it", MODULES);
    setenv("NODE_PATH", modules, 1);
    free(modules);
    run(library, (const char *[]){"node", script, NULL});
}

Test(clients, redis_py, .timeout = 150)
{
    run("redis-py", (const char *[]){"/usr/bin/python3", "tests/clients/redis_py.py", NULL});
}

Test(clients, ioredis, .timeout = 150)
{
    run_node("ioredis", "tests/clients/ioredis.js");
}

Test(clients, node_redis, .timeout = 150)
{
    run_node("node-redis", "tests/clients/node_redis.js");
}

Test(clients, hiredis_sync, .timeout = 150)
{
    run("hiredis-sync", (const char *[]){"build/tests/clients/hiredis_sync", NULL});
}

Test(clients, hiredis_async, .timeout = 150)
{
    if (secure_clients())
        cr_skip_test("hiredis 0.14 speaks no TLS; the other program has it spoken by the harness");
    run("hiredis-async", (const char *[]){"build/tests/clients/hiredis_async", NULL});
}

Test(clients, redis_cli, .timeout = 150)
{
    run("redis-cli", (const char *[]){"tests/clients/redis_cli.sh", NULL});
}

Test(clients, redis_benchmark, .timeout = 150)
{
    run("redis-benchmark", (const char *[]){"tests/clients/redis_benchmark.sh", NULL});
}
