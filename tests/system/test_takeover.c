/*
 * takeover: a new process takes the place of the old one under load, and no client notices: none is refused, none is
 * disconnected, none gets an error, no message is lost or comes twice, and what a client said about itself is kept.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <arpa/inet.h>
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
#include <sys/un.h>
#include <unistd.h>

const struct suite suite = {
    .without_proxy = true,
    .trio = {.min_replicas = 1, .client_user = "app", .client_password = "pw"}};

enum { PLAIN = 350, PIPED = 100, SUBSCRIBED = 50, ALL = PLAIN + PIPED + SUBSCRIBED, DEPTH = 16 };
enum { TIMES = 10, LATENCIES = 1 << 20 };

static struct shared s;
static char door[100];

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

/* The admin socket's path leads to this process. */
static void ctl_reaches(pid_t pid)
{
    char answer[4096], wanted[32];
    snprintf(wanted, sizeof(wanted), "\"pid\":%d,", pid);
    cr_assert_eq(proxy_ctl(&s.proxy, answer, sizeof(answer), "status --json"), 0, "%s", answer);
    cr_assert(strstr(answer, wanted), "not %s but %s", wanted, answer);
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
}

/* Each millisecond some of those whose requests are answered ask again: a client every 50 ms, of those that pipeline each
 * every 100 ms. */
static void ask_again(void)
{
    static int next_plain, next_piped;
    for (int i = 0; i < 7; i++) {
        struct conn *c = &load.conns[next_plain++ % PLAIN];
        if (c->asked == c->heard)
            asks(c);
    }
    struct conn *piped = &load.conns[PLAIN + next_piped++ % PIPED];
    for (int i = 0; i < DEPTH && piped->asked < piped->heard + DEPTH; i++)
        asks(piped);
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
    int64_t next_us = now_us();
    (void)unused;
    while (!atomic_load(&load.stop)) {
        int n = epoll_wait(load.epoll, events, 64, 1);
        for (int i = 0; i < n; i++)
            reads(events[i].data.ptr);
        if (now_us() >= next_us) {
            next_us = now_us() + 1000;
            ask_again();
        }
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
        cr_assert(c->fd >= 0 && raw_send_text(c->fd, "AUTH app pw\r\n") &&
                  raw_expect(c->fd, "+OK\r\n"));
        if (is_subscriber(c))
            cr_assert(raw_send_text(c->fd, "SUBSCRIBE news\r\n") &&
                      raw_expect(c->fd, "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"));
        cr_assert_eq(epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event), 0);
    }
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
    return (*(const uint32_t *)a > *(const uint32_t *)b) -
           (*(const uint32_t *)a < *(const uint32_t *)b);
}

static double p99_ms(int which)
{
    size_t count = load.latencies[which];
    qsort(load.latency[which], count, sizeof(uint32_t), by_size);
    return count ? (double)load.latency[which][count * 99 / 100] / 1000 : 0;
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
    printf(
        "p99 of one request at a time, 350 clients: %.2f ms, while a process takes over %.2f ms "
        "(%zu and %zu requests); %ld answered, %ld messages to 50 subscribers, %ld clients came\n",
        before, during, load.latencies[0], load.latencies[1], atomic_load(&load.answered),
        published, atomic_load(&load.came));
    cr_expect(proxy_stop(&s.proxy) == 0);
    redisFree(k.c);
    close(k.tracks);
}

/* ---- one thing at a time ---- */

static bool says(const char *text)
{
    char *log = file_text(s.proxy.log);
    bool there = strstr(log, text) != NULL;
    free(log);
    return there;
}

static int times_said(const char *text)
{
    char *log = file_text(s.proxy.log);
    int count = 0;
    for (char *at = log; (at = strstr(at, text)); at++)
        count++;
    free(log);
    return count;
}

static redisContext *app_client(int port)
{
    redisContext *c = proxy_client(&s.proxy, port);
    EXPECT(c, "+OK", "AUTH app pw");
    return c;
}

/* Who is inside MULTI, or blocked, is served by the old process, and moves when that is over. */
Test(takeover, who_has_begun_something_finishes_it_first, .timeout = 60)
{
    start(NULL);
    redisContext *tx = app_client(PROXY_MASTER), *watches = app_client(PROXY_MASTER);
    redisContext *blocked = app_client(PROXY_MASTER), *idle = app_client(PROXY_MASTER);
    EXPECT(tx, "+OK", "MULTI");
    EXPECT(tx, "+QUEUED", "SET in tx");
    EXPECT(watches, "+OK", "WATCH seen");
    say(blocked, "BLPOP later 0");
    say_now(blocked);
    pid_t old = takes_over_with(s.proxy.config);
    cr_assert(wait_until(15000, says("another process takes over")));
    EXPECT(idle, ":1", "RPUSH later x"); /* from whichever process has it */
    HEAR(blocked, "[later, x]");
    EXPECT(tx, "[+OK]", "EXEC");
    EXPECT(watches, "+OK", "MULTI");
    EXPECT(watches, "[]", "EXEC");
    has_ended_well(old);
    EXPECT(tx, "tx", "GET in");
    EXPECT(watches, "+PONG", "PING");
    EXPECT(blocked, "+PONG", "PING");
    EXPECT(idle, "+PONG", "PING");
    redisFree(tx);
    redisFree(watches);
    redisFree(blocked);
    redisFree(idle);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* One that comes to no boundary is disconnected when drain_timeout is over, and the old process ends. */
Test(takeover, who_finishes_nothing_drains, .timeout = 60)
{
    start("drain_timeout = 1s\n");
    redisContext *tx = app_client(PROXY_MASTER), *idle = app_client(PROXY_MASTER);
    EXPECT(tx, "+OK", "MULTI");
    is_taken_over();
    HEAR(tx, "(closed)");
    EXPECT(idle, "+PONG", "PING");
    redisFree(tx);
    redisFree(idle);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

Test(takeover, a_signal_starts_the_new_process, .timeout = 60)
{
    pid_t old, new = 0;
    start(NULL);
    old = s.proxy.pid;
    redisContext *c = app_client(PROXY_MASTER);
    kill(old, SIGUSR2);
    has_ended_well(old);
    char *log = file_text(s.proxy.log), *at = strstr(log, "a new process is started to take over");
    cr_assert(at && (at = strstr(at, "pid=")));
    new = atoi(at + 4);
    free(log);
    cr_assert(new > 1 && new != old &&kill(new, 0) == 0);
    EXPECT(c, "+PONG", "PING");
    redisContext *later = app_client(PROXY_MASTER);
    redisFree(later);
    kill(new, SIGTERM); /* it is no child of ours */
    HEAR(c, "(closed)");
    cr_expect(wait_until(10000, kill(new, 0) != 0));
    s.proxy.pid = 0;
    redisFree(c);
}

/* ---- what goes wrong ---- */

/* A new process that cannot start changes nothing: here somebody else has the port of a listener that is new. */
Test(takeover, a_new_process_that_cannot_start_changes_nothing, .timeout = 60)
{
    char config[160], more[200], *text;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(6399)};
    int status = 0, taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    start(NULL);
    redisContext *c = app_client(PROXY_MASTER);
    cr_assert_eq(inet_pton(AF_INET, s.proxy.host, &at.sin_addr), 1);
    cr_assert_eq(bind(taken, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(listen(taken, 1), 0);
    snprintf(config, sizeof(config), "%s/more.conf", s.trio.scratch.dir);
    snprintf(more, sizeof(more), "\n[listen %s:6399]\nmaster = " TRIO_GROUP "\n", s.proxy.host);
    text = file_text(s.proxy.config);
    text = realloc(text, strlen(text) + sizeof(more));
    strcat(text, more);
    cr_assert(file_write(config, text) == 0);
    free(text);
    const char *argv[] = {proxy_program(), "-c", config, "--takeover", NULL};
    pid_t fails = process_start(argv, s.proxy.log);
    cr_assert(process_ended(fails, 10000, &status));
    cr_assert(status != 0 && says("the address is taken"));
    cr_assert(wait_until(5000, says("has gone before it served")));
    EXPECT(c, "+PONG", "PING");
    redisFree(c);
    c = app_client(PROXY_REPLICA);
    EXPECT(c, "+PONG", "PING");
    redisFree(c);
    close(taken);
    is_taken_over();
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* The new process dies before it serves, and after: what the old one still has goes on there, and it accepts again. */
Test(takeover, the_new_process_dies, .timeout = 120)
{
    start("drain_timeout = 60s\n");
    redisContext *tx = app_client(PROXY_MASTER), *c;
    pid_t old = takes_over_with(s.proxy.config), new = s.proxy.pid;
    cr_assert(wait_until(10000, says("takes over from another process")));
    kill(new, SIGSTOP); /* before it says that it serves, or just after: both end in the same way */
    process_kill(&new);
    s.proxy.pid = old;
    cr_assert(wait_until(10000, says("has gone")));
    ctl_reaches(old);
    c = app_client(PROXY_MASTER);
    EXPECT(c, "+PONG", "PING");
    redisFree(tx);
    tx = app_client(PROXY_MASTER);
    EXPECT(tx, "+OK", "MULTI"); /* keeps the old one from ending */
    int before = times_said("another process takes over");
    (void)takes_over_with(s.proxy.config);
    new = s.proxy.pid;
    cr_assert(wait_until(15000, times_said("another process takes over") > before));
    ctl_reaches(old); /* it has not handed over everything */
    process_kill(&new);
    s.proxy.pid = old;
    cr_assert(wait_until(10000, says("is accepted again")));
    ctl_reaches(old);
    EXPECT(tx, "+QUEUED", "SET dies new");
    EXPECT(tx, "[+OK]", "EXEC");
    redisFree(c);
    c = app_client(PROXY_MASTER);
    EXPECT(c, "new", "GET dies");
    char body[64];
    cr_assert(wait_until(5000, http_get(s.proxy.host, PROXY_HTTP, "/healthz", body, sizeof(body)) ==
                                   200));
    is_taken_over(); /* and another one can take over */
    ctl_reaches(s.proxy.pid);
    EXPECT(tx, "new", "GET dies");
    EXPECT(c, "new", "GET dies");
    redisFree(tx);
    redisFree(c);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* The old process dies in the middle: what it has handed over lives on. */
Test(takeover, the_old_process_dies, .timeout = 60)
{
    start("drain_timeout = 60s\n");
    redisContext *tx = app_client(PROXY_MASTER), *c = app_client(PROXY_MASTER);
    EXPECT(tx, "+OK", "MULTI");
    pid_t old = takes_over_with(s.proxy.config);
    cr_assert(wait_until(15000, says("another process takes over")));
    cr_assert(wait_until(10000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) >= 1));
    process_kill(&old);
    HEAR(tx, "(closed)");
    EXPECT(c, "+PONG", "PING");
    cr_assert(wait_until(5000, says("the old process has gone")));
    cr_assert(wait_until(5000, says("the admin socket is this process's now")));
    ctl_reaches(s.proxy.pid);
    redisFree(tx);
    tx = app_client(PROXY_MASTER);
    EXPECT(tx, "+PONG", "PING");
    redisFree(tx);
    redisFree(c);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* A listener that the new configuration has no more drains in the old process; the others move. */
Test(takeover, a_listener_that_is_gone_drains, .timeout = 60)
{
    char config[160], *text, *section, *end;
    start("drain_timeout = 2s\n");
    redisContext *stays = app_client(PROXY_MASTER), *goes = app_client(PROXY_SPLIT);
    snprintf(config, sizeof(config), "%s/fewer.conf", s.trio.scratch.dir);
    text = file_text(s.proxy.config);
    cr_assert((section = strstr(text, ":6381]")));
    while (section > text && *section != '[')
        section--;
    end = strchr(section + 1, '[');
    end = end ? end : section + strlen(section);
    memset(section, ' ', (size_t)(end - section));
    for (char *at = section; at < end; at += 60)
        *at = '\n';
    cr_assert(file_write(config, text) == 0);
    free(text);
    has_ended_well(takes_over_with(config));
    HEAR(goes, "(closed)");
    EXPECT(stays, "+PONG", "PING");
    cr_expect(raw_open(s.proxy.host, PROXY_SPLIT) < 0);
    redisFree(stays);
    redisFree(goes);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* Bytes that no process of the proxy sends. */
/* The new process gets the sockets that there are since the reload, and no others; and it may be reloaded itself. */
Test(takeover, a_reload_before_it_counts, .timeout = 60)
{
    enum { FOURTH = 6390 };
    char answer[4096], *before, more[4096];
    start("drain_timeout = 2s\n");
    before = file_text(s.proxy.config);
    snprintf(more, sizeof(more), "%s[listen %s:%d]\n", before, s.proxy.host, FOURTH);
    cr_assert(file_write(s.proxy.config, more) == 0);
    cr_assert_eq(proxy_ctl(&s.proxy, answer, sizeof(answer), "reload"), 0, "%s", answer);
    redisContext *comes = app_client(FOURTH), *stays = app_client(PROXY_MASTER);
    is_taken_over();
    EXPECT(comes, "+PONG", "PING");
    EXPECT(stays, "+PONG", "PING");
    redisContext *late = app_client(FOURTH);
    cr_assert(file_write(s.proxy.config, before) == 0);
    cr_assert(wait_until(5000, proxy_ctl(&s.proxy, answer, sizeof(answer), "reload") == 0), "%s",
              answer);
    cr_assert(wait_until(5000, raw_open(s.proxy.host, FOURTH) < 0)); /* no copy is left open */
    is_taken_over();
    cr_expect(raw_open(s.proxy.host, FOURTH) < 0);
    EXPECT(stays, "+PONG", "PING");
    free(before);
    redisFree(comes);
    redisFree(late);
    redisFree(stays);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

Test(takeover, who_speaks_otherwise_is_refused, .timeout = 60)
{
    static const char *const wrong[] = {"", "hello", "hello 99", "\xff\xff\xff", "GET / HTTP/1.0"};
    start(NULL);
    redisContext *c = app_client(PROXY_MASTER);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        char text[256];
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        strncpy(at.sun_path, door, sizeof(at.sun_path) - 1);
        /* It is opened when the proxy serves already. */
        cr_assert(wait_until(5000, connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0));
        cr_assert(send(fd, wrong[i], strlen(wrong[i]), MSG_NOSIGNAL) >= 0);
        ssize_t n = recv(fd, text, sizeof(text), 0);
        cr_assert(n <= 0 || strncmp(text, "no ", 3) == 0);
        close(fd);
    }
    EXPECT(c, "+PONG", "PING");
    is_taken_over();
    EXPECT(c, "+PONG", "PING");
    redisFree(c);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* Ids tell the worker. With fewer workers, or more, they do so all the same: who asks for one finds it. */
static void ids_lead_to_their_sessions(int workers_before, int workers_after)
{
    enum { CLIENTS = 9 };
    char lines[32], config[160], *text, *at;
    redisContext *c[CLIENTS], *asks;
    snprintf(lines, sizeof(lines), "workers = %d\n", workers_before);
    start(lines);
    for (int i = 0; i < CLIENTS; i++)
        c[i] = app_client(PROXY_MASTER);
    snprintf(config, sizeof(config), "%s/workers.conf", s.trio.scratch.dir);
    text = file_text(s.proxy.config);
    cr_assert((at = strstr(text, lines)));
    at[strlen("workers = ")] = (char)('0' + workers_after);
    cr_assert(file_write(config, text) == 0);
    free(text);
    has_ended_well(takes_over_with(config));
    asks = app_client(PROXY_MASTER);
    for (int i = 0; i < CLIENTS; i++) {
        long long id = atoll(ask(c[i], "CLIENT ID") + 1);
        char field[40];
        snprintf(field, sizeof(field), "id=%lld ", id);
        cr_assert(strstr(ask(asks, "CLIENT LIST"), field), "%s is not listed", field);
        say(c[i], "BLPOP never 0");
        say_now(c[i]);
        cr_assert(wait_until(5000, strcmp(ask(asks, "CLIENT UNBLOCK %lld", id), ":1") == 0));
        HEAR(c[i], "(nil)");
        EXPECT(asks, ":1", "CLIENT KILL ID %lld", id);
        HEAR(c[i], "(closed)");
        redisFree(c[i]);
    }
    redisFree(asks);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

Test(takeover, ids_are_good_with_fewer_workers, .timeout = 60)
{
    ids_lead_to_their_sessions(4, 1);
}

Test(takeover, ids_are_good_with_more_workers, .timeout = 60)
{
    ids_lead_to_their_sessions(2, 3);
}

/* A worker never does nothing else for long. */
Test(takeover, thousands_move_in_slices, .timeout = 120)
{
    enum { MANY = 8000 };
    static int idle[MANY];
    int64_t longest = 0;
    int status, rounds = 0;
    bool ended = false;
    start("drain_timeout = 60s\n");
    redisContext *c = app_client(PROXY_MASTER);
    for (int i = 0; i < MANY; i++)
        cr_assert((idle[i] = raw_open(s.proxy.host, PROXY_MASTER)) >= 0, "%d: %s", i,
                  strerror(errno));
    cr_assert(wait_until(20000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) > MANY));
    pid_t old = takes_over_with(s.proxy.config);
    while (!ended && rounds++ < 100000) {
        int64_t since = now_us(), took;
        EXPECT(c, "+PONG", "PING");
        took = now_us() - since;
        longest = took > longest ? took : longest;
        ended = process_ended(old, 0, &status);
    }
    cr_assert(ended && status == 0);
    printf("the longest of %d PINGs while 8000 sessions are handed over: %.1f ms\n", rounds,
           (double)longest / 1000);
    for (int i = 0; i < MANY; i++)
        cr_assert(raw_send_text(idle[i], "AUTH app pw\r\n"));
    for (int i = 0; i < MANY; i++) {
        cr_assert(raw_expect(idle[i], "+OK\r\n"), "%d of %d", i, MANY);
        close(idle[i]);
    }
    redisFree(c);
    cr_expect(proxy_stop(&s.proxy) == 0);
}
