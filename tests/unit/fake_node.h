/*
 * fake_node: a node whose every byte the test writes down itself, on the same
 * loop as the upstreams that talk to it, and what both need: a turn, and
 * requests that remember what became of them.
 *
 * A test reads as a script: who connects (node_accept), what must arrive
 * (node_hears), what is answered (node_says), and the loop turns in between.
 * The node's sockets are plain ones that only the test touches.
 */
#ifndef REDISPROXY_TESTS_FAKE_NODE_H
#define REDISPROXY_TESTS_FAKE_NODE_H

#include "nodes/handshake.h"
#include "unit/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPLID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define REPLID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define REPLID_NONE "0000000000000000000000000000000000000000"

/* What every upstream writes first. */
#define HEARD_INFO "*2\r\n$4\r\nInfo\r\n$11\r\nreplication\r\n"
#define HEARD_ID "*2\r\n$6\r\nClient\r\n$2\r\nID\r\n"
#define HEARD_RESET "*1\r\n$5\r\nReset\r\n"
/* ... of whom is not authenticated. */
#define HEARD_PING "*1\r\n$4\r\nPing\r\n"

struct world {
    uv_loop_t loop;
    struct turn turn;
    struct identities identities;
};

static inline struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));
    cr_assert_eq(uv_loop_init(&w->loop), 0);
    turn_init(&w->turn, &w->loop, board_new(8), sizeof(struct request));
    identities_init(&w->identities);
    return w;
}

/* What a worker does before its loop sleeps, then one turn of it. */
static inline void world_turn(struct world *w)
{
    struct list *node;
    while ((node = w->turn.dirty_upstreams.next) != &w->turn.dirty_upstreams)
        upstream_flush(container_of(node, struct upstream, in_turn));
    uv_run(&w->loop, UV_RUN_NOWAIT);
}

static inline void world_turns(struct world *w, int turns)
{
    for (int i = 0; i < turns; i++)
        world_turn(w);
}

/* Nothing may be left: no handle, no request, no identity. */
static inline void world_end(struct world *w)
{
    loop_end(&w->loop);
    cr_assert_eq(w->turn.requests.live, 0, "a request was forgotten");
    cr_assert(list_empty(&w->identities.all), "an identity is still held");
    request_pool_free(&w->turn.requests);
    buf_stock_free(&w->turn.stock);
    board_free(w->turn.board);
    free(w);
}

/* ---- the node ---- */

struct node {
    int door;
    struct topology_node view;
};

/* Connecting to it is refused until node_listen(). */
static inline void node_begin_closed(struct node *node, uint64_t id)
{
    struct sockaddr_in at;
    *node = (struct node){.door = bound_socket(&at), .view = {.id = id, .readable = true}};
    node->view.address = (struct address){.sa.v4 = at, .len = sizeof(at)};
    snprintf(node->view.name, sizeof(node->view.name), "node-%d", (int)id);
}

/* Its sockets hold little, so that a long request is written in many pieces. */
static inline void node_listen(struct node *node)
{
    int little = 4096;
    cr_assert_eq(setsockopt(node->door, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
    cr_assert_eq(listen(node->door, 64), 0);
}

static inline void node_begin(struct node *node, uint64_t id)
{
    node_begin_closed(node, id);
    node_listen(node);
}

static inline void node_end(struct node *node)
{
    close(node->door);
}

/* Takes the next connection; the descriptor is the node's end of it. */
static inline int node_accept(struct world *w, struct node *node)
{
    int fd = -1;
    until((fd = accept4(node->door, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno != EAGAIN,
          world_turn(w));
    cr_assert_geq(fd, 0);
    return fd;
}

/* These bytes arrive, whatever the pieces. */
static inline void node_hears_bytes(struct world *w, int fd, const char *wanted, size_t len)
{
    char *got = malloc(len + 1);
    size_t have = 0;
    while (have < len) {
        ssize_t n = -1;
        until((n = recv(fd, got + have, len - have, MSG_DONTWAIT)) != -1, world_turn(w));
        cr_assert_gt(n, 0, "the connection ended after %zu of %zu bytes", have, len);
        have += (size_t)n;
    }
    got[len] = '\0';
    cr_assert_eq(memcmp(got, wanted, len), 0, "wanted %.200s, heard %.200s", wanted, got);
    free(got);
}

static inline void node_hears(struct world *w, int fd, const char *wanted)
{
    node_hears_bytes(w, fd, wanted, strlen(wanted));
}

static inline void node_hears_nothing(struct world *w, int fd)
{
    char byte;
    world_turns(w, LOOP_QUIET_TURNS);
    cr_assert_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1, "it heard '%c' or the end", byte);
    cr_assert_eq(errno, EAGAIN);
}

/* The other side is gone, and had nothing more to say. */
static inline void node_hears_the_end(struct world *w, int fd)
{
    char byte;
    ssize_t n = -1;
    until((n = recv(fd, &byte, 1, MSG_DONTWAIT)) >= 0 || errno != EAGAIN, world_turn(w));
    cr_assert_leq(n, 0, "it heard '%c'", byte);
}

static inline void node_says_bytes(int fd, const char *bytes, size_t len)
{
    cr_assert_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static inline void node_says(int fd, const char *text)
{
    node_says_bytes(fd, text, strlen(text));
}

/* The same, and the upstream (not to be asked once `cut` is true) has read it when this returns. */
static inline void node_says_and_is_read(struct world *w, int fd, const struct upstream *up,
                                         const bool *cut, const char *bytes, size_t len)
{
    if (*cut || len == 0)
        return;
    node_says_bytes(fd, bytes, len);
    until(bytes_waiting(up->stream.fd) == (int)len, (void)0);
    until(*cut || bytes_waiting(up->stream.fd) == 0, world_turn(w));
}

/* The answers to INFO, CLIENT ID and, for a client's upstream, RESET. */
static inline const char *node_credentials(char *out, size_t size, const char *role,
                                           const char *replid, const char *replid2, bool reset)
{
    char info[300];
    snprintf(info, sizeof(info),
             "# Replication\r\nrole:%s\r\nconnected_slaves:0\r\nmaster_replid:%s\r\n"
             "master_replid2:%s\r\nmaster_repl_offset:7\r\n",
             role, replid, replid2);
    snprintf(out, size, "$%zu\r\n%s\r\n:77\r\n%s", strlen(info), info, reset ? "+RESET\r\n" : "");
    return out;
}

/* Whether PING came with RESET: nobody's connection, which asks what nobody would hear. */
static inline bool node_is_pinged(int fd)
{
    char text[sizeof(HEARD_PING)];
    size_t len = sizeof(HEARD_PING) - 1;
    if (recv(fd, text, len, MSG_PEEK | MSG_DONTWAIT) != (ssize_t)len ||
        memcmp(text, HEARD_PING, len) != 0)
        return false;
    return recv(fd, text, len, MSG_DONTWAIT) == (ssize_t)len;
}

/* Takes a connection of an identity that needs no setting up (`reset`: a client's, not the proxy's
 * own) and lets it in. */
static inline int node_admit(struct world *w, struct node *node, const char *role, bool reset)
{
    char text[500];
    int fd = node_accept(w, node);
    node_hears(w, fd, reset ? HEARD_INFO HEARD_ID HEARD_RESET : HEARD_INFO HEARD_ID);
    bool pings = reset && node_is_pinged(fd);
    node_says(fd, node_credentials(text, sizeof(text), role, REPLID_A, REPLID_NONE, reset));
    if (pings)
        node_says(fd, "+PONG\r\n");
    return fd;
}

/* ---- requests that remember ---- */

struct asked {
    struct world *world;
    struct request *request; /* NULL once it has completed */
    char reply[300];
    size_t len, first_len;
    int firsts, completed;
    bool failed;
    enum request_failure why;
    char text[100];
    int number;               /* of the failure, in their order */
    struct upstream *closing; /* closed in on_reply */
};

static inline void asked_on_reply(struct request *request, const char *data, size_t len, bool first,
                                  bool last)
{
    struct asked *asked = request->owner_data;
    cr_assert_eq(asked->completed, 0);
    cr_assert_eq(first, asked->len == 0);
    if (first)
        request->reply_type = data[0];
    asked->firsts += first;
    if (first)
        asked->first_len = len;
    cr_assert_lt(asked->len + len, sizeof(asked->reply));
    memcpy(asked->reply + asked->len, data, len);
    asked->len += len;
    if (last) {
        struct upstream *closing = asked->closing;
        asked->completed++;
        asked->request = NULL;
        request_free(&asked->world->turn.requests, request);
        if (closing)
            upstream_close(closing, "closed in a reply");
    }
}

static inline void asked_on_failed(struct request *request, enum request_failure why,
                                   const char *text)
{
    static int failures;
    struct asked *asked = request->owner_data;
    cr_assert_eq(asked->completed, 0);
    cr_assert_not_null(request->upstream); /* it says where it failed */
    cr_assert_not(list_linked(&request->in_upstream));
    asked->completed++;
    asked->failed = true;
    asked->why = why;
    asked->number = ++failures;
    if (text)
        snprintf(asked->text, sizeof(asked->text), "%s", text);
    asked->request = NULL;
    request_free(&asked->world->turn.requests, request);
}

static const struct request_owner asked_owner = {asked_on_reply, asked_on_failed, NULL};

static inline void ask_bytes(struct world *w, struct asked *asked, struct upstream *up,
                             const char *bytes, size_t len)
{
    *asked = (struct asked){.world = w, .request = request_new(&w->turn.requests, len)};
    asked->request->owner = &asked_owner;
    asked->request->owner_data = asked;
    request_set_bytes(asked->request, bytes, len);
    upstream_submit(up, asked->request);
}

static inline void ask(struct world *w, struct asked *asked, struct upstream *up, const char *bytes)
{
    ask_bytes(w, asked, up, bytes, strlen(bytes));
}

static inline void was_answered(const struct asked *asked, const char *wanted)
{
    cr_assert_eq(asked->completed, 1, "wanted %s", wanted);
    cr_assert_not(asked->failed);
    cr_assert_eq(asked->firsts, 1);
    cr_assert_str_eq(asked->reply, wanted);
}

static inline void has_failed(const struct asked *asked, enum request_failure why)
{
    cr_assert_eq(asked->completed, 1);
    cr_assert(asked->failed);
    cr_assert_eq(asked->why, why, "%d, not %d", asked->why, why);
}

static inline void is_under_way(const struct asked *asked)
{
    cr_assert_eq(asked->completed, 0);
}

/* ---- an upstream without a pool ---- */

struct watched {
    struct world *world;
    struct node node;
    struct upstream *up;
    int fd; /* the node's end */
    const char *verdict;
    struct node_claim shown;
    struct credential *own; /* the proxy's, retained until the connection is open */
    int opened, verified, readied, greeted, cuts, losses;
    bool admitted, cut, error, leaving;
    bool refused, waits; /* when it was cut */
    /* How often a request had completed when the owner, and the lease's holder, heard of the end. */
    const int *requests_at_cut;
    int completed_at_cut, completed_at_loss;
    char why[160];
};

static inline const char *watched_verify(struct upstream *up, const struct node_claim *node)
{
    struct watched *watched = up->owner_data;
    watched->verified++;
    watched->shown = *node;
    return watched->verdict;
}

static inline void watched_on_ready(struct upstream *up)
{
    struct watched *watched = up->owner_data;
    cr_assert_eq(up->state, UPSTREAM_READY);
    watched->readied++;
}

static inline void watched_on_greeted(struct upstream *up, bool admitted)
{
    struct watched *watched = up->owner_data;
    watched->greeted++;
    watched->admitted = admitted;
}

static inline bool watched_lets_no_write_through(const struct upstream *up)
{
    const struct watched *watched = up->owner_data;
    return watched->leaving;
}

static inline void watched_on_cut(struct upstream *up, const char *why, bool error)
{
    struct watched *watched = up->owner_data;
    watched->cuts++;
    watched->cut = true;
    watched->error = error;
    watched->refused = up->refused;
    watched->waits = up->waits;
    if (watched->requests_at_cut)
        watched->completed_at_cut = *watched->requests_at_cut;
    credential_release(watched->own);
    watched->own = NULL;
    snprintf(watched->why, sizeof(watched->why), "%s", why);
}

static inline void watched_on_lost(void *lease_data)
{
    struct watched *watched = lease_data;
    cr_assert(watched->cut, "the owner hears of it first");
    watched->losses++;
    if (watched->requests_at_cut)
        watched->completed_at_loss = *watched->requests_at_cut;
}

static const struct handshake_checks watched_checks = {watched_verify, watched_on_greeted};

static inline void watched_on_open(struct upstream *up)
{
    struct watched *watched = up->owner_data;
    watched->opened++;
    handshake_begin(up, watched->own, &watched_checks);
    credential_release(watched->own);
    watched->own = NULL;
}

static const struct traffic_group_options watched_options = {.connect_timeout_ms = 1000};

static const struct upstream_owner watched_owner = {watched_on_open, watched_on_ready,
                                                    watched_lets_no_write_through, watched_on_cut};

/* Connects to a node of its own as `identity`, whose reference it takes over. */
static inline void watched_open(struct watched *s, struct world *w, struct identity *identity,
                                struct credential *own)
{
    const char *error = NULL;
    struct target target = {.node = 1};
    *s = (struct watched){.world = w, .own = credential_retain(own)};
    node_begin(&s->node, 1);
    target.view = &s->node.view;
    s->up = upstream_open(&w->turn, &target, identity, &watched_options, &watched_owner, s, &error);
    cr_assert_not_null(s->up, "%s", error);
    identity_release(identity);
    s->fd = node_accept(w, &s->node);
}

/* A READY one of a session that is not authenticated. */
static inline struct world *watched_ready(struct watched *s)
{
    char text[500];
    struct world *w = world_new();
    watched_open(s, w, identity_nobody(&w->identities), NULL);
    node_hears(w, s->fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    node_says(s->fd, node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, true));
    node_says(s->fd, "+PONG\r\n");
    until(s->readied == 1, world_turn(w));
    return w;
}

static inline void watched_end(struct watched *s)
{
    if (!s->cut)
        upstream_close(s->up, "the test is over");
    cr_assert_eq(s->cuts, 1);
    close(s->fd);
    node_end(&s->node);
    world_end(s->world);
}

static inline void was_cut(const struct watched *s, bool error, const char *why)
{
    cr_assert_eq(s->cuts, 1);
    cr_assert_eq(s->error, error);
    cr_assert_str_eq(s->why, why);
}

#endif
