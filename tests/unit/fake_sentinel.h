/*
 * fake_sentinel: a Sentinel on the test's own loop that answers whatever the test has it say, one
 * identity for each connection if need be: behind a name with several addresses, or on an address
 * that was given away, another one may answer than the one that was meant.
 */
#ifndef REDISPROXY_TESTS_FAKE_SENTINEL_H
#define REDISPROXY_TESTS_FAKE_SENTINEL_H

#include "net/address.h"
#include "unit/loop.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_CALLS_MAX 16
#define FAKE_PEERS_MAX 4

struct fake_sentinel;

struct fake_call {
    uv_tcp_t tcp;
    struct fake_sentinel *sentinel;
    redisReader *reader;
    const char *runid;
    bool taken, open, subscribed;
};

struct fake_sentinel {
    uv_tcp_t door;
    struct endpoint at;
    const char *runid[FAKE_CALLS_MAX]; /* of each connection in turn; NULL: the one before */
    const char *master;                /* "host", on port 6379 */
    struct {
        const struct fake_sentinel *peer;
        const char *runid;
    } peers[FAKE_PEERS_MAX];
    /* What it answers to these, in RESP; NULL: what is usual. */
    const char *says_master, *says_address, *says_replicas, *says_peers, *says_quorum,
        *says_subscribe, *says_auth;
    bool silent;     /* it hears, and answers nothing */
    bool rude;       /* it closes every connection at once */
    int polls;       /* how often SENTINEL MASTER was heard, */
    int pings;       /* PING, */
    char heard[100]; /* and the last command that is neither a part of a poll nor a PING */
    struct fake_call call[FAKE_CALLS_MAX];
    int calls;
};

/* To somebody who may have gone. */
static inline void fake_put(struct fake_call *c, const char *text)
{
    uv_os_fd_t fd;
    cr_assert_eq(uv_fileno((uv_handle_t *)&c->tcp, &fd), 0);
    ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);
    cr_assert(n < 0 || n == (ssize_t)strlen(text));
}

static inline void fake_put_peers(struct fake_call *c)
{
    char text[2000], one[400];
    const struct fake_sentinel *s = c->sentinel;
    int count = 0;
    text[0] = '\0';
    for (; count < FAKE_PEERS_MAX && s->peers[count].peer; count++) {
        char port[8];
        const struct endpoint *at = &s->peers[count].peer->at;
        snprintf(port, sizeof(port), "%u", (unsigned)at->port);
        snprintf(
            one, sizeof(one),
            "*6\r\n$2\r\nip\r\n$%zu\r\n%s\r\n$4\r\nport\r\n$%zu\r\n%s\r\n$5\r\nrunid\r\n$%zu\r\n%s"
            "\r\n",
            strlen(at->host), at->host, strlen(port), port, strlen(s->peers[count].runid),
            s->peers[count].runid);
        strcat(text, one);
    }
    snprintf(one, sizeof(one), "*%d\r\n", count);
    fake_put(c, one);
    fake_put(c, text);
}

static inline void fake_note(struct fake_sentinel *s, const redisReply *command)
{
    s->heard[0] = '\0';
    for (size_t i = 0; i < command->elements; i++) {
        strncat(s->heard, i ? " " : "", sizeof(s->heard) - strlen(s->heard) - 1);
        strncat(s->heard, command->element[i]->str, sizeof(s->heard) - strlen(s->heard) - 1);
    }
}

/* What the test has it say instead of what is usual; NULL: nothing. */
static inline const char *fake_says_instead(struct fake_sentinel *s, const redisReply *command)
{
    const char *first = command->element[0]->str;
    const char *word = command->elements > 1 ? command->element[1]->str : "";
    if (strcmp(first, "SUBSCRIBE") == 0)
        return s->says_subscribe;
    if (strcmp(first, "Auth") == 0)
        return s->says_auth;
    if (strcmp(word, "MASTER") == 0)
        return s->says_master;
    if (strcmp(word, "GET-MASTER-ADDR-BY-NAME") == 0)
        return s->says_address;
    if (strcmp(word, "REPLICAS") == 0)
        return s->says_replicas;
    if (strcmp(word, "SENTINELS") == 0)
        return s->says_peers;
    return strcmp(word, "CKQUORUM") == 0 ? s->says_quorum : NULL;
}

static inline void fake_answer(struct fake_call *c, const redisReply *command)
{
    char text[300];
    struct fake_sentinel *s = c->sentinel;
    const char *first = command->element[0]->str;
    const char *word = command->elements > 1 ? command->element[1]->str : "";
    const char *master = c->sentinel->master, *instead = fake_says_instead(s, command);
    s->polls += strcmp(word, "MASTER") == 0;
    s->pings += strcmp(first, "PING") == 0;
    if (strcmp(word, "CKQUORUM") == 0 || strcmp(word, "FAILOVER") == 0 ||
        strcmp(first, "Auth") == 0)
        fake_note(s, command);
    if (s->silent)
        return;
    if (instead) {
        fake_put(c, instead);
    } else if (strcmp(first, "SUBSCRIBE") == 0) {
        c->subscribed = true;
        for (size_t i = 1; i < command->elements; i++) {
            snprintf(text, sizeof(text), "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:%zu\r\n",
                     command->element[i]->len, command->element[i]->str, i);
            fake_put(c, text);
        }
    } else if (strcmp(first, "PING") == 0) {
        fake_put(c, c->subscribed ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n");
    } else if (strcmp(word, "MYID") == 0) {
        snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(c->runid), c->runid);
        fake_put(c, text);
    } else if (strcmp(word, "MASTER") == 0) {
        fake_put(c, "*2\r\n$12\r\nconfig-epoch\r\n$1\r\n5\r\n");
    } else if (strcmp(word, "GET-MASTER-ADDR-BY-NAME") == 0) {
        snprintf(text, sizeof(text), "*2\r\n$%zu\r\n%s\r\n$4\r\n6379\r\n", strlen(master), master);
        fake_put(c, text);
    } else if (strcmp(word, "SENTINELS") == 0) {
        fake_put_peers(c);
    } else {
        fake_put(c, "*0\r\n");
    }
}

static inline void fake_closed(uv_handle_t *handle)
{
    struct fake_call *c = handle->data;
    redisReaderFree(c->reader);
    c->reader = NULL;
}

static inline void fake_memory(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char memory[65536];
    (void)handle;
    (void)size;
    *buf = uv_buf_init(memory, sizeof(memory));
}

static inline void fake_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fake_call *c = stream->data;
    void *command = NULL;
    if (n < 0) {
        c->open = false;
        uv_close((uv_handle_t *)stream, fake_closed);
        return;
    }
    redisReaderFeed(c->reader, buf->base, (size_t)n);
    while (redisReaderGetReply(c->reader, &command) == REDIS_OK && command) {
        fake_answer(c, command);
        freeReplyObject(command);
    }
}

static inline void fake_knock(uv_stream_t *door, int status)
{
    struct fake_sentinel *s = door->data;
    cr_assert_eq(status, 0);
    cr_assert_lt(s->calls, FAKE_CALLS_MAX);
    struct fake_call *c = &s->call[s->calls];
    const char *before = s->calls ? s->call[s->calls - 1].runid : NULL;
    *c = (struct fake_call){.sentinel = s, .taken = true, .open = true};
    c->runid = s->runid[s->calls] ? s->runid[s->calls] : before;
    c->reader = redisReaderCreate();
    s->calls++;
    uv_tcp_init(door->loop, &c->tcp);
    c->tcp.data = c;
    cr_assert_eq(uv_accept(door, (uv_stream_t *)&c->tcp), 0);
    cr_assert_eq(uv_read_start((uv_stream_t *)&c->tcp, fake_memory, fake_read), 0);
}

static inline void fake_begin(struct fake_sentinel *s, uv_loop_t *loop, const char *host,
                              const char *runid, const char *master)
{
    struct sockaddr_in in;
    int len = sizeof(in);
    *s = (struct fake_sentinel){.runid = {runid}, .master = master};
    uv_tcp_init(loop, &s->door);
    s->door.data = s;
    cr_assert_eq(uv_ip4_addr(host, 0, &in), 0);
    cr_assert_eq(uv_tcp_bind(&s->door, (const struct sockaddr *)&in, 0), 0);
    cr_assert_eq(uv_listen((uv_stream_t *)&s->door, 16, fake_knock), 0);
    cr_assert_eq(uv_tcp_getsockname(&s->door, (struct sockaddr *)&in, &len), 0);
    snprintf(s->at.host, sizeof(s->at.host), "%s", host);
    s->at.port = ntohs(in.sin_port);
}

/* Ends one of its connections. */
static inline void fake_hang_up(struct fake_sentinel *s, int call)
{
    cr_assert(s->call[call].open);
    s->call[call].open = false;
    uv_close((uv_handle_t *)&s->call[call].tcp, fake_closed);
}

/* Ends what is still connected, too. */
static inline void fake_end(struct fake_sentinel *s)
{
    uv_close((uv_handle_t *)&s->door, NULL);
    for (int i = 0; i < s->calls; i++)
        if (s->call[i].open)
            uv_close((uv_handle_t *)&s->call[i].tcp, fake_closed);
}

#endif
