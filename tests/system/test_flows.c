/*
 * flows: transactions of scripts, as job queues make them (BullMQ's flows, ioredis' multi() with commands
 * of one's own): the library loads a script once for each socket, and EVALSHAs it inside MULTI from then
 * on. The socket outlives the master, and the next one never saw the script.
 */
#include "harness/client.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

const struct suite suite = {.trio = {.fast = true}};

enum { FLOWS = 8, SCRIPTS = 3 };

static atomic_bool over;
static char sha[SCRIPTS][64];

struct flow {
    pthread_t thread;
    redisContext *c;
    int number;
    atomic_long done;
    char wrong[200]; /* the first answer that was */
};

static void start_parts(struct flow *f)
{
    say(f->c, "MULTI");
    for (int i = 0; i < SCRIPTS; i++)
        say(f->c, "EVALSHA %s 1 flow:%d:%d", sha[i], f->number, i);
}

static void expect(struct flow *f, const char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0 && !f->wrong[0])
        snprintf(f->wrong, sizeof(f->wrong), "number %ld: %.160s", atomic_load(&f->done), got);
}

/* In one pipeline, or with a pause before EXEC: the master may change in between. */
static void *flows(void *arg)
{
    struct flow *f = arg;
    char wanted[80];
    while (!atomic_load(&over) && !f->wrong[0]) {
        long n = atomic_load(&f->done) + 1;
        start_parts(f);
        if (f->number % 2) {
            say_now(f->c);
            pause_ms(20);
        }
        say(f->c, "EXEC");
        expect(f, hear(f->c), "+OK");
        for (int i = 0; i < SCRIPTS; i++)
            expect(f, hear(f->c), "+QUEUED");
        snprintf(wanted, sizeof(wanted), "[:%ld, :%ld, :%ld]", n, n, n);
        expect(f, hear(f->c), wanted);
        atomic_store(&f->done, n);
    }
    return NULL;
}

static void load_scripts(const struct shared *s)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    for (int i = 0; i < SCRIPTS; i++) {
        char text[100];
        snprintf(text, sizeof(text), "return redis.call('INCR', KEYS[1]) -- flow %d", i);
        snprintf(sha[i], sizeof(sha[i]), "%s", ask(c, "SCRIPT LOAD %s", text));
        cr_assert_eq(strlen(sha[i]), 40);
    }
    redisFree(c);
}

static void switch_over(struct shared *s)
{
    int before = trio_master(&s->trio);
    cr_assert_eq(trio_failover(&s->trio), 0);
    cr_assert(wait_until(20000, trio_named(&s->trio) >= 0 && trio_named(&s->trio) != before));
    cr_assert_eq(trio_wait_whole(&s->trio), 0);
}

/* Twice, so that a former master comes back; in between each node's scripts are gone, as if it had been
 * restarted: nobody relies on what a node had as a replica. */
Test(flows, go_on_through_switchovers, .timeout = 90)
{
    struct shared s = shared();
    static struct flow all[FLOWS];
    load_scripts(&s);
    for (int i = 0; i < FLOWS; i++) {
        all[i].number = i;
        all[i].c = proxy_client(&s.proxy, i % 3 ? PROXY_MASTER : PROXY_SPLIT);
        cr_assert_eq(pthread_create(&all[i].thread, NULL, flows, &all[i]), 0);
    }
    for (int round = 0; round < 2; round++) {
        for (int node = 0; node < 3; node++) {
            redisContext *c = trio_node(&s.trio, node);
            if (node != trio_master(&s.trio))
                EXPECT(c, "+OK", "SCRIPT FLUSH");
            redisFree(c);
        }
        switch_over(&s);
        for (int i = 0; i < FLOWS; i++) {
            long before = atomic_load(&all[i].done);
            cr_expect(wait_until(5000, atomic_load(&all[i].done) > before + 3 || all[i].wrong[0]));
        }
    }
    atomic_store(&over, true);
    for (int i = 0; i < FLOWS; i++) {
        pthread_join(all[i].thread, NULL);
        cr_expect_str_empty(all[i].wrong, "flow %d: %s", i, all[i].wrong);
        redisFree(all[i].c);
    }
}

/* A script's own words are not taken for the node's, whatever they are: it runs once. */
Test(flows, a_script_that_speaks_as_a_server_runs_once, .timeout = 60)
{
    static const char *const words[] = {
        "NOSCRIPT No matching script. Please use EVAL.",
        "NOSCRIPT mine",
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "NOREPLICAS Not enough good replicas to write.",
        "UNBLOCKED client unblocked via CLIENT UNBLOCK"};
    static const char script[] = "redis.call('INCR', KEYS[1]) return redis.error_reply(ARGV[1])";
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    char text[64], wanted[120];
    snprintf(text, sizeof(text), "%s", ask(c, "SCRIPT LOAD %s", script));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        snprintf(wanted, sizeof(wanted), "-%s", words[i]);
        EXPECT(c, "+OK", "SET spoken 0");
        EXPECT(c, wanted, "EVALSHA %s 1 spoken %s", text, words[i]);
        EXPECT(c, wanted, "EVAL %s 1 spoken %s", script, words[i]);
        EXPECT(c, "2", "GET spoken");
    }
    redisFree(c);
}
