/*
 * takeover: a new process takes the place of the old one under load, and no client notices: none is refused, none is
 * disconnected, none gets an error, no message is lost or comes twice, and what a client said about itself is kept.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

const struct suite suite = {.without_proxy = true,
                            .trio = {.min_replicas = 1, .client_user = "app", .client_password = "pw"}};

enum { PLAIN = 350, PIPED = 100, SUBSCRIBED = 50, ALL = PLAIN + PIPED + SUBSCRIBED, DEPTH = 16 };
enum { TIMES = 10, LATENCIES = 1 << 20 };

static struct shared s;
static char door[128];

static void start(const char *more)
{
    char lines[256];
    s = shared();
    snprintf(door, sizeof(door), "%s/takeover.sock", s.trio.scratch.dir);
    snprintf(lines, sizeof(lines), "takeover = %s\n%s", door, more ? more : "");
    cr_assert(proxy_start(&s.proxy, &s.trio, &(struct proxy_options){.proxy_lines = lines}) == 0);
    cr_assert(proxy_wait_serving(&s.proxy, &s.trio) == 0);
}

/* A new process with this configuration; the old one's pid is returned. */
static pid_t takes_over_with(const char *config)
{
    const char *argv[] = {proxy_program(), "-c", config, "--takeover", NULL};
    pid_t old = s.proxy.pid;
    s.proxy.pid = process_start(argv, s.proxy.log);
    cr_assert(s.proxy.pid > 0);
    return old;
}

static void has_ended_well(pid_t pid)
{
    int status = -1;
    bool ended = process_ended(pid, 20000, &status);
    if (!ended || status != 0)
        file_show(s.proxy.log);
    cr_assert(ended, "the old process did not end");
    cr_assert_eq(status, 0);
}

static void is_taken_over(void)
{
    has_ended_well(takes_over_with(s.proxy.config));
}

/* ---- the load ---- */

struct conn {
    int fd;
    redisReader *reader;
    long asked, heard; /* or, of a subscriber, the next message */
    int64_t asked_us;
};

struct load {
    pthread_t thread, publisher, comers;
    atomic_bool stop, measure, failed;
    int epoll;
    struct conn conns[ALL];
    char why[200];
    atomic_long published, answered, came;
    uint32_t *latency[2]; /* in microseconds: ordinary, and while somebody takes over */
    size_t latencies[2];
};

static struct load load;

static void fail(const char *who, const char *what)
{
    if (!atomic_exchange(&load.failed, true))
        snprintf(load.why, sizeof(load.why), "%s: %s", who, what);
}

static void send_text(struct conn *c, const char *text)
{
    if (!raw_send_text(c->fd, text))
        fail("send", strerror(errno));
}

static void asks(struct conn *c)
{
    char text[64], number[24];
    int len = snprintf(number, sizeof(number), "%ld", c->asked++);
    snprintf(text, sizeof(text), "*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", len, number);
    c->asked_us = now_us();
    send_text(c, text);
}

static bool is_subscriber(const struct conn *c)
{
    return c - load.conns >= PLAIN + PIPED;
}

static void note_latency(const struct conn *c)
{
    int which = atomic_load(&load.measure);
    if (c - load.conns < PLAIN && load.latencies[which] < LATENCIES)
        load.latency[which][load.latencies[which]++] = (uint32_t)(now_us() - c->asked_us);
}

static void hears_one(struct conn *c, const redisReply *reply)
{
    char number[24];
    const redisReply *text = reply;
    if (is_subscriber(c) && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3)
        text = reply->element[2];
    if (is_subscriber(c) && text->type == REDIS_REPLY_INTEGER)
        return; /* it is subscribed */
    snprintf(number, sizeof(number), "%ld", c->heard++);
    if (text->type != REDIS_REPLY_STRING || strcmp(text->str, number) != 0) {
        char what[160];
        snprintf(what, sizeof(what), "got <%s>, wanted %s", text->str ? text->str : "?", number);
        fail(is_subscriber(c) ? "a subscriber" : "a client", what);
        return;
    }
    if (is_subscriber(c))
        return;
    note_latency(c);
    atomic_fetch_add(&load.answered, 1);
    asks(c);
}

static void reads(struct conn *c)
{
    char bytes[16384];
    void *reply = NULL;
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        fail(is_subscriber(c) ? "a subscriber" : "a client", n ? strerror(errno) : "disconnected");
        epoll_ctl(load.epoll, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    redisReaderFeed(c->reader, bytes, (size_t)n);
    while (redisReaderGetReply(c->reader, &reply) == REDIS_OK && reply) {
        hears_one(c, reply);
        freeReplyObject(reply);
    }
}

static void *run_load(void *unused)
{
    struct epoll_event events[64];
    (void)unused;
    while (!atomic_load(&load.stop)) {
        int n = epoll_wait(load.epoll, events, 64, 50);
        for (int i = 0; i < n; i++)
            reads(events[i].data.ptr);
    }
    return NULL;
}

static void *run_publisher(void *unused)
{
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    (void)unused;
    if (strcmp(ask(c, "AUTH app pw"), "+OK") != 0)
        fail("the publisher", "AUTH");
    while (!atomic_load(&load.stop)) {
        const char *reply = ask(c, "PUBLISH news %ld", atomic_load(&load.published));
        if (*reply != ':')
            fail("the publisher", reply);
        atomic_fetch_add(&load.published, 1);
        pause_ms(2);
    }
    redisFree(c);
    return NULL;
}

/* Clients that come all the time. */
static void *run_comers(void *unused)
{
    (void)unused;
    while (!atomic_load(&load.stop)) {
        redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
        const char *reply = ask(c, "AUTH app pw");
        if (strcmp(reply, "+OK") != 0)
            fail("a client that comes", reply);
        redisFree(c);
        atomic_fetch_add(&load.came, 1);
        pause_ms(3);
    }
    return NULL;
}

static void begin_load(void)
{
    load.epoll = epoll_create1(0);
    for (int i = 0; i < 2; i++)
        load.latency[i] = calloc(LATENCIES, sizeof(uint32_t));
    for (int i = 0; i < ALL; i++) {
        struct conn *c = &load.conns[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = raw_open(s.proxy.host, PROXY_MASTER);
        c->reader = redisReaderCreate();
        cr_assert(c->fd >= 0 && raw_send_text(c->fd, "AUTH app pw\r\n") && raw_expect(c->fd, "+OK\r\n"));
        if (is_subscriber(c))
            cr_assert(raw_send_text(c->fd, "SUBSCRIBE news\r\n") &&
                      raw_expect(c->fd, "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"));
        cr_assert_eq(epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event), 0);
    }
    for (int i = 0; i < PLAIN + PIPED; i++)
        for (int j = 0; j < (i < PLAIN ? 1 : DEPTH); j++)
            asks(&load.conns[i]);
    pthread_create(&load.thread, NULL, run_load, NULL);
    pthread_create(&load.publisher, NULL, run_publisher, NULL);
    pthread_create(&load.comers, NULL, run_comers, NULL);
}

static bool all_have_heard(long published)
{
    for (int i = PLAIN + PIPED; i < ALL; i++)
        if (__atomic_load_n(&load.conns[i].heard, __ATOMIC_RELAXED) < published)
            return false;
    return true;
}

static void goes_well(const char *when)
{
    if (atomic_load(&load.failed))
        file_show(s.proxy.log);
    cr_assert(!atomic_load(&load.failed), "%s: %s", when, load.why);
}

static int by_size(const void *a, const void *b)
{
    return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b);
}

static double p99_ms(int which)
{
    size_t count = load.latencies[which];
    qsort(load.latency[which], count, sizeof(uint32_t), by_size);
    return count ? load.latency[which][count * 99 / 100] / 1000.0 : 0;
}

static void end_load(void)
{
    atomic_store(&load.stop, true);
    pthread_join(load.publisher, NULL);
    pthread_join(load.comers, NULL);
    pthread_join(load.thread, NULL);
    for (int i = 0; i < ALL; i++) {
        close(load.conns[i].fd);
        redisReaderFree(load.conns[i].reader);
    }
}

/* ---- clients with a state of their own ---- */

static const char *client_field(redisContext *c, const char *field, char *out, size_t size)
{
    const char *info = ask(c, "CLIENT INFO"), *at = strstr(info, field);
    snprintf(out, size, "%.*s", at ? (int)strcspn(at, " \r\n") : 0, at ? at : "");
    return out;
}

struct stateful {
    redisContext *c;
    int tracks; /* raw: this hiredis may not know RESP3 */
    char id[64];
};

/* What the proxy answers to a line of words. */
static const char *talk(int fd, const char *words)
{
    static char text[4096];
    size_t len = 0;
    cr_assert(raw_send_text(fd, words) && raw_send_text(fd, "ECHO end\r\n"));
    do {
        size_t n = raw_read(fd, text + len, 1, 5000);
        cr_assert(n == 1 && len + 2 < sizeof(text), "after %s only: %s", words, text);
        len += n;
    } while (len < 9 || strcmp(text + len - 9, "$3\r\nend\r\n") != 0);
    text[len - 9] = '\0';
    return text;
}

static struct stateful with_state(void)
{
    struct stateful k = {.c = proxy_client(&s.proxy, PROXY_MASTER),
                         .tracks = raw_open(s.proxy.host, PROXY_MASTER)};
    EXPECT(k.c, "+OK", "AUTH app pw");
    EXPECT(k.c, "+OK", "SELECT 3");
    EXPECT(k.c, "+OK", "CLIENT SETNAME keeper");
    EXPECT(k.c, "+OK", "SET which three");
    client_field(k.c, "id=", k.id, sizeof(k.id));
    (void)talk(k.tracks, "HELLO 3 AUTH app pw\r\n");
    EXPECT_TEXT(talk(k.tracks, "CLIENT TRACKING ON\r\n"), "+OK\r\n");
    EXPECT_TEXT(talk(k.tracks, "GET tracked\r\n"), "_\r\n");
    return k;
}

static void state_is_kept(struct stateful *k)
{
    char text[64];
    EXPECT(k->c, "three", "GET which");
    EXPECT(k->c, "keeper", "CLIENT GETNAME");
    EXPECT_TEXT(client_field(k->c, "id=", text, sizeof(text)), k->id);
    EXPECT_TEXT(client_field(k->c, "db=", text, sizeof(text)), "db=3");
    EXPECT_TEXT(client_field(k->c, "user=", text, sizeof(text)), "user=app");
    EXPECT_TEXT(talk(k->tracks, "GET no:such\r\n"), "_\r\n"); /* RESP3's */
}

/* ---- */

Test(takeover, ten_in_a_row_under_load, .timeout = 180)
{
    double before, during;
    long published;
    start("drain_timeout = 15s\n");
    struct stateful k = with_state();
    begin_load();
    cr_assert(wait_until(20000, atomic_load(&load.answered) > 20000));
    goes_well("before");
    for (int i = 0; i < TIMES; i++) {
        atomic_store(&load.measure, true);
        is_taken_over();
        atomic_store(&load.measure, false);
        goes_well("after a takeover");
        long answered = atomic_load(&load.answered);
        cr_assert(wait_until(20000, atomic_load(&load.answered) > answered + 5000));
        state_is_kept(&k);
    }
    EXPECT(k.c, "+OK", "SELECT 0");
    EXPECT(k.c, "+OK", "SET tracked now"); /* and what was cached before is still tracked */
    cr_assert(raw_expect(k.tracks, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\ntracked\r\n"));
    published = atomic_load(&load.published);
    cr_assert(wait_until(10000, all_have_heard(published)));
    goes_well("at the end");
    end_load();
    before = p99_ms(0);
    during = p99_ms(1);
    printf("p99 of one request at a time, 350 clients: %.2f ms, while a process takes over %.2f ms "
           "(%zu and %zu requests); %ld answered, %ld messages to 50 subscribers, %ld clients came\n",
           before, during, load.latencies[0], load.latencies[1], atomic_load(&load.answered),
           published, atomic_load(&load.came));
    cr_expect(proxy_stop(&s.proxy) == 0);
    redisFree(k.c);
    close(k.tracks);
}
