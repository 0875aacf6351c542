/*
 * session_drain: when each session leaves while the proxy ends, and how: at a boundary, in slices, apart from each other.
 */
#include "session/boundary.h"
#include "session/drain.h"
#include "session/state.h"
#include "unit/session_stage.h"

enum { CLIENTS = 9, MANY = 1000 };

static struct session *last_session(struct stage *s)
{
    return container_of(s->host.sessions.prev, struct session, in_host);
}

/* It has asked something. */
static struct session numbered(uint64_t number)
{
    static const struct command some;
    return (struct session){.id = session_id_of(number, number % 2), .client.last = &some};
}

Test(session_drain, the_moments_of_many_lie_apart_and_before_the_last_quarter)
{
    struct session_drain drain;
    int in_part[30] = {0};
    session_drain_begin(&drain, 5000, 40000, MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        struct session s = numbered(i);
        int64_t moment = session_drain_moment(&drain, &s);
        cr_assert(moment >= 0 && moment < (int64_t)MANY * SESSION_DRAIN_APART_MS);
        in_part[moment * 30 / (MANY * SESSION_DRAIN_APART_MS)]++;
    }
    for (int i = 0; i < 30; i++)
        cr_assert(in_part[i] >= 30 && in_part[i] <= 37, "%d in part %d", in_part[i], i);
    session_drain_begin(&drain, 5000, 4000, MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        struct session s = numbered(i);
        cr_assert_lt(session_drain_moment(&drain, &s), 3000);
    }
}

/* A client opens its connections one after the other: it does not lose all of them at once. */
Test(session_drain, those_of_one_client_lie_apart_too)
{
    struct session_drain drain;
    session_drain_begin(&drain, 0, 60000, MANY);
    for (uint64_t first = 0; first < MANY; first += 10) {
        int64_t from = INT64_MAX, to = 0;
        for (uint64_t i = first; i < first + 10; i++) {
            struct session s = numbered(i);
            int64_t moment = session_drain_moment(&drain, &s);
            from = moment < from ? moment : from;
            to = moment > to ? moment : to;
        }
        cr_assert_gt(to - from, MANY * SESSION_DRAIN_APART_MS / 2);
    }
}

Test(session_drain, those_that_have_asked_nothing_lie_apart_too)
{
    struct session_drain drain;
    session_drain_begin(&drain, 5000, 40000, MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        struct session s = numbered(i), asks = s;
        s.client.last = NULL;
        s.client.opened_ms = 4999;
        int64_t later = session_drain_moment(&drain, &s) - session_drain_moment(&drain, &asks);
        cr_assert_eq(later, 500);
        s.client.opened_ms = 35000;
        cr_assert_eq(session_drain_moment(&drain, &s), 30500);
    }
}

Test(session_drain, few_are_not_waited_for_and_listeners_come_last)
{
    struct session_drain drain;
    struct session s = numbered(77);
    session_drain_begin(&drain, 0, 10000, 3);
    cr_assert_lt(session_drain_moment(&drain, &s), 3 * SESSION_DRAIN_APART_MS);
    lease_keep(&s.lease, LEASE_SUBSCRIBED);
    cr_assert(session_drain_moment(&drain, &s) >= 7500 && session_drain_moment(&drain, &s) < 10000);
}

/* As the worker's loop does. */
static void turn(struct stage *s, struct session_drain *drain)
{
    session_drain_turn(drain, &s->host);
    world_turn(s->w);
}

Test(session_drain, none_of_them_is_closed_in_one_turn)
{
    struct stage s;
    struct session_drain drain;
    size_t before = CLIENTS;
    stage_begin(&s);
    for (int i = 0; i < CLIENTS; i++)
        (void)client(&s);
    s.w->turn.least = TURN_HASTY;
    session_drain_begin(&drain, turn_now(&s.w->turn), 0, CLIENTS);
    while (s.host.count > 0) {
        session_drain_turn(&drain, &s.host);
        cr_assert_geq(s.host.count + 2, before, "%zu were closed at once", before - s.host.count);
        before = s.host.count;
        cr_assert(list_empty(&s.host.walks) || session_host_has_work(&s.host));
        world_turn(s.w);
    }
    stage_end(&s);
}

Test(session_drain, what_has_come_and_is_not_read_is_answered)
{
    struct stage s;
    struct session_drain drain;
    stage_begin(&s);
    struct client c = client(&s);
    int fd = reaches_master(&s, c, "PING");
    node_answers(&s, fd, c, "+PONG\r\n");
    session_drain_begin(&drain, turn_now(&s.w->turn), 60000, 1);
    client_asks(c, "GET k");
    until(bytes_waiting(fd) > 0, turn(&s, &drain));
    node_gets(&s, fd, "GET k");
    cr_assert_eq(s.host.count, 1);
    node_says(fd, "$1\r\nv\r\n");
    until(s.host.count == 0, turn(&s, &drain));
    hears(&s, c, "$1\r\nv\r\n");
    stage_end(&s);
}

/* It connected a moment ago, and what it wants to ask is on its way. */
Test(session_drain, one_that_has_just_come_may_ask)
{
    struct stage s;
    struct session_drain drain;
    int64_t until_ms;
    stage_begin(&s);
    struct client c = client(&s);
    int fd = reaches_master(&s, c, "PING");
    node_answers(&s, fd, c, "+PONG\r\n");
    struct client late = client(&s);
    until_ms = turn_now(&s.w->turn) + 100;
    session_drain_begin(&drain, turn_now(&s.w->turn), 60000, 2);
    until(turn_now(&s.w->turn) >= until_ms, turn(&s, &drain));
    cr_assert_eq(s.host.count, 1, "the one that had its answer is gone");
    client_asks(late, "GET k");
    until(bytes_waiting(fd) > 0, turn(&s, &drain));
    node_gets(&s, fd, "GET k");
    node_says(fd, "$1\r\nv\r\n");
    until(s.host.count == 0, turn(&s, &drain));
    hears(&s, late, "$1\r\nv\r\n");
    stage_end(&s);
}

Test(session_drain, one_that_asks_nothing_is_not_waited_for_long)
{
    struct stage s;
    struct session_drain drain;
    stage_begin(&s);
    (void)client(&s);
    int64_t began = turn_now(&s.w->turn);
    session_drain_begin(&drain, began, 60000, 1);
    until(s.host.count == 0, turn(&s, &drain));
    cr_assert_lt(turn_now(&s.w->turn) - began, 10000);
    stage_end(&s);
}

Test(session_drain, a_boundary_is_where_nothing_is_begun)
{
    struct stage s;
    stage_begin(&s);
    struct client c = client(&s);
    int fd = reaches_master(&s, c, "PING");
    struct session *session = last_session(&s);
    cr_assert_not(session_at_boundary(session), "PING is not answered");
    node_answers(&s, fd, c, "+PONG\r\n");
    cr_assert(session_at_boundary(session));
    cr_assert_eq(write(c.fd, "*1\r\n", 4), 4);
    until(bytes_waiting(c.fd) == 0 && session->client.partial, world_turn(s.w));
    cr_assert_not(session_at_boundary(session));
    cr_assert_eq(write(c.fd, "$4\r\nPING\r\n", 10), 10);
    until(bytes_waiting(fd) > 0, world_turn(s.w));
    node_gets(&s, fd, "PING");
    node_says(fd, "+PONG\r\n");
    hears(&s, c, "+PONG\r\n");
    cr_assert(session_at_boundary(session));
    stage_end(&s);
}
