/*
 * trust: one of three configured Sentinels lies. It lists six Sentinels of its own, and with them names a
 * master of its own, at a higher epoch, that says it has the group's data. Two of three are honest: nothing
 * may change, and no password may be shown to an address that the liar alone names.
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

#define PASSWORD "of-the-nodes"

enum { FRIENDS = 6, DOORS = FRIENDS + 2, LIAR = FRIENDS, IMPOSTOR = FRIENDS + 1, CALLS_MAX = 128 };

/* The liar, its friends, and the impostor, on one thread. */
struct gang {
    pthread_t thread;
    atomic_bool over;
    char host[DOORS][TRIO_HOST];
    char replid[64];
    struct pollfd at[DOORS + CALLS_MAX];
    struct call {
        int door;
        bool let_in, subscribed;
        redisReader *reader;
    } call[DOORS + CALLS_MAX];
    int count;
    atomic_int calls[DOORS], passwords[DOORS], writes; /* what each was shown; what was written */
};

static int port_of(int door)
{
    return door == IMPOSTOR ? TRIO_PORT : TRIO_SENTINEL_PORT;
}

static void put(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        return; /* it has gone */
}

static void put_bulk(int fd, const char *text)
{
    char out[600];
    snprintf(out, sizeof(out), "$%zu\r\n%s\r\n", strlen(text), text);
    put(fd, out);
}

static void put_runid(int fd, int door)
{
    char runid[48];
    snprintf(runid, sizeof(runid), "%040d", door + 1);
    put_bulk(fd, runid);
}

static void put_peers(const struct gang *g, int fd)
{
    put(fd, "*6\r\n");
    for (int i = 0; i < FRIENDS; i++) {
        put(fd, "*6\r\n$2\r\nip\r\n");
        put_bulk(fd, g->host[i]);
        put(fd, "$4\r\nport\r\n$5\r\n26379\r\n$5\r\nrunid\r\n");
        put_runid(fd, i);
    }
}

static void answer_as_sentinel(struct gang *g, int fd, struct call *c, const redisReply *r)
{
    const char *word = r->elements > 1 ? r->element[1]->str : "";
    if (strcmp(r->element[0]->str, "SUBSCRIBE") == 0) {
        c->subscribed = true;
        for (size_t i = 1; i < r->elements; i++) {
            put(fd, "*3\r\n$9\r\nsubscribe\r\n");
            put_bulk(fd, r->element[i]->str);
            char number[32];
            snprintf(number, sizeof(number), ":%zu\r\n", i);
            put(fd, number);
        }
    } else if (strcmp(r->element[0]->str, "PING") == 0) {
        put(fd, c->subscribed ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n");
    } else if (strcmp(word, "MYID") == 0) {
        put_runid(fd, c->door);
    } else if (strcmp(word, "MASTER") == 0) {
        put(fd, "*2\r\n$12\r\nconfig-epoch\r\n$4\r\n1000\r\n");
    } else if (strcmp(word, "GET-MASTER-ADDR-BY-NAME") == 0) {
        put(fd, "*2\r\n");
        put_bulk(fd, g->host[IMPOSTOR]);
        put_bulk(fd, "6379");
    } else if (strcmp(word, "SENTINELS") == 0) {
        put_peers(g, fd);
    } else {
        put(fd, "*0\r\n");
    }
}

static void answer_as_master(struct gang *g, int fd, struct call *c, const redisReply *r)
{
    const char *first = r->element[0]->str;
    char info[400];
    if (strcasecmp(first, "AUTH") == 0 || strcasecmp(first, "RESET") == 0) {
        c->let_in = strcasecmp(first, "AUTH") == 0;
        put(fd, c->let_in ? "+OK\r\n" : "+RESET\r\n");
    } else if (!c->let_in) {
        put(fd, "-NOAUTH Authentication required.\r\n");
    } else if (strcasecmp(first, "ROLE") == 0) {
        put(fd, "*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n");
    } else if (strcasecmp(first, "INFO") == 0) {
        snprintf(info, sizeof(info),
                 "role:master\r\nrun_id:%040d\r\nmaster_replid:%s\r\nmaster_replid2:%040d\r\n"
                 "master_repl_offset:7\r\n",
                 9, g->replid, 0);
        put_bulk(fd, info);
    } else if (strcasecmp(first, "CLIENT") == 0) {
        put(fd, ":7\r\n");
    } else if (strcasecmp(first, "PING") == 0) {
        put(fd, "+PONG\r\n");
    } else if (strcasecmp(first, "CONFIG") == 0 || strcasecmp(first, "COMMAND") == 0) {
        put(fd, "*0\r\n");
    } else {
        atomic_fetch_add(&g->writes, 1);
        put(fd, "+OK\r\n");
    }
}

static void take_in(struct gang *g, int door)
{
    int fd = accept4(g->at[door].fd, NULL, NULL, SOCK_CLOEXEC);
    atomic_fetch_add(&g->calls[door], 1);
    if (fd < 0 || g->count == DOORS + CALLS_MAX) {
        close(fd);
        return;
    }
    g->at[g->count] = (struct pollfd){.fd = fd, .events = POLLIN};
    g->call[g->count++] = (struct call){.door = door, .reader = redisReaderCreate()};
}

/* Returns whether it is still there. */
static bool serve(struct gang *g, int at)
{
    char bytes[16384];
    struct call *c = &g->call[at];
    int fd = g->at[at].fd;
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    void *reply = NULL;
    if (n <= 0)
        return false;
    redisReaderFeed(c->reader, bytes, (size_t)n);
    while (redisReaderGetReply(c->reader, &reply) == REDIS_OK && reply) {
        const redisReply *r = reply;
        if (strcasecmp(r->element[0]->str, "AUTH") == 0)
            atomic_fetch_add(&g->passwords[c->door], 1);
        if (c->door == IMPOSTOR)
            answer_as_master(g, fd, c, r);
        else
            answer_as_sentinel(g, fd, c, r);
        freeReplyObject(reply);
    }
    return true;
}

static void *run_gang(void *arg)
{
    struct gang *g = arg;
    while (!atomic_load(&g->over)) {
        poll(g->at, (nfds_t)g->count, 50);
        for (int i = g->count - 1; i >= DOORS; i--) {
            if (!g->at[i].revents || serve(g, i))
                continue;
            close(g->at[i].fd);
            redisReaderFree(g->call[i].reader);
            g->at[i] = g->at[--g->count];
            g->call[i] = g->call[g->count];
        }
        for (int i = 0; i < DOORS; i++)
            if (g->at[i].revents)
                take_in(g, i);
    }
    return NULL;
}

static void open_door(struct gang *g, const struct trio *t, int door)
{
    int one = 1;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(door))};
    snprintf(g->host[door], TRIO_HOST, "%.*s.%d", (int)(strrchr(t->host[0], '.') - t->host[0]),
             t->host[0], 50 + door);
    cr_assert_eq(inet_pton(AF_INET, g->host[door], &in.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    cr_assert_eq(listen(fd, 64), 0);
    g->at[door] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static struct gang *gang_start(const struct trio *t)
{
    struct gang *g = calloc(1, sizeof(*g));
    redisContext *c = trio_node((struct trio *)t, trio_master((struct trio *)t));
    snprintf(g->replid, sizeof(g->replid), "%s", info_field(c, "replication", "master_replid"));
    redisFree(c);
    for (int i = 0; i < DOORS; i++)
        open_door(g, t, i);
    g->count = DOORS;
    pthread_create(&g->thread, NULL, run_gang, g);
    return g;
}

static void gang_stop(struct gang *g)
{
    atomic_store(&g->over, true);
    pthread_join(g->thread, NULL);
    for (int i = 0; i < g->count; i++) {
        close(g->at[i].fd);
        if (i >= DOORS)
            redisReaderFree(g->call[i].reader);
    }
    free(g);
}

static int shown_to_friends(struct gang *g)
{
    int shown = 0;
    for (int i = 0; i < FRIENDS; i++)
        shown += atomic_load(&g->calls[i]) + atomic_load(&g->passwords[i]);
    return shown;
}

Test(trust, a_sentinel_with_friends_of_its_own_changes_nothing, .timeout = 90)
{
    struct trio trio, seen;
    struct proxy proxy;
    struct proxy_options options = {.sentinel_password = "of-the-sentinels"};
    cr_assert(trio_start(&trio, &(struct trio_options){
                                    .nodes = 2, .sentinels = 2, .password = PASSWORD}) == 0);
    struct gang *g = gang_start(&trio);
    seen = trio; /* as it is configured: the third Sentinel is the liar */
    seen.options.sentinels = 3;
    snprintf(seen.name[2], TRIO_HOST, "%s", g->host[LIAR]);
    cr_assert(proxy_start(&proxy, &seen, &options) == 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    redisContext *reader = proxy_client(&proxy, PROXY_REPLICA);
    ask(c, "AUTH " PASSWORD);
    ask(reader, "AUTH " PASSWORD);
    int64_t until =
        now_ms() + 5000; /* it took 43 ms; a lineage that is unknown is doubted for 2 s */
    int written = 0;
    while (now_ms() < until) {
        cr_assert_str_eq(ask(c, "SET k %d", written), "+OK");
        cr_assert_neq(ask(reader, "EXISTS k")[0], '-');
        written++;
        pause_ms(5);
    }
    cr_expect_gt(atomic_load(&g->calls[LIAR]), 0, "the liar is asked");
    cr_expect_eq(atomic_load(&g->writes), 0, "%d commands of clients went to the impostor",
                 atomic_load(&g->writes));
    cr_expect_eq(atomic_load(&g->passwords[IMPOSTOR]), 0, "the impostor was shown %d passwords",
                 atomic_load(&g->passwords[IMPOSTOR]));
    cr_expect_eq(shown_to_friends(g), 0, "the liar's friends were called");
    redisContext *master = trio_node(&trio, trio_master(&trio));
    char last[32];
    snprintf(last, sizeof(last), "%d", written - 1);
    cr_expect_str_eq(ask(master, "GET k"), last);
    redisFree(master);
    redisFree(c);
    redisFree(reader);
    cr_expect(proxy_stop(&proxy) == 0);
    gang_stop(g);
    trio_stop(&trio);
}
