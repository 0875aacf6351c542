/*
 * pool: what a new topology cuts, what it takes back, and what it forgets.
 */
#include "unit/pool_stage.h"

/* A master's shared one and lease, and both replicas, all with a request on its way. */
struct traffic {
    struct stage s;
    struct upstream *ups[4];
    struct asked asked[4];
    int fds[4], lost;
};

static void traffic_begin(struct traffic *t)
{
    struct stage *s = &t->s;

    begin(s);
    t->ups[0] = shared(s, 0, PURPOSE_MASTER);
    t->ups[1] = shared(s, 1, PURPOSE_REPLICA);
    t->ups[2] = shared(s, 2, PURPOSE_REPLICA);
    for (int i = 0; i < 3; i++)
        t->fds[i] = admit(s, i, t->ups[i], true);
    t->ups[3] = lease(s, 0, &t->lost);
    t->fds[3] = admit(s, 0, t->ups[3], true);
    for (int i = 0; i < 4; i++) {
        ask(s->w, &t->asked[i], t->ups[i], "x");
        node_hears(s->w, t->fds[i], "x");
    }
}

/* After adopting the topology, exactly these are cut: what was sent there is lost, at once. */
static void adopt_cuts(struct traffic *t, bool first, bool second, bool third, bool leased)
{
    bool cut[4] = {first, second, third, leased};
    size_t left = 0;

    adopt(&t->s);
    for (int i = 0; i < 4; i++) {
        left += !cut[i];
        if (cut[i])
            has_failed(&t->asked[i], REQUEST_LOST);
        else
            is_under_way(&t->asked[i]);
    }
    cr_assert_eq(pool_upstreams(t->s.pool), left);
    cr_assert_eq(t->lost, leased);
    cr_assert_eq(pool_next_try(t->s.pool), INT64_MAX, "that is nobody's failure");
    for (int i = 0; i < 4; i++)
        if (cut[i])
            node_hears_the_end(t->s.w, t->fds[i]);
}

static void traffic_end(struct traffic *t)
{
    end(&t->s);
    for (int i = 0; i < 4; i++)
        close(t->fds[i]);
}

Test(pool, nothing_is_cut_without_a_reason)
{
    struct traffic t;

    traffic_begin(&t);
    t.s.groups[0].state = GROUP_SWITCHING;
    t.s.groups[0].writable = false; /* what is in flight is being answered */
    t.s.views[1].suspect = true;
    adopt_cuts(&t, false, false, false, false);
    traffic_end(&t);
}

Test(pool, a_master_that_is_no_more_is_cut_at_once)
{
    struct traffic t;

    traffic_begin(&t);
    t.s.groups[0].master = -1;
    adopt_cuts(&t, true, false, false, true);
    traffic_end(&t);
}

Test(pool, a_replica_that_became_the_master_is_cut_as_a_replica)
{
    struct traffic t;

    traffic_begin(&t);
    t.s.groups[0].master = 1;
    t.s.views[1].readable = false;
    adopt_cuts(&t, true, true, false, true);
    traffic_end(&t);
}

Test(pool, a_replica_that_was_promoted_goes_on_serving_reads)
{
    struct traffic t;

    traffic_begin(&t);
    t.s.groups[0].master = -1;
    t.s.groups[0].writable = false;
    t.s.views[1].readable = false;
    t.s.groups[0].reader = 1;
    adopt_cuts(&t, true, false, false, true);
    traffic_end(&t);
}

Test(pool, a_node_that_is_no_longer_listed_is_cut)
{
    struct traffic t;

    traffic_begin(&t);
    t.s.groups[0].node_count = 2;
    adopt_cuts(&t, false, false, true, false);
    traffic_end(&t);
}

Test(pool, where_writing_stops_the_unwritten_is_taken_back)
{
    enum { SENT, UNSENT, OWN, REPLICAS, COUNT };
    struct stage s;
    struct upstream *up, *own, *replica;
    struct asked asked[COUNT];
    struct target target;
    int fds[3];

    begin(&s);
    target = target_of(&s, 0, PURPOSE_MASTER);
    up = shared(&s, 0, PURPOSE_MASTER);
    fds[0] = admit(&s, 0, up, true);
    own = pool_shared(s.pool, &target, s.own);
    fds[1] = admit(&s, 0, own, false);
    replica = shared(&s, 1, PURPOSE_REPLICA);
    fds[2] = admit(&s, 1, replica, true);
    ask(s.w, &asked[SENT], up, "sent");
    node_hears(s.w, fds[0], "sent");
    ask(s.w, &asked[UNSENT], up, "unsent");
    ask(s.w, &asked[OWN], own, "own");
    ask(s.w, &asked[REPLICAS], replica, "replicas");
    s.groups[0].writable = false;
    adopt(&s);
    is_under_way(&asked[SENT]);
    has_failed(&asked[UNSENT], REQUEST_UNSENT);
    node_hears(s.w, fds[1], "own"); /* CLIENT UNBLOCK has to get through */
    node_hears(s.w, fds[2], "replicas");
    node_hears_nothing(s.w, fds[0]);
    node_says(fds[0], "+OK\r\n");
    until(asked[SENT].completed, world_turn(s.w));
    was_answered(&asked[SENT], "+OK\r\n");
    end(&s);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

Test(pool, a_node_that_left_is_forgotten_unless_somebody_counts_on_it)
{
    struct stage s;

    begin(&s);
    pool_add_user(s.pool, 0, 2, 1);
    pool_add_user(s.pool, 0, 2, 1);
    pool_add_user(s.pool, 0, 2, -1);
    cr_assert_eq(pool_users(s.pool, 0, 2), 1);
    cr_assert_eq(pool_users(s.pool, 0, 3), 0);
    cr_assert_eq(pool_users(s.pool, 1, 2), 0);
    pool_penalize(s.pool, 0, 3);
    adopt(&s);
    cr_assert_neq(pool_next_try(s.pool), INT64_MAX, "it is still listed");
    s.groups[0].node_count = 1;
    adopt(&s);
    cr_assert_eq(pool_users(s.pool, 0, 2), 1);
    cr_assert_eq(pool_next_try(s.pool), INT64_MAX);
    pool_add_user(s.pool, 0, 2, -1);
    adopt(&s);
    cr_assert_eq(pool_users(s.pool, 0, 2), 0);
    end(&s);
}
