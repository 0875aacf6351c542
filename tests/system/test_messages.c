/*
 * messages: what is published through a switchover reaches every subscriber, and whoever publishes is
 * told so. Subscribers and publishers are spread over the workers; none of them loses its connection.
 */
#include "harness/client.h"
#include "harness/observer.h"
#include "harness/servers.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.fast = true}};

enum { SUBSCRIBERS = 24, KINDS = 4, PUBLISHERS = 8 };

/* How a message is published; each publisher has a channel of its own. */
enum kind { PLAIN, SCRIPT, TRANSACTION, SHARD };

static atomic_bool over;

struct publisher {
    pthread_t thread;
    redisContext *c;
    int number;
    enum kind kind;
    long sent, wrong; /* answered with another number of receivers */
    char first[200];  /* such an answer */
};

struct subscriber {
    pthread_t thread;
    redisContext *c;
    int publishers;
    long heard[PUBLISHERS]; /* the newest number from each */
    long missed;
    char first[200]; /* what was the first to be wrong */
};

static const char *publish(struct publisher *p)
{
    long n = p->sent;
    switch (p->kind) {
    case PLAIN:
        return ask(p->c, "PUBLISH news:%d %ld", p->number, n);
    case SCRIPT:
        return ask(p->c, "EVAL %s 0 news:%d %ld", "return redis.call('PUBLISH', ARGV[1], ARGV[2])",
                   p->number, n);
    case SHARD:
        return ask(p->c, "SPUBLISH news:%d %ld", p->number, n);
    case TRANSACTION:
        break;
    }
    say(p->c, "MULTI");
    say(p->c, "PUBLISH news:%d %ld", p->number, n);
    say(p->c, "EXEC");
    hear(p->c);
    hear(p->c);
    return hear(p->c);
}

static void *publishes(void *arg)
{
    struct publisher *p = arg;
    char wanted[40];
    snprintf(wanted, sizeof(wanted), p->kind == TRANSACTION ? "[:%d]" : ":%d", SUBSCRIBERS);
    while (!atomic_load(&over)) {
        p->sent++;
        const char *answer = publish(p);
        if (strcmp(answer, wanted) != 0 && p->wrong++ == 0)
            snprintf(p->first, sizeof(p->first), "number %ld: %s", p->sent, answer);
        pause_ms(1);
    }
    return NULL;
}

/* "[message, news:3, 17]" and its kin; false: it is none. */
static bool read_message(const char *text, int *publisher, long *number)
{
    const char *channel = strstr(text, "news:");
    const char *payload = strrchr(text, ' ');
    if (!strstr(text, "message, ") || !channel || !payload)
        return false;
    channel = strrchr(text, ':');
    *publisher = atoi(channel + 1);
    *number = atol(payload + 1);
    return true;
}

static void *listens(void *arg)
{
    struct subscriber *s = arg;
    int ended = 0, from;
    long number;
    while (ended < s->publishers) {
        const char *text = hear(s->c);
        if (!read_message(text, &from, &number)) {
            snprintf(s->first, sizeof(s->first), "came: %s", text);
            s->missed++;
            return NULL;
        }
        if (number < 0) { /* it was the last one */
            ended++;
            continue;
        }
        if (number != s->heard[from] + 1) {
            if (s->missed == 0)
                snprintf(s->first, sizeof(s->first), "of %d: %ld behind %ld", from, number,
                         s->heard[from]);
            s->missed += labs(number - s->heard[from] - 1);
        }
        s->heard[from] = number;
    }
    return NULL;
}

static void subscribe(struct shared *sh, struct subscriber *s, int number, int publishers,
                      bool shards)
{
    s->publishers = publishers;
    s->c = proxy_client(&sh->proxy, number % 2 ? PROXY_MASTER : PROXY_SPLIT);
    if (number % 3) {
        for (int i = 0; i < publishers; i++)
            EXPECT_PREFIX(s->c, "[subscribe, ", "SUBSCRIBE news:%d", i);
    } else {
        EXPECT_PREFIX(s->c, "[psubscribe, ", "PSUBSCRIBE news:*");
    }
    for (int i = 0; shards && i < publishers; i++)
        if (i % KINDS == SHARD)
            EXPECT_PREFIX(s->c, "[ssubscribe, ", "SSUBSCRIBE news:%d", i);
}

static void switch_over(struct shared *s)
{
    struct observer *observer = observer_start(&s->trio);
    struct switchover seen;
    int64_t asked = now_us();
    cr_assert(trio_failover(&s->trio) == 0);
    cr_assert(observer_switchover(observer, asked, &seen) == 0);
    observer_stop(observer);
}

static void end_publisher(struct publisher *p)
{
    pthread_join(p->thread, NULL);
    ask(p->c, p->kind == SHARD ? "SPUBLISH news:%d -1" : "PUBLISH news:%d -1", p->number);
}

Test(messages, reach_everybody_through_a_switchover, .timeout = 90)
{
    struct shared s = shared();
    static struct subscriber subs[SUBSCRIBERS];
    static struct publisher pubs[PUBLISHERS];
    bool shards = servers_have(7, 0);
    int publishers = 0;
    cr_assert(trio_wait_whole(&s.trio) == 0);
    for (int i = 0; i < PUBLISHERS; i++)
        if (i % KINDS != SHARD || shards)
            pubs[publishers++] = (struct publisher){.number = i, .kind = (enum kind)(i % KINDS)};
    if (!shards) /* channels are numbered without gaps */
        for (int i = 0; i < publishers; i++)
            pubs[i].number = i;
    for (int i = 0; i < SUBSCRIBERS; i++)
        subscribe(&s, &subs[i], i, publishers, shards);
    for (int i = 0; i < SUBSCRIBERS; i++)
        cr_assert_eq(pthread_create(&subs[i].thread, NULL, listens, &subs[i]), 0);
    for (int i = 0; i < publishers; i++) {
        pubs[i].c = proxy_client(&s.proxy, PROXY_MASTER);
        cr_assert_eq(pthread_create(&pubs[i].thread, NULL, publishes, &pubs[i]), 0);
    }
    switch_over(&s);
    long before = pubs[0].sent;
    cr_expect(wait_until(10000, pubs[0].sent > before + 50));
    atomic_store(&over, true);
    for (int i = 0; i < publishers; i++)
        end_publisher(&pubs[i]);
    for (int i = 0; i < SUBSCRIBERS; i++)
        pthread_join(subs[i].thread, NULL);
    /* The bound of 500 ms is for a machine that is not many times slower than the nodes. */
    if (proxy_sanitized() && proxy_gauge(&s.proxy, "redisproxy_early_publish_total", -1) > 0)
        cr_skip_test("a sanitized proxy could not subscribe in time");
    cr_expect_eq(proxy_gauge(&s.proxy, "redisproxy_unrenewed_subscribers", -1), 0);
    for (int i = 0; i < publishers; i++)
        cr_expect_eq(pubs[i].wrong, 0, "publisher %d: %ld of %ld, %s", i, pubs[i].wrong,
                     pubs[i].sent, pubs[i].first);
    for (int i = 0; i < SUBSCRIBERS; i++)
        cr_expect_eq(subs[i].missed, 0, "subscriber %d missed %ld: %s", i, subs[i].missed,
                     subs[i].first);
    for (int i = 0; i < publishers; i++)
        redisFree(pubs[i].c);
    for (int i = 0; i < SUBSCRIBERS; i++)
        redisFree(subs[i].c);
}
