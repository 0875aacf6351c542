/*
 * strangers_nodes: a replica that answers its probes and lets everybody in, and then misbehaves: it sends what is no
 * reply, closes, or begins an error that never ends. It costs so many connections and so many bytes, and reads are
 * answered by the other replica.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct suite suite = {.alone = true};

enum { CALLS_MAX = 128, CLIENTS = 4, FOR_MS = 3000, MB = 1024 * 1024, KEPT_MAX = 24 * MB };
/* In that time, of two workers; thousands without a pause between them. */
enum { OPENED_MAX = 120 };

enum manners { GARBAGE, CLOSES, ENDLESS };

struct bad {
    pthread_t thread;
    atomic_bool over;
    atomic_int opened, asked;
    enum manners manners;
    const char *master;
    char replid[64];
    struct pollfd at[CALLS_MAX];
    redisReader *reader[CALLS_MAX];
    int count;
};

static void put(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void put_bulk(int fd, const char *text)
{
    char out[700];
    snprintf(out, sizeof(out), "$%zu\r\n%s\r\n", strlen(text), text);
    put(fd, out);
}

/* Returns false when the connection is to end. */
static bool misbehave(struct bad *b, int fd)
{
    static char text[65536];
    b->asked++;
    if (b->manners == CLOSES)
        return false;
    if (b->manners == GARBAGE) {
        put(fd, "garbage\r\n");
        return true;
    }
    memset(text, 'x', sizeof(text));
    put(fd, "-ERR ");
    for (int i = 0; i < 4096; i++) /* 256 MB, if somebody takes them */
        if (send(fd, text, sizeof(text), MSG_NOSIGNAL) < 0)
            return false;
    return false;
}

static void put_info(struct bad *b, int fd)
{
    char text[600];
    snprintf(text, sizeof(text),
             "# Server\r\nrun_id:%040d\r\n# Replication\r\nrole:slave\r\nmaster_host:%s\r\n"
             "master_port:6379\r\nmaster_link_status:up\r\nslave_repl_offset:1\r\n"
             "slave_priority:0\r\nmaster_replid:%s\r\nmaster_replid2:%040d\r\n"
             "master_repl_offset:1\r\n",
             7, b->master, b->replid, 0);
    put_bulk(fd, text);
}

static bool answer(struct bad *b, int fd, const redisReply *r)
{
    const char *first = r->element[0]->str, *second = r->elements > 1 ? r->element[1]->str : "";
    if (strcasecmp(first, "GET") == 0)
        return misbehave(b, fd);
    if (strcasecmp(first, "INFO") == 0) {
        put_info(b, fd);
    } else if (strcasecmp(first, "ROLE") == 0) {
        put(fd, "*5\r\n$5\r\nslave\r\n");
        put_bulk(fd, b->master);
        put(fd, ":6379\r\n$9\r\nconnected\r\n:1\r\n");
    } else if (strcasecmp(first, "PING") == 0) {
        put(fd, "+PONG\r\n");
    } else if (strcasecmp(first, "RESET") == 0) {
        put(fd, "+RESET\r\n");
    } else if (strcasecmp(first, "CLIENT") == 0 && strcasecmp(second, "ID") == 0) {
        put(fd, ":7\r\n");
    } else if (strcasecmp(first, "CONFIG") == 0) {
        put(fd, "*2\r\n$21\r\nmin-replicas-to-write\r\n$1\r\n0\r\n");
    } else if (strcasecmp(first, "PUBLISH") == 0) {
        put(fd, ":0\r\n");
    } else if (strcasecmp(first, "SUBSCRIBE") != 0) {
        put(fd, "+OK\r\n");
    }
    return true;
}

/* Returns false when the connection has ended. */
static bool listen_to(struct bad *b, int i)
{
    char bytes[65536];
    void *command = NULL;
    ssize_t n = recv(b->at[i].fd, bytes, sizeof(bytes), 0);
    bool stays = n > 0;
    if (n > 0)
        redisReaderFeed(b->reader[i], bytes, (size_t)n);
    while (stays && redisReaderGetReply(b->reader[i], &command) == REDIS_OK && command) {
        stays = answer(b, b->at[i].fd, command);
        freeReplyObject(command);
    }
    return stays;
}

static void forget(struct bad *b, int i)
{
    close(b->at[i].fd);
    redisReaderFree(b->reader[i]);
    b->count--;
    b->at[i] = b->at[b->count];
    b->reader[i] = b->reader[b->count];
}

static void *play(void *arg)
{
    struct bad *b = arg;
    while (!b->over) {
        if (poll(b->at, (nfds_t)b->count, 50) <= 0)
            continue;
        for (int i = b->count - 1; i > 0; i--)
            if (b->at[i].revents && !listen_to(b, i))
                forget(b, i);
        if (!b->at[0].revents)
            continue;
        int fd = accept4(b->at[0].fd, NULL, NULL, SOCK_CLOEXEC);
        b->opened++;
        if (fd >= 0 && b->count < CALLS_MAX) {
            b->at[b->count] = (struct pollfd){.fd = fd, .events = POLLIN};
            b->reader[b->count++] = redisReaderCreate();
        } else if (fd >= 0) {
            close(fd);
        }
    }
    while (b->count > 1)
        forget(b, b->count - 1);
    close(b->at[0].fd);
    return NULL;
}

/* Takes the place of a replica that has ended. */
static void bad_start(struct bad *b, const char *host)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(TRIO_PORT)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    cr_assert_eq(inet_pton(AF_INET, host, &at.sin_addr), 1);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(listen(fd, 128), 0);
    b->at[0] = (struct pollfd){.fd = fd, .events = POLLIN};
    b->count = 1;
    cr_assert_eq(pthread_create(&b->thread, NULL, play, b), 0);
}

static void learn_replid(struct bad *b, struct trio *trio)
{
    redisContext *c = trio_node(trio, trio_master(trio));
    redisReply *info = redisCommand(c, "INFO replication");
    const char *at = strstr(info->str, "master_replid:");
    cr_assert(at);
    snprintf(b->replid, sizeof(b->replid), "%.40s", at + strlen("master_replid:"));
    freeReplyObject(info);
    redisFree(c);
}

/* Reads for a while, on sessions of which half begin at the bad one. Returns how many reads were answered. */
static int read_on(const struct proxy *proxy)
{
    redisContext *c[CLIENTS] = {0};
    int good = 0;
    int64_t until_ms = now_ms() + FOR_MS;
    while (now_ms() < until_ms) {
        for (int i = 0; i < CLIENTS; i++) {
            if (!c[i])
                c[i] = proxy_client(proxy, PROXY_REPLICA);
            redisReply *r = redisCommand(c[i], "GET k");
            good += r && r->type == REDIS_REPLY_STRING;
            if (r)
                freeReplyObject(r);
            if (!r || c[i]->err) {
                redisFree(c[i]);
                c[i] = NULL;
            }
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        if (c[i])
            redisFree(c[i]);
    return good;
}

/* A new session each time. Returns whether one was led to the bad one. */
static bool is_read_from(struct bad *b, const struct proxy *proxy)
{
    redisContext *c = proxy_client(proxy, PROXY_REPLICA);
    redisReply *reply = redisCommand(c, "GET k");
    if (reply)
        freeReplyObject(reply);
    redisFree(c);
    return b->asked > 0;
}

static void plays(enum manners manners, const char *what)
{
    static struct bad b;
    struct trio trio;
    struct proxy proxy;
    int victim;
    cr_assert_eq(trio_start(&trio, &(struct trio_options){.nodes = 3}), 0);
    cr_assert_eq(proxy_start(&proxy, &trio, &(struct proxy_options){0}), 0);
    cr_assert_eq(proxy_wait_serving(&proxy, &trio), 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET k v");
    EXPECT(c, ":2", "WAIT 2 5000");
    redisFree(c);
    b.manners = manners;
    b.master = trio.host[trio_master(&trio)];
    learn_replid(&b, &trio);
    victim = trio_replica(&trio);
    trio_kill_node(&trio, victim);
    bad_start(&b, trio.host[victim]);
    cr_assert(wait_until(20000, is_read_from(&b, &proxy)), "the proxy never reads from it");
    long before = proxy_memory(&proxy);
    proxy_forget_peak(&proxy);
    int opened = b.opened, good = read_on(&proxy);
    long more = proxy_peak(&proxy) - before;
    opened = b.opened - opened;
    fprintf(stderr, "%s: %d connections, %d reads answered, %ld KB more at most\n", what, opened,
            good, more / 1024);
    cr_expect_leq(opened, OPENED_MAX);
    cr_expect_gt(good, 0);
    cr_expect(proxy_sanitized() || more < KEPT_MAX, "%ld MB", more / MB);
    b.over = true;
    pthread_join(b.thread, NULL);
    cr_expect_eq(proxy_stop(&proxy), 0);
    trio_stop(&trio);
}

Test(strangers_nodes, one_that_sends_garbage, .timeout = 120)
{
    plays(GARBAGE, "garbage");
}

Test(strangers_nodes, one_that_closes, .timeout = 120)
{
    plays(CLOSES, "closes");
}

Test(strangers_nodes, one_whose_error_never_ends, .timeout = 120)
{
    plays(ENDLESS, "endless");
}
