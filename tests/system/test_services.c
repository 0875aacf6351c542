/*
 * services: small programs, as people run them, on the libraries that they run them on
 * (tests/clients/), which work without a pause through two planned switchovers:
 *
 *     PROGRAM HOST PORT NAME REPLICA SPLIT      NAME begins the name of every key and channel that it
 *                                               uses; the ports' routes are master, replica and split
 *
 * It prints "ready" when it works, and works until SIGTERM. It judges itself: every job, message and
 * result arrives, once, no connection is lost, and nothing answers an error; else it ends with
 * "failed: why", at once. At the end it prints "done: how much".
 *
 * With DIRECTLY=1 each is sent straight to a node, and the master does not change: what then fails is
 * the program's fault.
 */
#include "harness/client.h"
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

enum {
    SERVICES = 3, /* that a test starts at most */
    SWITCHOVERS = 2,
    DIRECTLY_MS = 3000, /* how long one works without a switchover */
    READY_MS = 60000,
    END_MS = 30000
};

/* With a full resync's default delay of 5 s every switchover would cost as much. */
const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

struct service {
    const char *script; /* in tests/clients */
    char log[128];
    pid_t pid;
    int status;
    bool ended;
};

static bool directly(void)
{
    return getenv("DIRECTLY") != NULL;
}

static void start(struct shared *s, struct service *service)
{
    static const int ports[] = {PROXY_MASTER, PROXY_REPLICA, PROXY_SPLIT};
    const char *script = service->script;
    const char *runs = strstr(script, ".js") ? "node" : "/usr/bin/python3";
    const char *host = directly() ? s->trio.host[trio_master(&s->trio)] : s->proxy.host;
    char path[64], port[3][8];
    for (int i = 0; i < 3; i++)
        snprintf(port[i], sizeof(port[i]), "%d", directly() ? TRIO_PORT : ports[i]);
    snprintf(path, sizeof(path), "tests/clients/%s", script);
    snprintf(service->log, sizeof(service->log), "%s/%s.log", s->trio.scratch.dir, script);
    const char *argv[] = {runs, path, host, port[0], script, port[1], port[2], NULL};
    setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    service->pid = process_start(argv, service->log);
}

static bool ended(struct service *service)
{
    service->ended = service->ended || process_ended(service->pid, 0, &service->status);
    return service->ended;
}

/* Whether a line begins with this. */
static bool said(const struct service *service, const char *word)
{
    char *text = file_text(service->log), *rest, *line = strtok_r(text, "\n", &rest);
    while (line && strncmp(line, word, strlen(word)) != 0)
        line = strtok_r(NULL, "\n", &rest);
    free(text);
    return line;
}

static bool any_ended(struct service *services)
{
    for (; services->script; services++)
        if (ended(services))
            return true;
    return false;
}

static bool all_began(struct service *services)
{
    while (services->script && (said(services, "ready") || ended(services)))
        services++;
    return !services->script;
}

static bool all_ended(struct service *services)
{
    while (services->script && ended(services))
        services++;
    return !services->script;
}

static void switch_over(struct shared *s)
{
    int before = trio_master(&s->trio);
    cr_assert_eq(trio_wait_whole(&s->trio), 0);
    cr_assert_eq(trio_failover(&s->trio), 0);
    cr_assert_eq(trio_wait_whole(&s->trio), 0);
    cr_assert_neq(trio_master(&s->trio), before, "the old master is the new one");
}

/* While they work; none of them ends by itself, unless it failed. */
static void work(struct shared *s, struct service *services, int switchovers)
{
    bool began = wait_until(READY_MS, all_began(services));
    if (began && directly())
        wait_until(DIRECTLY_MS, any_ended(services));
    else if (began)
        for (int i = 0; i < switchovers && !any_ended(services); i++)
            switch_over(s);
}

/* Its own verdict. */
static bool good(struct service *service)
{
    bool ok = service->ended && WIFEXITED(service->status) && WEXITSTATUS(service->status) == 0 &&
              said(service, "done: ");
    if (!service->ended)
        process_kill(&service->pid);
    if (!ok)
        file_show(service->log);
    return ok;
}

static void run(const char *const *scripts, int switchovers)
{
    struct shared s = shared();
    struct service services[SERVICES + 1] = {0}, *service = services;
    int failed = 0;
    for (; *scripts; scripts++, service++) {
        service->script = *scripts;
        start(&s, service);
    }
    work(&s, services, switchovers);
    for (service = services; service->script; service++)
        if (!ended(service))
            kill(service->pid, SIGTERM);
    (void)wait_until(END_MS, all_ended(services));
    for (service = services; service->script; service++)
        failed += !good(service);
    cr_assert_eq(failed, 0);
}

/* Whether there are Node.js' libraries; says it when they could not be had. */
static bool node(void)
{
    char *modules = realpath(MODULES, NULL);
    bool unreachable = !modules && access("build/clients/unreachable", F_OK) == 0;
    cr_assert(modules || unreachable, "%s is not there: tests/clients/install.sh makes it",
              MODULES);
    if (modules)
        setenv("NODE_PATH", modules, 1);
    else
        fprintf(stderr, "Node.js' are skipped: the npm registry cannot be reached\n");
    free(modules);
    return !unreachable;
}

/* Scripts whose text goes by once, inside MULTI or outside, and which are EVALSHA from then on. */
Test(services, scripts, .timeout = 150)
{
    const char *scripts[] = {"bullmq.js", "ioredis_scripts.js", NULL};
    if (!node())
        cr_skip_test("the npm registry cannot be reached");
    run(scripts, SWITCHOVERS);
}

/* PUBLISH and SPUBLISH, alone, in MULTI and in scripts: every message to every subscriber. */
Test(services, subscribers, .timeout = 150)
{
    const char *scripts[] = {"redis_pubsub.py", "celery_tasks.py", "socket_io.js", NULL};
    if (!node())
        scripts[2] = NULL;
    run(scripts, SWITCHOVERS);
}

/* The pages of one SCAN over a pool of connections, on every route. */
Test(services, scans, .timeout = 150)
{
    const char *scripts[] = {"redis_scan.py", NULL};
    run(scripts, SWITCHOVERS);
}

/* Pipelines that are written before the first answer is read. */
Test(services, pipelines, .timeout = 150)
{
    const char *scripts[] = {"redis_deep.py", NULL};
    run(scripts, 0);
}
