/*
 * session_stage: the data path of one worker on the test's own loop. Sessions,
 * router, pool and upstreams are the real ones; the clients are plain sockets,
 * the nodes are scripted (fake_node.h), and the test publishes the snapshots.
 *
 *     client_asks --> session --> router --> pool --> upstream --> node_gets
 *     hears       <-- session  <-------------------- upstream  <-- node_says
 *                                  ^
 *                          show(another scene)
 *
 * A prepare handle does what the worker's does before its loop sleeps, so a
 * test can step in between "it was read" and "it was written" (is_taken_in).
 * A loop with nothing to do is a condition, too (settles): nothing spins, and
 * what did not come by then will not come.
 */
#ifndef REDISPROXY_TESTS_SESSION_STAGE_H
#define REDISPROXY_TESTS_SESSION_STAGE_H

#include "base/log.h"
#include "commands/table.h"
#include "nodes/admission.h"
#include "nodes/gate.h"
#include "nodes/hold.h"
#include "nodes/learn.h"
#include "nodes/router.h"
#include "nodes/scripts.h"
#include "session/drain.h"
#include "session/host.h"
#include "session/large_keys.h"
#include "unit/fake_node.h"

#include <fcntl.h>
#include <poll.h>

#define STAGE_NODES 2
#define TICK_MS 20
#define FIRST_ID "1099511627777" /* the first client's: SESSION_ID_BASE + 1 */

struct stage {
    struct world *w;
    struct node nodes[STAGE_NODES];
    struct traffic_group_options group;
    struct traffic_listener_options listeners[3]; /* by route */
    struct traffic_options options;
    struct session_host host;
    struct shared *shared;
    uint64_t last_id;
    struct scripts *scripts;
    uv_prepare_t prepare;
    uv_timer_t tick;
    int door;
    struct sockaddr_in door_at;
};

/* What the test publishes. Node 0 begins as the master. */
struct scene {
    int master;
    bool writable, settling;
    unsigned readable; /* bit i: node i */
    unsigned leaving;
    bool read_master; /* node 0 serves reads, where no replica does */
    bool unseen;      /* published, and not adopted yet */
};

static const struct scene steady = {.master = 0, .writable = true};
static const struct scene switching = {.master = 0};
static const struct scene switched = {.master = 1, .writable = true};

/* ---- the turn, as worker.c has it ---- */

static inline void stage_prepare(uv_prepare_t *prepare)
{
    struct stage *s = prepare->data;
    (void)session_host_turn(&s->host); /* the test's loop never sleeps */
}

static inline void stage_tick(uv_timer_t *tick)
{
    struct stage *s = tick->data;
    session_host_tick(&s->host, turn_now(&s->w->turn));
}

/* The loop does nothing any more, but for its tick. */
static inline bool is_quiet(struct stage *s)
{
    struct pollfd loop = {.fd = uv_backend_fd(&s->w->loop), .events = POLLIN};
    return !session_host_has_work(&s->host) && poll(&loop, 1, 0) == 0;
}

static inline void settles(struct stage *s)
{
    int quiet = 0; /* closed handles and new wishes take a turn to arrive */
    until(quiet == 3, (world_turn(s->w), quiet = is_quiet(s) ? quiet + 1 : 0));
}

/* ---- life ---- */

static inline void hold_of_at_most(struct stage *s, size_t bytes, int64_t ms)
{
    s->group.hold_memory = bytes;
    s->group.hold_timeout_ms = ms;
    hold_init(router_hold(s->host.router, 0), &s->shared->held[0], bytes, ms);
}

/* One session has room for so many short requests: as many again stay free. */
static inline void hold_of_requests(struct stage *s, size_t count)
{
    hold_of_at_most(s, (2 * count + 1) * sizeof(struct session_request) - 1, 60000);
}

static inline void show(struct stage *s, struct scene scene)
{
    struct topology *next = topology_new(1);
    struct topology_group *group = &next->groups[0];
    group->name = s->group.name;
    group->state = scene.writable ? GROUP_STEADY : GROUP_SWITCHING;
    group->master = scene.master;
    group->reader = scene.read_master ? 0 : -1;
    group->writable = scene.writable;
    group->settling = scene.settling;
    group->node_count = STAGE_NODES;
    group->nodes = calloc(STAGE_NODES, sizeof(*group->nodes));
    for (int i = 0; i < STAGE_NODES; i++) {
        group->nodes[i] = s->nodes[i].view;
        group->nodes[i].readable = scene.readable >> i & 1;
        group->nodes[i].leaving = scene.leaving >> i & 1;
    }
    board_publish(s->w->turn.board, next);
    if (scene.unseen)
        s->host.seq = board_seq(s->w->turn.board); /* as if it had been */
    else
        session_host_adopt(&s->host);
}

/* As the first of so many workers; the others are the test's. */
static inline void stage_begin_of(struct stage *s, size_t workers)
{
    log_set_level(LOG_ERROR);
    memset(s, 0, sizeof(*s));
    s->w = world_new();
    request_pool_init(&s->w->turn.requests, sizeof(struct session_request));
    for (int i = 0; i < STAGE_NODES; i++) {
        node_begin(&s->nodes[i], (uint64_t)i + 1);
        /* The upstream connects when the session has been read: until then the loop has to turn. */
        cr_assert_eq(fcntl(s->nodes[i].door, F_SETFL, O_NONBLOCK), 0);
    }
    s->group = (struct traffic_group_options){.name = "mymaster",
                                              .hold_timeout_ms = 60000,
                                              .hold_memory = (size_t)64 << 20,
                                              .connect_timeout_ms = LOOP_DEADLINE_MS};
    for (int i = 0; i < 3; i++)
        s->listeners[i] = (struct traffic_listener_options){.route = (enum route)i};
    s->options = (struct traffic_options){.groups = &s->group,
                                          .group_count = 1,
                                          .listeners = s->listeners,
                                          .listener_count = 3,
                                          .max_clients = 100,
                                          .request_max = (size_t)64 << 20,
                                          .output_high = (size_t)16 << 10,
                                          .output_limit = (size_t)64 << 20,
                                          .output_memory = (size_t)128 << 20};
    s->shared = shared_new(workers, 1, 3);
    s->last_id = SESSION_ID_BASE;
    s->host = (struct session_host){.turn = &s->w->turn,
                                    .options = &s->options,
                                    .request_share = (size_t)256 << 20,
                                    .stop.shared = s->shared,
                                    .hooks = &command_hooks};
    session_host_init(&s->host);
    s->scripts = scripts_new(64 * 1024);
    s->host.scripts = &s->scripts;
    s->host.learn = learn_new(&s->w->turn.requests);
    s->door = bound_socket(&s->door_at);
    int little = 4096;
    cr_assert_eq(setsockopt(s->door, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    cr_assert_eq(listen(s->door, 64), 0);
    s->prepare.data = s->tick.data = s;
    cr_assert_eq(uv_prepare_init(&s->w->loop, &s->prepare), 0);
    cr_assert_eq(uv_timer_init(&s->w->loop, &s->tick), 0);
    uv_prepare_start(&s->prepare, stage_prepare);
    uv_timer_start(&s->tick, stage_tick, TICK_MS, TICK_MS);
    s->host.router =
        router_new(&s->w->turn, &s->options, s->shared, 0, &session_router_events, &s->host);
    show(s, steady);
}

static inline void stage_begin(struct stage *s)
{
    stage_begin_of(s, 1);
}

static inline void stage_end(struct stage *s)
{
    session_close_all(&s->host);
    router_close(s->host.router);
    uv_close((uv_handle_t *)&s->prepare, NULL);
    uv_close((uv_handle_t *)&s->tick, NULL);
    until(!uv_loop_alive(&s->w->loop), world_turn(s->w));
    cr_assert_eq(s->host.count, 0);
    cr_assert(router_empty(s->host.router));
    learn_free(s->host.learn);
    large_keys_expire(&s->host.large_keys, INT64_MAX);
    scripts_free(s->scripts);
    router_free(s->host.router);
    shared_free(s->shared);
    world_end(s->w);
    for (int i = 0; i < STAGE_NODES; i++)
        node_end(&s->nodes[i]);
    close(s->door);
}

/* ---- words ---- */

/* "SET k v | EXEC" as Redis' protocol; good until eight more were written. */
static inline const char *wire(const char *text)
{
    static char ring[8][8192];
    static unsigned turns;
    char *out = ring[turns++ % 8], copy[4096], *rest = copy, *one;
    size_t at = 0;
    cr_assert_lt(strlen(text), sizeof(copy));
    strcpy(copy, text);
    while ((one = strsep(&rest, "|"))) {
        char *words[16], *word;
        int count = 0;
        while ((word = strsep(&one, " ")))
            if (*word)
                words[count++] = word;
        at += (size_t)sprintf(out + at, "*%d\r\n", count);
        for (int i = 0; i < count; i++)
            at += (size_t)sprintf(out + at, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    }
    return out;
}

/* ---- clients ---- */

struct client {
    int fd;
    int theirs; /* the session's end */
};

static inline struct client client_on(struct stage *s, enum route route)
{
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int little = 4096;
    cr_assert_eq(setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
    cr_assert_eq(connect(c.fd, (struct sockaddr *)&s->door_at, sizeof(s->door_at)), 0);
    c.theirs = accept4(s->door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    cr_assert_geq(c.theirs, 0);
    cr_assert_eq(session_open(&s->host, &s->listeners[route], c.theirs, ++s->last_id), 0);
    return c;
}

static inline struct client client(struct stage *s)
{
    return client_on(s, ROUTE_MASTER);
}

static inline void client_asks(struct client c, const char *text)
{
    node_says(c.fd, wire(text));
}

/* The session has read what it was asked, and nothing has been written since. */
static inline void is_taken_in(struct stage *s, struct client c)
{
    until(bytes_waiting(c.theirs) > 0, (void)0);
    until(bytes_waiting(c.theirs) == 0, uv_run(&s->w->loop, UV_RUN_NOWAIT));
}

static inline void hears(struct stage *s, struct client c, const char *wanted)
{
    node_hears(s->w, c.fd, wanted);
}

static inline void hears_nothing(struct stage *s, struct client c)
{
    settles(s);
    node_hears_nothing(s->w, c.fd);
}

/* One line from either side, whatever it says; without its end. */
static inline void hears_line(struct stage *s, int fd, char *out, size_t size)
{
    size_t len = 0;
    while (len < 2 || out[len - 1] != '\n') {
        ssize_t n = -1;
        cr_assert_lt(len + 1, size);
        until((n = recv(fd, out + len, 1, MSG_DONTWAIT)) != -1, world_turn(s->w));
        cr_assert_eq(n, 1, "the connection ended");
        len++;
    }
    out[len - 2] = '\0';
}

/* ---- nodes ---- */

/* Lets the next connection of a client's identity in. */
static inline int admits(struct stage *s, int node, const char *role)
{
    return node_admit(s->w, &s->nodes[node], role, true);
}

static inline void node_gets(struct stage *s, int fd, const char *text)
{
    node_hears(s->w, fd, wire(text));
}

static inline void node_gets_nothing(struct stage *s, int fd)
{
    settles(s);
    node_hears_nothing(s->w, fd);
}

/* What the node is asked before the session does the same itself: may its user? It changes nothing. */
#define ASKED_SETNAME "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\n \r\n"
#define ASKED_REPLY "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$1\r\n \r\n"

/* The node permits it, and the session need not ask again, however long the test takes. */
static inline void node_permits(struct stage *s, int fd, const char *asked)
{
    struct identities *identities = router_identities(s->host.router);
    node_hears(s->w, fd, asked);
    node_says(fd, "-ERR syntax error\r\n");
    settles(s);
    list_each (it, &identities->all) {
        struct identity *identity = container_of(it, struct identity, in_all);
        for (int i = 0; i < IDENTITY_RIGHTS; i++)
            if (identity->right_until_ms[i])
                identity->right_until_ms[i] = INT64_MAX;
    }
}

/* Nobody connects any more. */
static inline void nobody_comes(struct stage *s, int node)
{
    settles(s);
    cr_assert_eq(accept4(s->nodes[node].door, NULL, NULL, SOCK_CLOEXEC), -1);
    cr_assert_eq(errno, EAGAIN);
}

/* The other side takes it as it can, or until nobody does anything any more. */
static inline size_t pours(struct stage *s, int fd, const char *bytes, size_t len)
{
    size_t sent = 0;
    int quiet = 0;
    while (sent < len && quiet < 3) {
        ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        world_turn(s->w);
        quiet = n <= 0 && is_quiet(s) ? quiet + 1 : 0;
    }
    return sent;
}

/* A bulk reply of `len` bytes; to be freed. */
static inline char *bulk(size_t len, size_t *whole)
{
    char *text = malloc(len + 40);
    int head = sprintf(text, "$%zu\r\n", len);
    memset(text + head, 'x', len);
    memcpy(text + head + len, "\r\n", 3);
    *whole = (size_t)head + len + 2;
    return text;
}

/* ---- scenes ---- */

/* A client asks, and its session's first connection to the master gets exactly that: the master's end of it. */
static inline int reaches_master(struct stage *s, struct client c, const char *text)
{
    client_asks(c, text);
    int fd = admits(s, 0, "master");
    node_gets(s, fd, text);
    return fd;
}

/* The node answers, and its client hears exactly that. */
static inline void node_answers(struct stage *s, int fd, struct client c, const char *reply)
{
    node_says(fd, reply);
    hears(s, c, reply);
}

/* A client asks, its node gets exactly that and answers, and the client hears exactly the answer. */
static inline void goes_through(struct stage *s, struct client c, int fd, const char *text,
                                const char *reply)
{
    client_asks(c, text);
    node_gets(s, fd, text);
    node_answers(s, fd, c, reply);
}

/* A transaction with a part that was queued: the master's end of its connection. */
static inline int open_transaction(struct stage *s, struct client c)
{
    int fd = reaches_master(s, c, "MULTI | SET k v");
    node_answers(s, fd, c, "+OK\r\n+QUEUED\r\n");
    return fd;
}

#endif
