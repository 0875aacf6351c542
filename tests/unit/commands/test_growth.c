/*
 * growth: nothing that a session does with its requests walks over all of them for each. One test for each walk that
 * was once made here.
 */
#include "session/dispatch.h"
#include "session/interest.h"
#include "session/read.h"
#include "session/state.h"
#include "unit/growth.h"
#include "unit/session_stage.h"

enum { FEW = 8000 };

static const struct request_queue *queue_of(const struct stage *s)
{
    return &container_of(s->host.sessions.next, const struct session, in_host)->queue;
}

/* `first`, then `text` so many times, as if its client had sent that in one go. */
static void sends(struct stage *s, struct client c, const char *first, const char *text,
                  size_t count)
{
    size_t head = strlen(first), len = strlen(text);
    char *all = malloc(head + count * len + 1);
    memcpy(all, first, head);
    for (size_t i = 0; i < count; i++)
        memcpy(all + head + i * len, text, len);
    list_each (it, &s->host.sessions) {
        struct session *of = container_of(it, struct session, in_host);
        if (of->client.stream.fd != c.theirs)
            continue;
        session_feed(of, all, head + count * len);
        session_dispatch(of);
        session_update_interest(of);
    }
    free(all);
}

/* Reads what comes until nobody does anything any more. */
static size_t swallows(struct stage *s, int fd)
{
    static char bytes[64 * 1024];
    size_t all = 0;
    for (int quiet = 0; quiet < 3;) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        all += n > 0 ? (size_t)n : 0;
        world_turn(s->w);
        quiet = n <= 0 && is_quiet(s) ? quiet + 1 : 0;
    }
    return all;
}

/* ---- a hold that ends badly ---- */

static int64_t expires_behind(const char *first, size_t count)
{
    struct stage s;
    stage_begin(&s);
    show(&s, switching);
    struct client c = client(&s);
    sends(&s, c, first, "INCR k\r\n", count);
    settles(&s);
    cr_assert_geq(queue_of(&s)->count, count);
    router_hold(s.host.router, 0)->timeout_ms = 0;
    int64_t begin = growth_clock_ns();
    session_host_tick(&s.host, turn_now(&s.w->turn));
    until(queue_of(&s)->count == 0, swallows(&s, c.fd));
    int64_t took = growth_clock_ns() - begin;
    stage_end(&s);
    return took;
}

static int64_t expires(size_t count)
{
    return expires_behind("", count);
}

static int64_t expires_in_a_transaction(size_t count)
{
    return expires_behind("MULTI\r\n", count);
}

Test(growth, a_hold_that_ends)
{
    is_in_proportion(expires, FEW);
}

Test(growth, a_hold_that_ends_in_a_transaction)
{
    is_in_proportion(expires_in_a_transaction, FEW);
}

/* ---- a hold without room ---- */

/* Half of them find room; the others come when the session waits already. */
static int64_t half_fit_behind(const char *first, size_t count)
{
    struct stage s;
    stage_begin(&s);
    hold_of_requests(&s, count / 2); /* what INCR k is in Redis' protocol */
    show(&s, switching);
    struct client c = client(&s);
    client_asks(c, "PING");
    settles(&s);
    int64_t begin = growth_clock_ns();
    sends(&s, c, first, "INCR k\r\n", count);
    settles(&s);
    int64_t took = growth_clock_ns() - begin;
    cr_assert_geq(queue_of(&s)->count, count);
    stage_end(&s);
    return took;
}

static int64_t half_fit(size_t count)
{
    return half_fit_behind("", count);
}

static int64_t half_fit_in_a_transaction(size_t count)
{
    return half_fit_behind("MULTI\r\n", count);
}

Test(growth, a_hold_with_room_for_half_of_it)
{
    is_in_proportion(half_fit, FEW);
}

Test(growth, a_hold_with_room_for_half_of_a_transaction)
{
    is_in_proportion(half_fit_in_a_transaction, FEW);
}

/* And then there is a master: the one half is sent, the other one is answered. */
static int64_t is_released(size_t count)
{
    struct stage s;
    stage_begin(&s);
    hold_of_requests(&s, count / 2);
    show(&s, switching);
    struct client c = client(&s);
    client_asks(c, "PING");
    settles(&s);
    sends(&s, c, "", "INCR k\r\n", count);
    settles(&s);
    int64_t begin = growth_clock_ns();
    show(&s, steady);
    int fd = admits(&s, 0, "master");
    size_t all = 0; /* on a busy machine a pause between two turns is no end */
    until(all > count / 3 * 21, all += swallows(&s, fd));
    int64_t took = growth_clock_ns() - begin;
    close(fd);
    stage_end(&s);
    return took;
}

Test(growth, a_hold_that_was_full_and_ends_well)
{
    is_in_proportion(is_released, FEW);
}

/* ---- reads behind a large reply ---- */

/* All of them are sent again elsewhere, unless `last` is a write. */
static int64_t leaves_before(const char *last, size_t count)
{
    struct stage s;
    struct client first, c;
    stage_begin(&s);
    first = client(&s);
    c = client(&s);
    int fd = reaches_master(&s, first, "GET large");
    /* As one that has had an answer: until then it may be less far ahead. */
    container_of(s.host.sessions.prev, struct session, in_host)->client.served = true;
    struct upstream *up = session_request(queue_of(&s)->requests.next)->upstream;
    sends(&s, c, "", "GET k\r\n", count);
    sends(&s, c, "", last, 1);
    swallows(&s, fd);
    int64_t begin = growth_clock_ns();
    upstream_retire(up, "a reply is very large");
    upstream_evict_reads(up, NULL);
    while (!list_empty(&s.w->turn.evicting))
        upstreams_evict(&s.w->turn);
    int64_t took = growth_clock_ns() - begin;
    close(fd);
    stage_end(&s);
    return took;
}

static int64_t leaves(size_t count)
{
    return leaves_before("GET k\r\n", count);
}

static int64_t stays(size_t count)
{
    return leaves_before("SET k v\r\n", count);
}

Test(growth, reads_that_leave_a_shared_connection)
{
    is_in_proportion(leaves, FEW);
}

Test(growth, reads_that_stay_before_a_write)
{
    is_in_proportion(stays, FEW);
}

/* ---- on a lease ---- */

/* `first`, which is answered `ok`, then `text` again and again, each of which is answered `reply`. */
static int64_t goes_on_a_lease(const char *first, const char *ok, const char *text,
                               const char *reply, size_t count)
{
    struct stage s;
    size_t len = strlen(reply);
    char *all = malloc(count * len);
    for (size_t i = 0; i < count; i++)
        memcpy(all + i * len, reply, len);
    stage_begin(&s);
    struct client c = client(&s);
    int fd = reaches_master(&s, c, first);
    node_answers(&s, fd, c, ok);
    int64_t begin = growth_clock_ns();
    sends(&s, c, "", text, count);
    swallows(&s, fd);
    cr_assert_eq(pours(&s, fd, all, count * len), count * len);
    until(queue_of(&s)->count == 0, swallows(&s, c.fd));
    int64_t took = growth_clock_ns() - begin;
    free(all);
    close(fd);
    stage_end(&s);
    return took;
}

static int64_t is_refused(size_t count)
{
    return goes_on_a_lease("MULTI", "+OK\r\n", "INCR k\r\n", "-ERR a test\r\n", count);
}

static int64_t nests(size_t count)
{
    return goes_on_a_lease("MULTI", "+OK\r\n", "MULTI\r\n", "-ERR nested\r\n", count);
}

Test(growth, a_transaction_whose_parts_are_refused)
{
    is_in_proportion(is_refused, FEW);
}

Test(growth, a_transaction_with_others_in_it)
{
    is_in_proportion(nests, FEW);
}
