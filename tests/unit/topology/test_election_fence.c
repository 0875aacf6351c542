/*
 * election: the fence. When is the old master told to pause, for how long, and when is that taken back;
 * and when it is made a replica. Most of these tests are about when it must not.
 */
#include "unit/election_world.h"

TestSuite(election_fence, .fini = end);

static bool quiet;
static int64_t client_pause_until;

static bool is_quiet(void *arg)
{
    (void)arg;
    return quiet;
}

static int64_t paused_until(void *arg, uint64_t id)
{
    (void)arg;
    return id == node('A')->shown.id ? client_pause_until : 0;
}

static void tell_down_after(int sentinel, int64_t ms)
{
    struct sentinel_answer answer = {.known = true, .epoch = 5, .down_after_ms = ms};
    answer.named = at('A');
    election_sentinel_answer(e, (uint64_t)sentinel, &answer, now, now);
}

static void begin_fenced(enum fence fence, int64_t down_after_ms)
{
    struct election_options options = usual();
    quiet = true;
    client_pause_until = 0;
    options.fence = fence;
    options.writes = (struct election_writes){.quiet = is_quiet, .paused_until = paused_until};
    begin_with(options);
    steady_on_a();
    for (int i = 1; i <= 3; i++)
        tell_down_after(i, down_after_ms);
}

static uint32_t orders(void)
{
    return view()->request.fence_seq;
}

static void expect_order(uint32_t number, enum fence_act act, int64_t ms, char who)
{
    struct address address = at(who);
    cr_assert_eq(orders(), number, "%u orders\n%s", orders(), story);
    cr_assert_eq(view()->request.fence.act, act);
    cr_assert_eq(view()->request.fence.ms, ms, "%lld ms", (long long)view()->request.fence.ms);
    cr_assert(address_equal(&view()->request.fenced, &address));
}

static void elect(void)
{
    event(1, EVENT_TRY_FAILOVER, 'A', 0);
    pass(80);
    cr_assert_eq(orders(), 0); /* most that try are not elected */
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    cr_assert_eq(orders(), 0);
}

static void promote(void)
{
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
}

Test(election_fence, pauses_writes_and_cuts_off)
{
    begin_fenced(FENCE_FULL, 10000);
    elect();
    pass(24);
    cr_assert_eq(orders(), 0); /* other proxies may not have heard */
    pass(1);
    expect_order(1, FENCE_PAUSE, 3000, 'A');
    pass(75);
    cr_assert_eq(orders(), 1);
    promote();
    expect_order(2, FENCE_CUT, 1300, 'A');
    pass(15);
    is_master('B', "rB", "rA", 0);
    pass(900);
    others_say(6, 'B');
    expect(GROUP_STEADY, "B");
    pass(5000);
    cr_assert_eq(orders(), 2);
}

Test(election_fence, spares_the_replicas_links_where_nodes_speak_tls)
{
    for (int tls = 0; tls < 2; tls++) {
        struct election_options options = usual();
        options.fence = FENCE_FULL;
        options.spare_links = tls;
        begin_with(options);
        steady_on_a();
        elect();
        pass(25);
        promote();
        cr_assert_eq(view()->request.fence.act, FENCE_CUT);
        cr_assert_eq(view()->request.fence.spare, tls);
        if (!tls)
            end();
    }
}

/* Sentinel sees the promotion late on a busy machine. */
Test(election_fence, stays_until_the_new_master_is_confirmed)
{
    begin_fenced(FENCE_FULL, 10000);
    elect();
    pass(25);
    promote();
    expect_order(2, FENCE_CUT, 1300, 'A');
    pass(1039);
    cr_assert_eq(orders(), 2);
    pass(1);
    expect_order(3, FENCE_CUT, 1300, 'A');
    cr_assert(view()->request.fence.extend); /* nobody is let through in between */
    pass(1039);
    pass(1);
    expect_order(4, FENCE_CUT, 1300, 'A');
    pass(5000);
    cr_assert_eq(orders(), 4);
}

/* The links' half is counted from the pause of writes on. */
Test(election_fence, all_of_it_lasts_half_of_down_after)
{
    begin_fenced(FENCE_FULL, 1000);
    elect();
    pass(25);
    expect_order(1, FENCE_PAUSE, 500, 'A');
    pass(100);
    promote();
    expect_order(2, FENCE_CUT, 400, 'A');
    cr_assert_not(view()->request.fence.extend);
    pass(300);
    expect_order(3, FENCE_CUT, 500, 'A');
    cr_assert_not(view()->request.fence.extend);
}

Test(election_fence, not_while_a_write_of_ours_is_in_flight)
{
    begin_fenced(FENCE_FULL, 10000);
    elect();
    quiet = false;
    pass(60);
    cr_assert_eq(orders(), 0);
    cr_assert_leq(election_deadline(e, now) - now, 5); /* and it looks again soon */
    quiet = true;
    pass(5);
    expect_order(1, FENCE_PAUSE, 3000, 'A');
}

/* The old master's upstreams are cut by then: nothing of ours can be caught. */
Test(election_fence, cuts_off_whatever_is_in_flight)
{
    begin_fenced(FENCE_FULL, 10000);
    elect();
    quiet = false;
    pass(60);
    promote();
    expect_order(1, FENCE_CUT, 1300, 'A');
}

Test(election_fence, write_does_not_cut_off)
{
    begin_fenced(FENCE_WRITE, 10000);
    elect();
    pass(25);
    promote();
    pass(500);
    expect_order(1, FENCE_PAUSE, 3000, 'A');
}

Test(election_fence, no_does_nothing)
{
    begin_fenced(FENCE_NO, 10000);
    elect();
    pass(25);
    promote();
    pass(500);
    cr_assert_eq(orders(), 0);
}

/* Links that wait longer look down. Before the next pause they are let through. */
Test(election_fence, lasts_half_of_the_least_down_after)
{
    begin_fenced(FENCE_FULL, 10000);
    tell_down_after(2, 1000);
    elect();
    pass(25);
    expect_order(1, FENCE_PAUSE, 500, 'A');
    pass(549);
    cr_assert_eq(orders(), 1);
    pass(1);
    expect_order(2, FENCE_PAUSE, 500, 'A');
    promote();
    expect_order(3, FENCE_CUT, 500, 'A');
    pass(399);
    cr_assert_eq(orders(), 3);
    pass(1); /* this one begins when that one ends */
    expect_order(4, FENCE_CUT, 500, 'A');
}

Test(election_fence, is_short_when_nobody_tells_down_after)
{
    begin_fenced(FENCE_FULL, 0);
    elect();
    pass(25);
    expect_order(1, FENCE_PAUSE, 500, 'A');
}

Test(election_fence, is_taken_back_when_the_failover_aborts)
{
    begin_fenced(FENCE_FULL, 10000);
    elect();
    pass(25);
    event(1, EVENT_ABORTED, 'A', 0);
    pass(10);
    all_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
    expect_order(2, FENCE_LIFT, 0, 'A');
}

/* The leader dies right after the promotion: the others keep the old master. */
static void die_after_promotion(int64_t known_after_ms)
{
    elect();
    pass(25);
    promote();
    election_sentinel_lost(e, 1, now);
    election_sentinel_refused(e, 1, now);
    pass(known_after_ms);
    others_say(5, 'A');
    is_replica('B', 'A', "rA", true);
    is_replica('C', 'A', "rA", true);
    is_master('A', "rA", "", 0);
    pass(10);
    others_say(5, 'A');
    is_replica('B', 'A', "rA", true);
    is_replica('C', 'A', "rA", true);
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
}

Test(election_fence, is_taken_back_when_the_leader_dies)
{
    begin_fenced(FENCE_FULL, 10000);
    die_after_promotion(150);
    expect_order(3, FENCE_LIFT, 0, 'A');
}

Test(election_fence, is_not_lifted_when_it_has_ended)
{
    begin_fenced(FENCE_FULL, 1000);
    die_after_promotion(600);
    expect_order(2, FENCE_CUT, 500, 'A');
}

Test(election_fence, a_clients_pause_is_not_lifted)
{
    begin_fenced(FENCE_FULL, 10000);
    client_pause_until = now + 60000;
    die_after_promotion(150);
    expect_order(1, FENCE_PAUSE, 3000, 'A'); /* it makes no pause shorter */
    cr_assert(strstr(story, "a client has paused the old master"));
}

Test(election_fence, a_clients_pause_that_is_over_does_not_count)
{
    begin_fenced(FENCE_FULL, 10000);
    client_pause_until = now;
    elect();
    pass(25);
    promote();
    expect_order(2, FENCE_CUT, 1300, 'A');
}

Test(election_fence, not_again_when_the_leader_is_lost)
{
    begin_fenced(FENCE_FULL, 1000);
    elect();
    pass(25);
    promote();
    expect_order(2, FENCE_CUT, 500, 'A');
    election_sentinel_deaf(e, 1, now);
    pass(450);
    cr_assert_eq(orders(), 2);
}

/* REPLICAOF NO ONE by hand: no Sentinel leads anything. */
Test(election_fence, not_without_a_leader)
{
    begin_fenced(FENCE_FULL, 10000);
    is_master('B', "rB", "rA", 0);
    expect(GROUP_SWITCHING, "a");
    pass(250);
    cr_assert_eq(orders(), 0);
}

Test(election_fence, a_node_that_refuses_is_left_alone)
{
    struct address a = at('A');
    begin_fenced(FENCE_FULL, 10000);
    elect();
    pass(25);
    election_fence_refused(e, &a, "NOPERM this user has no permissions");
    election_fence_refused(e, &a, "EXECABORT");
    promote();
    cr_assert_eq(orders(), 1);
    cr_assert(strstr(story, "NOPERM"));
    cr_assert_null(strstr(story, "EXECABORT"));
}

/* ---- demote = yes ---- */

static void begin_demoting(bool demote)
{
    struct election_options options = usual();
    options.demote = demote;
    begin_with(options);
    steady_on_a();
    promote_b();
}

static bool demotes(uint32_t number)
{
    struct address a = at('A');
    return orders() == number && view()->request.fence.act == FENCE_DEMOTE &&
           address_equal(&view()->request.fenced, &a) &&
           strcmp(view()->request.demote_to, "127.0.0.2:6379") == 0;
}

Test(election_fence, demotes_once_a_majority_names_the_new_master)
{
    begin_demoting(true);
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    cr_assert_eq(orders(), 0); /* its leader alone */
    says(2, 6, 'B');
    expect(GROUP_SWITCHING, "b"); /* it waits for its replicas */
    cr_assert(demotes(1));
    pass(999);
    is_master('B', "rB", "rA", 1);
    cr_assert(demotes(1));
    pass(1);
    is_master('B', "rB", "rA", 1);
    cr_assert(demotes(2)); /* it still says that it is a master */
    is_replica('A', 'B', "rB", true);
    pass(2000);
    is_master('B', "rB", "rA", 0);
    cr_assert(demotes(2));
    expect(GROUP_STEADY, "B");
}

Test(election_fence, demotes_nobody_unless_told_to)
{
    begin_demoting(false);
    all_say(6, 'B');
    cr_assert_eq(orders(), 0);
}

Test(election_fence, demotes_nobody_who_is_a_stranger)
{
    begin_demoting(true);
    is_master('A', "rX", "", 0);
    others_say(6, 'B');
    pass(2000);
    others_say(6, 'B');
    cr_assert_eq(orders(), 0);
}

Test(election_fence, demotes_nobody_for_long)
{
    begin_demoting(true);
    others_say(6, 'B');
    is_master('B', "rB", "rA", 0);
    for (int i = 0; i < 12; i++) {
        pass(1000);
        others_say(6, 'B');
    }
    uint32_t told = orders();
    cr_assert_leq(told, 11);
    pass(1000);
    others_say(6, 'B');
    cr_assert_eq(orders(), told);
}

/* ---- a promotion that is undone after it was recorded ---- */

static void turns_back_b(void)
{
    pass(17);
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    is_replica('B', 'A', "rB", false);
}

/* Recorded: 05:16:09.990 +elected-leader, .137 SLAVEOF NO ONE, 11.026 +promoted-slave, 11.043 another
 * Sentinel's +convert-to-slave, 11.109 +switch-master from the observers; at 48.4 they find the node that
 * they name to be no master. Writes stalled for 39.6 s. */
Test(election_fence, goes_on_with_the_old_master_when_the_named_one_follows_it)
{
    begin_fenced(FENCE_FULL, 10000);
    promote_b();
    pass(870);
    event(1, EVENT_PROMOTED, 'A', 'B');
    turns_back_b();
    pass(66);
    is_master('A', "rA", "", 1);
    others_say(6, 'B');
    expect(GROUP_STEADY, "a"); /* it waits for its replicas */
    pass(6000);
    all_say(6, 'B');
    is_replica('B', 'A', "rA", true);
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
    pass(30000);
    all_say(6, 'B');
    expect(GROUP_STEADY, "A");
    event(2, EVENT_ELECTED_LEADER, 'B', 0);
    expect(GROUP_SWITCHING, "a");
    event(2, EVENT_SELECTED_REPLICA, 'B', 'C');
    event(2, EVENT_WAIT_PROMOTION, 'B', 0);
    expect(GROUP_SWITCHING, "-");
    is_master('C', "rC", "rA", 0);
    pass(900);
    says(2, 7, 'C');
    says(1, 7, 'C');
    expect(GROUP_STEADY, "C");
}

/* Before the promotion it followed the old master, too. */
Test(election_fence, an_old_answer_of_the_named_one_proves_nothing)
{
    begin_fenced(FENCE_FULL, 10000);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    promote();
    pass(900);
    is_master('A', "rA", "", 0);
    others_say(6, 'B');
    expect(GROUP_SWITCHING, "-");
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

/* ---- a reload in the middle of it ---- */

static void change_to(enum fence fence, bool eager)
{
    struct election_options options = usual();
    options.story = tell;
    options.fence = fence;
    options.eager = eager;
    options.writes = (struct election_writes){.quiet = is_quiet, .paused_until = paused_until};
    election_change(e, &options, now);
}

Test(election_fence, a_switch_ends_by_the_rules_that_it_began_with)
{
    begin_fenced(FENCE_FULL, 10000);
    elect();
    pass(25);
    expect_order(1, FENCE_PAUSE, 3000, 'A');
    change_to(FENCE_NO, true);
    pass(75);
    promote();
    expect_order(2, FENCE_CUT, 1300, 'A');
    is_master('B', "rB", "rA", 0);
    cr_assert_neq(view()->state, GROUP_PROVISIONAL, "it was not eager when it began");
    others_say(6, 'B');
    expect(GROUP_STEADY, "B");
    pass(1);
    /* The next one begins with the others. */
    pass(60000);
    event(1, EVENT_TRY_FAILOVER, 'B', 0);
    event(1, EVENT_ELECTED_LEADER, 'B', 0);
    pass(100);
    cr_assert_eq(orders(), 2, "nobody is fenced any more: %u\n%s", orders(), story);
}

Test(election_fence, in_steady_times_other_rules_count_at_once)
{
    begin_fenced(FENCE_NO, 10000);
    change_to(FENCE_FULL, false);
    elect();
    pass(25);
    expect_order(1, FENCE_PAUSE, 3000, 'A');
}
