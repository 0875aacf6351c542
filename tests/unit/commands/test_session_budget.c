/*
 * session and the memory of requests: a client is read as long as it, and all of the worker, have few unanswered bytes.
 */
#include "session/budget.h"
#include "session/starved.h"
#include "session/state.h"
#include "unit/session_stage.h"

enum { KB = 1024 };

static struct session *first_of(struct stage *s)
{
    return container_of(s->host.sessions.next, struct session, in_host);
}

static struct session *last_of(struct stage *s)
{
    return container_of(s->host.sessions.prev, struct session, in_host);
}

/* As one that has had an answer: until then it may be less far ahead (interest.h). */
static struct client served(struct stage *s)
{
    struct client c = client(s);
    settles(s);
    last_of(s)->client.served = true;
    return c;
}

/* SETs of so many bytes each, as far as they are taken. Returns how many bytes were. */
static size_t pours_sets(struct stage *s, struct client c, size_t count, size_t size)
{
    size_t one = size + 64, len = 0;
    char *all = malloc(count * one);
    for (size_t i = 0; i < count; i++) {
        len += (size_t)sprintf(all + len, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", size);
        memset(all + len, 'v', size);
        memcpy(all + len + size, "\r\n", 2);
        len += size + 2;
    }
    size_t sent = pours(s, c.fd, all, len);
    free(all);
    return sent;
}

/* The node gets all, and answers nothing. */
static int swallows(struct stage *s)
{
    int fd = admits(s, 0, "master");
    settles(s);
    return fd;
}

static void takes(struct stage *s, int fd)
{
    char bytes[65536];
    int quiet = 0;
    while (quiet < 3) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        world_turn(s->w);
        quiet = n <= 0 && is_quiet(s) ? quiet + 1 : 0;
    }
}

Test(session_budget, what_was_sent_and_is_not_answered_counts_as_ahead)
{
    struct stage s;
    stage_begin(&s);
    struct client c = served(&s);
    client_asks(c, "SET k v");
    int fd = swallows(&s);
    for (int i = 0; i < 8; i++) {
        pours_sets(&s, c, 10, 100 * KB);
        takes(&s, fd);
    }
    cr_assert_geq(first_of(&s)->queue.bytes, AHEAD_BYTES);
    cr_assert_leq(first_of(&s)->queue.bytes, AHEAD_BYTES + 2 * 64 * KB + 200 * KB);
    stage_end(&s);
}

/* A request that is larger than all bounds comes when nothing stands before it. */
Test(session_budget, a_large_request_comes_though_it_is_over_the_bound)
{
    struct stage s;
    stage_begin(&s);
    struct client c = client(&s);
    int fd = reaches_master(&s, c, "SET k v");
    node_answers(&s, fd, c, "+OK\r\n");
    pours_sets(&s, c, 1, 3 * KB * KB);
    takes(&s, fd);
    cr_assert_eq(first_of(&s)->queue.count, 1);
    cr_assert_geq(first_of(&s)->queue.bytes, (size_t)3 * KB * KB);
    stage_end(&s);
}

/* Three that were greedy; a fourth that has nothing unfinished is read, and has its turn. */
Test(session_budget, where_all_have_much_whoever_has_little_is_read)
{
    struct stage s;
    stage_begin(&s);
    s.host.request_share = 600 * KB;
    struct client greedy[3] = {served(&s), served(&s), served(&s)};
    client_asks(greedy[0], "SET k v");
    int fd = swallows(&s);
    for (int i = 0; i < 3; i++) {
        pours_sets(&s, greedy[i], 40, 20 * KB);
        takes(&s, fd);
    }
    cr_assert_geq(request_pool_cost(&s.w->turn.requests), s.host.request_share);
    cr_assert_leq(request_pool_cost(&s.w->turn.requests), s.host.request_share + 3 * 2 * 64 * KB);
    struct client modest = client(&s);
    client_asks(modest, "GET k");
    settles(&s);
    cr_assert_eq(last_of(&s)->queue.count, 1);
    cr_assert(list_linked(&last_of(&s)->client.in_starved) == false);
    stage_end(&s);
}

/* Short requests cost thirty times their bytes: what was read with them is kept as bytes. */
Test(session_budget, where_all_have_much_short_requests_are_kept_as_bytes)
{
    enum { PINGS = 20000, LEN = 6 };
    struct stage s;
    char *all = malloc(PINGS * LEN);
    for (size_t i = 0; i < PINGS; i++)
        memcpy(all + i * LEN, "PING\r\n", LEN);
    stage_begin(&s);
    show(&s, switching);
    s.host.request_share = 0;
    struct client c = client(&s);
    pours(&s, c.fd, all, PINGS * LEN);
    settles(&s);
    cr_assert_leq(first_of(&s)->queue.bytes, AHEAD_LITTLE + sizeof(struct session_request));
    cr_assert_gt(first_of(&s)->client.ahead_bytes, 0);
    s.host.request_share = (size_t)256 << 20;
    settles(&s);
    world_turns(s.w, LOOP_QUIET_TURNS);
    settles(&s);
    cr_assert_geq(first_of(&s)->queue.count, 2048, "it is read on when there is room again");
    free(all);
    stage_end(&s);
}

/* A SET that is sent as it is taken. */
struct pouring {
    struct client to;
    char *bytes;
    size_t len, sent;
};

static struct pouring pouring(struct client to, size_t size)
{
    struct pouring p = {.to = to, .bytes = calloc(1, size + 64)};
    p.len = (size_t)sprintf(p.bytes, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", size);
    memcpy(p.bytes + p.len + size, "\r\n", 2);
    p.len += size + 2;
    return p;
}

static void pour_some(struct pouring *p)
{
    ssize_t n = send(p->to.fd, p->bytes + p->sent, p->len - p->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    p->sent += n > 0 ? (size_t)n : 0;
}

/* Where there is no room for any, they come one after the other. */
Test(session_budget, of_large_requests_one_at_a_time_comes)
{
    struct stage s;
    stage_begin(&s);
    struct client c[2] = {client(&s), client(&s)};
    int fd = reaches_master(&s, c[0], "SET k v");
    node_answers(&s, fd, c[0], "+OK\r\n");
    s.host.request_share = 0;
    struct pouring all[2] = {pouring(c[0], 300 * KB), pouring(c[1], 300 * KB)};
    until(first_of(&s)->queue.count == 1 && last_of(&s)->queue.count == 1,
          (pour_some(&all[0]), pour_some(&all[1]), world_turn(s.w)));
    cr_assert(s.host.growing == NULL);
    free(all[0].bytes);
    free(all[1].bytes);
    stage_end(&s);
}

/* One that begins a large request and stops keeps the others' for 5 s, and then goes. */
Test(session_budget, who_does_not_end_a_large_request_gives_way)
{
    struct stage s;
    stage_begin(&s);
    s.host.request_share = 0;
    struct client stops = client(&s), other = client(&s);
    static const char half[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n";
    char *bytes = calloc(1, 60000);
    memcpy(bytes, half, sizeof(half) - 1);
    cr_assert_eq(send(stops.fd, bytes, 40000, 0), 40000);
    until(s.host.growing != NULL, world_turn(s.w));
    cr_assert_eq(s.host.growing, first_of(&s));
    cr_assert_eq(send(other.fd, bytes, 40000, 0), 40000);
    until(list_linked(&last_of(&s)->client.in_starved), world_turn(s.w));
    cr_assert_eq(s.host.growing, first_of(&s));
    session_look_at_starved(&s.host, turn_now(&s.w->turn) + 4000);
    cr_assert_eq(s.host.growing, first_of(&s));
    session_look_at_starved(&s.host, turn_now(&s.w->turn) + 6000);
    cr_assert_eq(s.host.count, 1);
    cr_assert_eq(s.host.growing, first_of(&s));
    cr_assert_eq(s.host.disconnected, 1);
    free(bytes);
    stage_end(&s);
}
