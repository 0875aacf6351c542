/*
 * pool: who shares a connection, and what becomes of a lease.
 */
#include "unit/pool_stage.h"

/* More idle leases of one kind than this are not kept. */
#define IDLE_MAX 32

Test(pool, one_is_shared_by_all_of_one_identity)
{
    struct stage s;
    struct upstream *up, *own, *replica;
    struct target target;

    begin(&s);
    up = shared(&s, 0, PURPOSE_MASTER);
    target = target_of(&s, 0, PURPOSE_MASTER);
    own = pool_shared(s.pool, &target, s.own);
    replica = shared(&s, 0, PURPOSE_REPLICA);
    cr_assert_eq(shared(&s, 0, PURPOSE_MASTER), up);
    cr_assert_eq(pool_shared(s.pool, &target, s.own), own);
    cr_assert_neq(up, own);
    cr_assert_neq(up, replica);
    cr_assert_neq(up, shared(&s, 1, PURPOSE_MASTER));
    cr_assert_eq(pool_upstreams(s.pool), 4);
    end(&s);
}

Test(pool, a_retired_one_is_shared_no_more)
{
    struct stage s;
    struct upstream *old, *new;
    struct asked asked;
    int old_fd, new_fd;

    begin(&s);
    old = shared(&s, 0, PURPOSE_MASTER);
    old_fd = admit(&s, 0, old, true);
    ask(s.w, &asked, old, "x");
    node_hears(s.w, old_fd, "x");
    upstream_retire(old, "the test retires it");
    new = shared(&s, 0, PURPOSE_MASTER);
    cr_assert_neq(old, new);
    new_fd = admit(&s, 0, new, true);
    node_says(old_fd, "+OK\r\n");
    node_hears_the_end(s.w, old_fd);
    was_answered(&asked, "+OK\r\n");
    cr_assert_eq(shared(&s, 0, PURPOSE_MASTER), new, "the old one's end leaves it alone");
    cr_assert_eq(pool_upstreams(s.pool), 1);
    end(&s);
    close(old_fd);
    close(new_fd);
}

/* Nothing else is due to whom is asked there: Redis would not tell them that a password is wrong. */
Test(pool, an_auth_upstream_is_asked_one_thing_at_a_time)
{
    struct stage s;
    struct upstream *up;
    struct asked busy, one, two;
    int shared_fd, fd;

    begin(&s);
    struct target target = target_of(&s, 0, PURPOSE_MASTER);
    up = pool_auth_upstream(s.pool, &target, s.nobody);
    cr_assert_eq(up, shared(&s, 0, PURPOSE_MASTER), "the shared one is good, while it is idle");
    shared_fd = admit(&s, 0, up, true);
    ask(s.w, &busy, up, "x");
    node_hears(s.w, shared_fd, "x");
    up = pool_auth_upstream(s.pool, &target, s.nobody);
    cr_assert_neq(up, shared(&s, 0, PURPOSE_MASTER));
    fd = admit(&s, 0, up, true);
    ask(s.w, &one, up, "1");
    ask(s.w, &two, up, "2");
    node_hears(s.w, fd, "1");
    node_hears_nothing(s.w, fd);
    node_says(fd, "+OK\r\n");
    node_hears(s.w, fd, "2");
    was_answered(&one, "+OK\r\n");
    pool_tick(s.pool, now(&s));
    node_says(fd, "-ERR\r\n");
    until(two.completed, world_turn(s.w));
    was_answered(&two, "-ERR\r\n");
    pool_tick(s.pool, now(&s));
    node_hears_the_end(s.w, fd);
    node_says(shared_fd, "+OK\r\n");
    until(busy.completed, world_turn(s.w));
    cr_assert_eq(pool_upstreams(s.pool), 1);
    end(&s);
    close(fd);
    close(shared_fd);
}

Test(pool, a_clean_lease_goes_to_the_next)
{
    struct stage s;
    struct upstream *one, *two;
    struct target target;
    int lost[3], fd[2];

    begin(&s);
    one = lease(&s, 0, &lost[0]);
    fd[0] = admit(&s, 0, one, true);
    two = lease(&s, 0, &lost[1]);
    fd[1] = admit(&s, 0, two, true);
    cr_assert_neq(one, two);
    cr_assert(one->leased && two->leased);
    cr_assert_neq(shared(&s, 0, PURPOSE_MASTER), one);
    pool_return(s.pool, two, true);
    pool_return(s.pool, one, true);
    target = target_of(&s, 0, PURPOSE_MASTER);
    cr_assert_neq(pool_lease(s.pool, &target, s.own, on_lost, &lost[2]), one, "of its identity");
    cr_assert_eq(lease(&s, 0, &lost[1]), one, "the most recently used first");
    cr_assert_eq(lease(&s, 0, &lost[0]), two);
    end(&s);
    cr_assert_eq(lost[0], 1);
    cr_assert_eq(lost[1], 1);
    close(fd[0]);
    close(fd[1]);
}

enum spoil { UNCLEAN, UNANSWERED, TAPPED, PAUSED };

static const struct upstream_tap no_tap;

static void is_closed_when(enum spoil spoil)
{
    struct stage s;
    struct upstream *up;
    struct asked asked = {.completed = 0};
    int lost, fd;

    begin(&s);
    up = lease(&s, 0, &lost);
    fd = admit(&s, 0, up, true);
    if (spoil == UNANSWERED) {
        ask(s.w, &asked, up, "x");
        node_hears(s.w, fd, "x");
    }
    if (spoil == TAPPED)
        upstream_set_tap(up, &no_tap);
    if (spoil == PAUSED)
        upstream_pause(up, true);
    pool_return(s.pool, up, spoil != UNCLEAN);
    cr_assert_eq(pool_upstreams(s.pool), 0, "%d", spoil);
    node_hears_the_end(s.w, fd);
    if (spoil == UNANSWERED)
        has_failed(&asked, REQUEST_LOST);
    cr_assert_eq(lost, 0, "its holder gave it back itself");
    cr_assert_eq(pool_next_try(s.pool), INT64_MAX, "the node did nothing wrong");
    end(&s);
    close(fd);
}

Test(pool, a_lease_that_another_could_not_use_is_closed)
{
    is_closed_when(UNCLEAN);
    is_closed_when(UNANSWERED);
    is_closed_when(TAPPED);
    is_closed_when(PAUSED);
}

Test(pool, a_lease_that_is_not_ready_is_not_kept)
{
    struct stage s;
    int lost;

    begin(&s);
    pool_return(s.pool, lease(&s, 0, &lost), true);
    cr_assert_eq(pool_upstreams(s.pool), 0);
    end(&s);
}

Test(pool, an_idle_lease_is_closed_after_half_a_minute)
{
    struct stage s;
    struct upstream *up;
    int lost, fd;
    int64_t since;

    begin(&s);
    up = lease(&s, 0, &lost);
    fd = admit(&s, 0, up, true);
    pool_tick(s.pool, now(&s) + 100000);
    cr_assert_eq(pool_upstreams(s.pool), 1, "it is in use");
    pool_return(s.pool, up, true);
    up = lease(&s, 0, &lost);
    pool_tick(s.pool, now(&s) + 100000);
    cr_assert_eq(pool_upstreams(s.pool), 1, "again in use");
    pool_return(s.pool, up, true);
    since = now(&s);
    pool_tick(s.pool, since + 29999);
    cr_assert_eq(pool_upstreams(s.pool), 1);
    pool_tick(s.pool, since + 30000);
    cr_assert_eq(pool_upstreams(s.pool), 0);
    cr_assert_eq(pool_next_try(s.pool), INT64_MAX);
    end(&s);
    close(fd);
}

Test(pool, a_lease_may_go_round_for_ever)
{
    struct stage s;
    struct upstream *up;
    int lost, fd;

    begin(&s);
    up = lease(&s, 0, &lost);
    fd = admit(&s, 0, up, true);
    for (int i = 0; i < 2 * IDLE_MAX; i++) {
        pool_return(s.pool, up, true);
        cr_assert_eq(lease(&s, 0, &lost), up, "round %d", i);
    }
    end(&s);
    close(fd);
}

Test(pool, what_was_closed_leaves_its_room_to_others)
{
    struct stage s;
    struct upstream *stays;
    int stays_fd;

    begin(&s);
    stays = shared(&s, 0, PURPOSE_MASTER);
    stays_fd = admit(&s, 0, stays, true);
    for (int i = 0; i < 2 * IDLE_MAX; i++) {
        int lost;
        struct upstream *up = lease(&s, 0, &lost);
        int fd = admit(&s, 0, up, true);
        pool_return(s.pool, up, true);
        cr_assert_eq(pool_upstreams(s.pool), 2, "round %d", i);
        pool_tick(s.pool, now(&s) + 30000);
        cr_assert_eq(pool_upstreams(s.pool), 1);
        node_hears_the_end(s.w, fd);
        close(fd);
    }
    end(&s);
    close(stays_fd);
}

Test(pool, only_so_many_leases_wait)
{
    struct stage s;
    struct upstream *ups[IDLE_MAX + 2];
    int lost, fds[IDLE_MAX + 2];

    begin(&s);
    for (int i = 0; i < IDLE_MAX + 2; i++) {
        ups[i] = lease(&s, 0, &lost);
        fds[i] = admit(&s, 0, ups[i], true);
    }
    for (int i = 0; i < IDLE_MAX + 2; i++)
        pool_return(s.pool, ups[i], true);
    cr_assert_eq(pool_upstreams(s.pool), IDLE_MAX);
    cr_assert_eq(lease(&s, 0, &lost), ups[IDLE_MAX - 1]); /* room for one more */
    end(&s);
    for (int i = 0; i < IDLE_MAX + 2; i++)
        close(fds[i]);
}

Test(pool, an_idle_lease_that_the_node_closed_is_not_handed_out)
{
    struct stage s;
    struct upstream *up;
    int lost, fd;

    begin(&s);
    up = lease(&s, 0, &lost);
    fd = admit(&s, 0, up, true);
    pool_return(s.pool, up, true);
    close(fd);
    until(pool_upstreams(s.pool) == 0, world_turn(s.w));
    cr_assert_eq(lost, 0, "it was nobody's");
    cr_assert(pool_usable(s.pool, 0, 1, s.nobody), "tried again at once");
    up = lease(&s, 0, &lost);
    cr_assert_eq(up->state, UPSTREAM_CONNECTING);
    end(&s);
}
