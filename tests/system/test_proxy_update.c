/*
 * proxy_update: two proxies behind a balancer that asks /readyz, as pods behind a Service are; under load each of them is
 * told to drain, and replaced by a new one when it has ended. Clients are told by the end of their connection, at a
 * boundary: they connect again, and repeat what was not answered. Nobody meets an error or a closed door, and nothing is
 * executed twice.
 */
#include "harness/balancer.h"
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.without_proxy = true, .trio = {.fast = true}};

enum { WRITERS = 8, READERS = 4, CLIENTS = WRITERS + READERS, PROXIES = 2, PACE_MS = 2 };

/* ---- clients ---- */

static char door[TRIO_HOST];
static atomic_bool over;

struct client {
    pthread_t thread;
    int number;
    long done, told, errors, doors; /* answered; connection ended; errors; could not connect */
    char first[200];
};

static redisContext *come(struct client *me)
{
    redisContext *c = client_open(door, PROXY_MASTER);
    me->doors += c->err != 0;
    return c;
}

/* One request, until it is answered: a writer's numbers in a list of its own, a reader looks how many there are. */
static const char *request(const struct client *me, redisContext *c)
{
    if (me->number < WRITERS)
        return ask(c, "RPUSH update:%d %ld", me->number, me->done);
    return ask(c, "LLEN update:%d", me->number - WRITERS);
}

static void *run(void *arg)
{
    struct client *me = arg;
    redisContext *c = come(me);
    while (!atomic_load(&over)) {
        const char *answer = request(me, c);
        if (answer[0] == ':') {
            me->done++;
            pause_ms(PACE_MS);
        } else if (strncmp(answer, "(closed)", 8) == 0 && me->doors == 0) {
            me->told++;
            redisFree(c);
            c = come(me);
        } else {
            if (me->errors++ == 0)
                snprintf(me->first, sizeof(me->first), "%s", answer);
            break;
        }
    }
    redisFree(c);
    return NULL;
}

/* ---- proxies ---- */

struct pod {
    struct trio seen; /* with the pod's own address */
    struct proxy proxy;
    bool runs;
};

static struct pod pods[PROXIES];
static struct balancer *balancer;

static int start(struct pod *pod)
{
    static const struct proxy_options options = {.proxy_lines =
                                                     "drain_delay = 500ms\ndrain_timeout = 3s\n"};
    pod->runs = proxy_start(&pod->proxy, &pod->seen, &options) == 0;
    return pod->runs ? 0 : -1;
}

static bool is_ready(const struct pod *pod)
{
    char body[4096];
    return pod->runs && http_get(pod->proxy.host, PROXY_HTTP, "/readyz", body, sizeof(body)) == 200;
}

/* What a Service does all the time. */
static void look(void)
{
    for (int i = 0; i < PROXIES; i++)
        balancer_use(balancer, i, is_ready(&pods[i]));
}

static bool has_ended(const struct pod *pod)
{
    return proxy_said(&pod->proxy, "\"redisproxy stopped\"") == 1;
}

/* The first is asked by ctl, as a preStop hook does, the second by SIGTERM. */
static void replace(int number)
{
    char output[400];
    struct pod *pod = &pods[number];
    if (number == 0)
        cr_assert_eq(proxy_ctl(&pod->proxy, output, sizeof(output), "drain"), 0, "%s", output);
    else
        kill(pod->proxy.pid, SIGTERM);
    cr_assert(wait_until(20000, (look(), has_ended(pod))));
    cr_assert_eq(proxy_verdict(&pod->proxy, 5000), 0);
    pod->runs = false;
    look();
    cr_assert_eq(start(pod), 0);
    cr_assert(wait_until(10000, (look(), is_ready(pod))));
}

/* ---- afterwards ---- */

/* The list holds each number once, in its order, and no more than was answered. */
static void check_list(redisContext *master, const struct client *writer)
{
    redisReply *all = redisCommand(master, "LRANGE update:%d 0 -1", writer->number);
    cr_assert(all && all->type == REDIS_REPLY_ARRAY);
    cr_expect_eq((long)all->elements, writer->done, "writer %d: %zu of %ld", writer->number,
                 all->elements, writer->done);
    for (size_t i = 0; i < all->elements; i++)
        cr_assert_eq(atol(all->element[i]->str), (long)i, "writer %d: %s stands at %zu",
                     writer->number, all->element[i]->str, i);
    freeReplyObject(all);
}

static void begin(struct client *clients)
{
    struct shared s = shared();
    struct balancer_target targets[PROXIES];
    snprintf(door, sizeof(door), "%s.110", s.trio.scratch.prefix);
    for (int i = 0; i < PROXIES; i++) {
        pods[i] = (struct pod){.seen = s.trio};
        snprintf(pods[i].seen.proxy_host, TRIO_HOST, "%s.%d", s.trio.scratch.prefix, 101 + i);
        cr_assert_eq(start(&pods[i]), 0);
        cr_assert_eq(proxy_wait_serving(&pods[i].proxy, &s.trio), 0);
        targets[i].port = PROXY_MASTER;
        memcpy(targets[i].host, pods[i].seen.proxy_host, TRIO_HOST);
    }
    balancer = balancer_start(door, PROXY_MASTER, targets, PROXIES);
    cr_assert_not_null(balancer);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.number = i};
        pthread_create(&clients[i].thread, NULL, run, &clients[i]);
    }
}

Test(proxy_update, one_after_the_other_under_load, .timeout = 120)
{
    static struct client clients[CLIENTS];
    long told = 0, done = 0;
    if (secure_clients())
        cr_skip_test("the balancer is in nobody's certificate");
    begin(clients);
    pause_ms(300); /* all of them work */
    for (int i = 0; i < PROXIES; i++)
        replace(i);
    pause_ms(300);
    atomic_store(&over, true);
    struct shared s = shared();
    redisContext *master = trio_node(&s.trio, trio_master(&s.trio));
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *c = &clients[i];
        pthread_join(c->thread, NULL);
        cr_expect(c->errors == 0 && c->doors == 0, "client %d: %ld errors (%s), %ld doors closed",
                  i, c->errors, c->first, c->doors);
        if (i < WRITERS)
            check_list(master, c);
        told += c->told;
        done += c->done;
    }
    fprintf(stderr, "%ld requests, %ld times told to come again\n", done, told);
    cr_expect_geq(told, CLIENTS, "each was told once at least, on average");
    cr_expect_eq(balancer_failures(balancer), 0, "a pod was in the Service and not there");
    redisFree(master);
    balancer_stop(balancer);
    for (int i = 0; i < PROXIES; i++)
        cr_expect_eq(proxy_stop(&pods[i].proxy), 0);
}
