/*
 * pool: when a node is tried again, which nodes are let in at all, and who has
 * to go when others wait.
 */
#include "unit/pool_stage.h"

/* ---- time ---- */

Test(pool, a_failing_node_is_tried_less_and_less)
{
    struct stage s;

    begin(&s);
    cr_assert_eq(pool_next_try(s.pool), INT64_MAX);
    for (int failure = 0; failure < 13; failure++) {
        int64_t delay = failure * 10 < 100 ? failure * 10 : 100;
        pool_penalize(s.pool, 0, 1);
        cr_assert_eq(pool_next_try(s.pool), now(&s) + delay, "failure %d: not %d ms", failure,
                     (int)delay);
        cr_assert_eq(pool_usable(s.pool, 0, 1, s.nobody), delay == 0);
        if (delay) {
            later(&s, (uint64_t)delay - 1);
            cr_assert_not(pool_usable(s.pool, 0, 1, s.nobody));
            later(&s, 1);
        }
        cr_assert(pool_usable(s.pool, 0, 1, s.nobody));
    }
    later(&s, 1900); /* 2,000 ms after the last failure */
    pool_penalize(s.pool, 0, 1);
    cr_assert_eq(pool_next_try(s.pool), now(&s) + 100);
    later(&s, 2001);
    pool_penalize(s.pool, 0, 1);
    cr_assert_eq(pool_next_try(s.pool), now(&s), "long ago is forgiven");
    end(&s);
}

static void nobody_wakes(void *arg)
{
    (void)arg;
}

/* A new password comes with a snapshot: the next connection enters with it. */
Test(pool, connections_enter_with_the_newest_snapshots_credential)
{
    static const struct credential_owner owner = {.group = "mymaster", .wake = nobody_wakes};
    struct credential *one = credential_new(&owner, NULL, "one", 3);
    struct credential *two = credential_new(&owner, NULL, "two", 3);
    struct stage s;
    struct asked asked;
    int fd;

    begin(&s);
    s.groups[0].own = one;
    ask(s.w, &asked, shared(&s, 0, PURPOSE_MASTER), "x");
    fd = node_accept(s.w, &s.nodes[0]);
    node_hears(s.w, fd, "*2\r\n$4\r\nAuth\r\n$3\r\none\r\n" HEARD_INFO HEARD_ID HEARD_RESET);
    node_says(fd, "-WRONGPASS x\r\n");
    until(asked.completed, world_turn(s.w));
    has_failed(&asked, REQUEST_UNSENT);
    close(fd);
    s.groups[0].own = two;
    s.topology.seq++;
    adopt(&s);
    until(pool_usable(s.pool, 0, 1, s.nobody), world_turn(s.w));
    ask(s.w, &asked, shared(&s, 0, PURPOSE_MASTER), "x");
    fd = node_accept(s.w, &s.nodes[0]);
    node_hears(s.w, fd, "*2\r\n$4\r\nAuth\r\n$3\r\ntwo\r\n" HEARD_INFO HEARD_ID HEARD_RESET);
    end(&s);
    has_failed(&asked, REQUEST_UNSENT);
    close(fd);
    cr_assert_eq(atomic_load(&one->refs) + atomic_load(&two->refs), 2);
    credential_release(one);
    credential_release(two);
}

Test(pool, a_node_is_failing_for_its_own_group_alone)
{
    struct stage s;

    begin(&s);
    pool_penalize(s.pool, 0, 1);
    pool_penalize(s.pool, 0, 1);
    cr_assert_not(pool_usable(s.pool, 0, 1, s.nobody));
    cr_assert(pool_usable(s.pool, 0, 2, s.nobody));
    cr_assert(pool_usable(s.pool, 1, 1, s.nobody));
    cr_assert_null(shared(&s, 0, PURPOSE_MASTER), "nobody connects to it");
    cr_assert_eq(pool_upstreams(s.pool), 0);
    end(&s);
}

Test(pool, who_waits_for_a_node_is_told_when_its_time_has_come)
{
    struct stage s;
    int64_t first;

    begin(&s);
    pool_penalize(s.pool, 1, 7);
    pool_penalize(s.pool, 1, 7);
    for (int i = 0; i < 3; i++)
        pool_penalize(s.pool, 0, 1);
    first = now(&s) + 10;
    cr_assert_eq(pool_next_try(s.pool), first);
    pool_retry(s.pool, first - 1);
    cr_assert_eq(s.changes[0] + s.changes[1], 0);
    pool_retry(s.pool, first);
    cr_assert_eq(s.changes[1], 1);
    cr_assert_eq(s.changes[0], 0);
    cr_assert_eq(pool_next_try(s.pool), first + 10);
    pool_retry(s.pool, first + 10);
    cr_assert_eq(s.changes[0], 1);
    cr_assert_eq(s.changes[1], 1, "told once");
    cr_assert_eq(pool_next_try(s.pool), INT64_MAX);
    end(&s);
}

Test(pool, a_node_that_comes_back_starts_anew)
{
    struct stage s;
    struct asked asked;
    struct upstream *up;
    int fd;

    begin(&s);
    node_end(&s.nodes[0]);
    node_begin_closed(&s.nodes[0], 1);
    s.views[0] = s.nodes[0].view;
    for (int i = 0; i < 4; i++) {
        until(pool_usable(s.pool, 0, 1, s.nobody), world_turn(s.w));
        ask(s.w, &asked, shared(&s, 0, PURPOSE_MASTER), "x");
        until(asked.completed, world_turn(s.w));
        has_failed(&asked, REQUEST_UNSENT);
        cr_assert_eq(pool_next_try(s.pool), now(&s) + 10 * i);
    }
    node_listen(&s.nodes[0]);
    until(pool_usable(s.pool, 0, 1, s.nobody), world_turn(s.w));
    cr_assert_eq(s.changes[0], 0);
    up = shared(&s, 0, PURPOSE_MASTER);
    fd = admit(&s, 0, up, true);
    cr_assert_eq(s.changes[0], 1, "it is told when a node becomes ready");
    cr_assert_eq(pool_next_try(s.pool), INT64_MAX);
    pool_penalize(s.pool, 0, 1);
    cr_assert_eq(pool_next_try(s.pool), now(&s));
    end(&s);
    close(fd);
}

Test(pool, a_node_that_dies_has_failed_once_however_many_connections_it_had)
{
    struct stage s;
    struct target target;
    struct upstream *up, *own;
    int fds[2];

    begin(&s);
    up = shared(&s, 0, PURPOSE_MASTER);
    fds[0] = admit(&s, 0, up, true);
    target = target_of(&s, 0, PURPOSE_MASTER);
    own = pool_shared(s.pool, &target, s.own);
    fds[1] = admit(&s, 0, own, false);
    close(fds[0]);
    close(fds[1]);
    until(pool_upstreams(s.pool) == 0, world_turn(s.w));
    cr_assert(pool_usable(s.pool, 0, 1, s.nobody), "tried again at once");
    cr_assert_leq(pool_next_try(s.pool), now(&s), "and who waits is told so");
    pool_penalize(s.pool, 0, 1);
    cr_assert_eq(pool_next_try(s.pool), now(&s) + 10);
    end(&s);
}

/* A node that lets everybody in, and then sends what is no reply. */
Test(pool, connections_that_break_as_soon_as_they_stand_are_opened_less_and_less)
{
    enum { AT_ONCE = 3, FOR_MS = 1000, MOST = 20 };
    struct stage s;
    struct upstream *up;
    int opened = 0, fd;
    int64_t began;

    begin(&s);
    uv_update_time(&s.w->loop);
    began = now(&s);
    while (now(&s) - began < FOR_MS && opened <= MOST) {
        up = shared(&s, 0, PURPOSE_MASTER);
        cr_assert(up || opened >= AT_ONCE, "it may be a switch");
        if (up) {
            fd = admit(&s, 0, up, true);
            node_says(fd, "garbage\r\n");
            until(pool_upstreams(s.pool) == 0, world_turn(s.w));
            close(fd);
            opened++;
        } else {
            cr_assert_neq(pool_next_try(s.pool), INT64_MAX, "it is tried again");
            world_turn(s.w);
            pool_retry(s.pool, now(&s));
        }
    }
    cr_assert_leq(opened, MOST, "%d connections", opened);
    end(&s);
}

Test(pool, connecting_takes_no_longer_than_its_timeout)
{
    struct stage s;
    struct upstream *up;
    struct asked asked;
    int64_t opened;

    begin(&s);
    up = shared(&s, 0, PURPOSE_MASTER);
    opened = now(&s);
    ask(s.w, &asked, up, "x");
    pool_tick(s.pool, opened + 499);
    is_under_way(&asked);
    pool_tick(s.pool, opened + 500);
    has_failed(&asked, REQUEST_UNSENT);
    cr_assert_eq(pool_upstreams(s.pool), 0);
    cr_assert_neq(pool_next_try(s.pool), INT64_MAX, "it counts as a failure");
    end(&s);
}

/* One that does not come about. */
static void connect_in_vain(struct stage *s)
{
    struct asked asked;
    later(s, 100); /* a node that failed is left alone for a moment */
    int64_t opened = now(s);
    ask(s->w, &asked, shared(s, 0, PURPOSE_MASTER), "x");
    later(s, 500);
    pool_tick(s->pool, opened + 500);
    has_failed(&asked, REQUEST_UNSENT);
}

/* The probe's connection is older, and stands. */
Test(pool, a_node_that_answers_its_probe_and_that_no_connection_reaches_refuses)
{
    struct stage s;
    struct refusal refusal;
    struct refusals *refusals;
    begin(&s);
    refusals = board_refusals(s.w->turn.board);
    s.group_options[0].hold_timeout_ms = 3000;
    s.views[0].up = true;
    for (int i = 0; i < 4; i++)
        connect_in_vain(&s);
    cr_assert_not(refusals_find(refusals, 0, s.views[0].id, &refusal), "2 s are not over");
    connect_in_vain(&s);
    cr_assert(refusals_find(refusals, 0, s.views[0].id, &refusal));
    cr_assert_str_eq(refusal.text, "no new connection comes about: connecting took too long");
    cr_assert_eq(refusal.until_ms - refusal.since_ms, 3000);
    for (int i = 0; i < 5; i++)
        close(node_accept(s.w, &s.nodes[0])); /* those that were given up */
    later(&s, 100);
    struct upstream *up = shared(&s, 0, PURPOSE_MASTER);
    int fd = admit(&s, 0, up, true);
    cr_assert_not(refusals_find(refusals, 0, s.views[0].id, &refusal));
    close(fd);
    end(&s);
}

/* A connection that failed an hour ago says nothing of today's. */
Test(pool, what_failed_long_ago_is_no_part_of_it)
{
    struct stage s;
    struct refusal refusal;
    begin(&s);
    s.views[0].up = true;
    for (int i = 0; i < 3; i++) {
        connect_in_vain(&s);
        later(&s, 3000);
    }
    cr_assert_not(refusals_find(board_refusals(s.w->turn.board), 0, s.views[0].id, &refusal));
    end(&s);
}

/* One that is silent altogether is down: that is not for the operator alone to mend. */
Test(pool, a_node_that_does_not_answer_its_probe_either_is_only_down)
{
    struct stage s;
    struct refusal refusal;
    begin(&s);
    for (int i = 0; i < 8; i++)
        connect_in_vain(&s);
    s.views[0].up = s.views[0].suspect = true;
    for (int i = 0; i < 8; i++)
        connect_in_vain(&s);
    cr_assert_not(refusals_find(board_refusals(s.w->turn.board), 0, s.views[0].id, &refusal));
    end(&s);
}

/* Its credential goes with it. */
Test(pool, a_connection_of_an_identity_that_no_session_has_is_closed_after_a_while)
{
    struct stage s;
    struct slice name = {"u", 1}, password = {"secret", 6};
    struct target target;
    struct identity *user;
    struct upstream *up;

    begin(&s);
    int other =
        admit(&s, 0, shared(&s, 0, PURPOSE_MASTER), true); /* of the one that `user` is made from */
    user = identity_with_credential(&s.w->identities, s.nobody, name, password);
    target = target_of(&s, 0, PURPOSE_MASTER);
    up = pool_shared(s.pool, &target, user);
    int fd = node_admit(s.w, &s.nodes[0], "master", true);
    node_hears(s.w, fd, "*3\r\n$4\r\nAuth\r\n$1\r\nu\r\n$6\r\nsecret\r\n");
    node_says(fd, "+OK\r\n");
    until(up->state == UPSTREAM_READY, world_turn(s.w));
    int64_t start = now(&s);
    pool_tick(s.pool, start);
    pool_tick(s.pool, start + 1000000);
    cr_assert_eq(pool_upstreams(s.pool), 2);
    identity_release(user); /* the last session has gone */
    pool_tick(s.pool, start);
    pool_tick(s.pool, start + 20000);
    identity_retain(user); /* and one comes back */
    pool_tick(s.pool, start + 40000);
    identity_release(user);
    pool_tick(s.pool, start + 50000);
    pool_tick(s.pool, start + 79999);
    cr_assert_eq(pool_upstreams(s.pool), 2);
    pool_tick(s.pool, start + 80000);
    cr_assert_eq(pool_upstreams(s.pool), 1);
    for (struct list *it = s.w->identities.all.next; it != &s.w->identities.all; it = it->next)
        cr_assert_not(container_of(it, struct identity, in_all)->authenticated);
    end(&s);
    close(fd);
    close(other);
}

/* ---- the right node ---- */

/* Whether a node that says this of itself is let in as what it is connected for. */
static bool good(enum purpose purpose, const char *role, const char *replid, const char *replid2)
{
    struct stage s;
    struct asked asked;
    char text[500];
    bool ready;
    int fd;

    begin(&s);
    strcpy(s.groups[0].replid[0], REPLID_A);
    strcpy(s.groups[0].replid[1], REPLID_NONE);
    adopt(&s);
    ask(s.w, &asked, shared(&s, purpose == PURPOSE_MASTER ? 0 : 1, purpose), "x");
    fd = node_accept(s.w, &s.nodes[purpose == PURPOSE_MASTER ? 0 : 1]);
    node_says(fd, node_credentials(text, sizeof(text), role, replid, replid2, true));
    node_says(fd, "+PONG\r\n");
    until(s.changes[0] || asked.completed, world_turn(s.w));
    ready = s.changes[0] == 1;
    cr_assert_eq(ready, !asked.completed);
    cr_assert_eq(ready, pool_upstreams(s.pool) == 1);
    cr_assert_eq(ready, pool_next_try(s.pool) == INT64_MAX);
    end(&s);
    close(fd);
    return ready;
}

Test(pool, only_the_groups_own_nodes_are_used)
{
    cr_assert(good(PURPOSE_MASTER, "master", REPLID_A, REPLID_NONE));
    cr_assert(good(PURPOSE_REPLICA, "slave", REPLID_A, REPLID_NONE));
    cr_assert(good(PURPOSE_MASTER, "master", REPLID_B, REPLID_A), "promoted a moment ago");
    cr_assert_not(good(PURPOSE_MASTER, "slave", REPLID_A, REPLID_NONE));
    cr_assert_not(good(PURPOSE_REPLICA, "master", REPLID_A, REPLID_NONE));
    cr_assert_not(good(PURPOSE_MASTER, "master", REPLID_B, REPLID_B), "another group's");
    cr_assert_not(good(PURPOSE_MASTER, "master", REPLID_B, REPLID_NONE),
                  "nobody's id is no common id");
}

Test(pool, while_the_groups_id_is_unknown_any_master_will_do)
{
    struct stage s;
    struct upstream *up;
    int fd;

    begin(&s);
    up = shared(&s, 0, PURPOSE_MASTER);
    fd = admit(&s, 0, up, true);
    cr_assert_eq(s.changes[0], 1);
    end(&s);
    close(fd);
}

/* ---- its end ---- */

Test(pool, a_closed_pool_opens_nothing)
{
    struct stage s;
    struct asked asked;
    int lost;

    begin(&s);
    ask(s.w, &asked, shared(&s, 0, PURPOSE_MASTER), "x");
    pool_close(s.pool);
    has_failed(&asked, REQUEST_UNSENT);
    cr_assert_null(shared(&s, 0, PURPOSE_MASTER));
    cr_assert_null(lease(&s, 0, &lost));
    end(&s);
}

/* ---- how connections fail ---- */

/* So many have failed like this. */
static void has_failures(const struct counters *counters, enum connect_failure why, uint64_t times)
{
    const struct node_counters *node = counters_node((struct counters *)counters, 0, 1);
    cr_expect_eq(node->failures[why], times, "%s: %zu", connect_failure_label(why),
                 (size_t)node->failures[why]);
}

static void gone(struct stage *s, int fd)
{
    close(fd);
    until(pool_upstreams(s->pool) == 0, world_turn(s->w));
}

Test(pool, failures_are_counted_by_their_reason)
{
    struct counters *counters = counters_new(0, 2);
    struct stage s;
    begin(&s);
    pool_count_in(s.pool, counters);
    struct upstream *up = shared(&s, 0, PURPOSE_MASTER);
    gone(&s, admit(&s, 0, up, true));
    has_failures(counters, CONNECT_BROKEN, 1);

    (void)shared(&s, 0, PURPOSE_MASTER);
    gone(&s, node_accept(s.w, &s.nodes[0]));
    has_failures(counters, CONNECT_HANDSHAKE, 1);

    later(&s, 2001);
    (void)shared(&s, 0, PURPOSE_MASTER);
    int fd = node_accept(s.w, &s.nodes[0]);
    node_hears(s.w, fd, HEARD_INFO HEARD_ID HEARD_RESET);
    node_says(fd, "-ERR max number of clients reached\r\n");
    gone(&s, fd);
    has_failures(counters, CONNECT_REFUSED, 1);

    later(&s, 2001);
    (void)shared(&s, 0, PURPOSE_MASTER);
    later(&s, 500);
    pool_tick(s.pool, now(&s));
    has_failures(counters, CONNECT_TIMEOUT, 1);

    node_end(&s.nodes[0]);
    later(&s, 2001);
    (void)shared(&s, 0, PURPOSE_MASTER);
    until(pool_upstreams(s.pool) == 0, world_turn(s.w));
    has_failures(counters, CONNECT_CONNECT, 1);
    has_failures(counters, CONNECT_BROKEN, 1);
    node_begin(&s.nodes[0], 1);
    end(&s);
    counters_free(counters);
}
