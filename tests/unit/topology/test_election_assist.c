/*
 * election: what the proxy does by itself where it is allowed to: pointing a
 * replica at a promoted node, and asking for a failover. Most of these tests
 * are about when it must not.
 */
#include "unit/election_world.h"

TestSuite(election_assist, .fini = end);

static void replica_at(char node, int64_t offset)
{
    struct node_answer a = {
        .role = ROLE_REPLICA, .link_connected = true, .master = at('A'), .offset = offset};
    answer(node, &a, "rA", "");
}

static void promoted_at(char node, int64_t offset)
{
    struct node_answer a = {
        .role = ROLE_MASTER, .good_replicas_missing = 1, .promoted_offset = offset};
    answer(node, &a, "rB", "rA");
}

static void begin_repointing(bool eager)
{
    struct election_options options = usual();
    options.eager = eager;
    options.reconfigure_assist = true;
    begin_with(options);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
}

static bool repoints(char replica)
{
    struct address address = at(replica);
    return view()->request.repoint_seq == 1 && address_equal(&view()->request.replica, &address) &&
           strcmp(view()->request.master, "127.0.0.2:6379") == 0;
}

Test(election_assist, points_a_replica_at_the_promoted_node)
{
    begin_repointing(true);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    replica_at('C', 500);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    cr_assert_eq(view()->request.repoint_seq, 0);
    promoted_at('B', 500);
    cr_assert(repoints('C'));
    promoted_at('B', 500);
    cr_assert(repoints('C')); /* once */
    is_master('B', "rB", "rA", 0);
    expect(GROUP_PROVISIONAL, "B");
}

/* The leader dies, the others keep the old master: the replica that was taken from it goes back. */
static void end_in_vain(const char *master_of_c)
{
    begin_repointing(true);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    replica_at('C', 500);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    promoted_at('B', 500);
    cr_assert(repoints('C'));
    election_sentinel_deaf(e, 1, now);
    struct node_answer c = {.role = ROLE_REPLICA, .link_connected = true, .offset = 600};
    c.master = at(*master_of_c);
    answer('C', &c, "rB", "");
    is_master('A', "rA", "", 1);
    election_sentinel_lost(e, 1, now);
    pass(3000);
    says(2, 5, 'A');
    says(3, 5, 'A');
    is_master('A', "rA", "", 1);
    says(2, 5, 'A');
    says(3, 5, 'A');
    is_master('A', "rA", "", 1);
    expect(GROUP_STEADY, "a");
}

Test(election_assist, points_it_back_when_the_promotion_came_to_nothing)
{
    struct address replica = at('C');
    end_in_vain("B");
    cr_assert_eq(view()->request.repoint_seq, 2);
    cr_assert(address_equal(&view()->request.replica, &replica));
    cr_assert_str_eq(view()->request.master, "127.0.0.1:6379");
    cr_assert(view()->settling);
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
}

Test(election_assist, does_not_wait_for_it_longer_than_settle_timeout)
{
    end_in_vain("B");
    pass(9999);
    expect(GROUP_STEADY, "a");
    pass(1);
    expect(GROUP_STEADY, "A");
    cr_assert_not(view()->settling);
}

Test(election_assist, does_not_point_it_back_twice)
{
    end_in_vain("A"); /* Sentinel was faster */
    cr_assert_eq(view()->request.repoint_seq, 1);
}

Test(election_assist, not_a_replica_that_is_ahead)
{
    begin_repointing(true);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    replica_at('C', 501);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    promoted_at('B', 500);
    cr_assert_eq(view()->request.repoint_seq, 0);
}

Test(election_assist, not_before_the_selection_was_published)
{
    begin_repointing(true);
    replica_at('C', 500);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    promoted_at('B', 500);
    cr_assert_eq(view()->request.repoint_seq, 0);
}

Test(election_assist, not_when_the_leader_is_gone)
{
    begin_repointing(true);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    replica_at('C', 500);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    election_sentinel_deaf(e, 1, now);
    promoted_at('B', 500);
    cr_assert_eq(view()->request.repoint_seq, 0);
}

Test(election_assist, only_with_eager)
{
    begin_repointing(false);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    replica_at('C', 500);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    promoted_at('B', 500);
    cr_assert_eq(view()->request.repoint_seq, 0);
}

/* ---- failover_assist ---- */

static void says_all(int sentinel, enum failover_step step)
{
    struct sentinel_answer answer = {
        .known = true, .epoch = 5, .step = step, .failover_timeout_ms = 30000};
    answer.named = at('A');
    election_sentinel_answer(e, (uint64_t)sentinel, &answer, now, now);
}

static void sentinels_answer(void)
{
    for (int i = 1; i <= 3; i++)
        says_all(i, FAILOVER_NONE);
}

static void refused(enum node_failure why)
{
    struct address a = at('A');
    election_node_down(e, &a, why, now);
}

/* The run ids make Sentinel 2 the lowest. */
static void begin_assisting(int64_t after_ms)
{
    struct election_options options = usual();
    options.failover_assist_ms = after_ms;
    begin_with(options);
    election_sentinel_runid(e, 1, "b");
    election_sentinel_runid(e, 2, "a");
    election_sentinel_runid(e, 3, "c");
    steady_on_a();
    pass(30000);
    sentinels_answer();
}

/* Refused for so long, tried every 50 ms. */
static void refused_for(int64_t ms, enum node_failure why)
{
    for (int64_t i = 0; i <= ms; i += 50) {
        pass(i ? 50 : 0);
        refused(why);
        sentinels_answer();
    }
}

static void expect_wishes(uint32_t quorum, uint32_t failover)
{
    cr_assert_eq(view()->request.quorum_seq, quorum, "%s", story);
    cr_assert_eq(view()->request.failover_seq, failover, "%s", story);
}

Test(election_assist, asks_the_lowest_run_id_in_three_steps)
{
    begin_assisting(500);
    refused_for(450, NODE_REFUSES);
    expect_wishes(0, 0);
    refused_for(50, NODE_REFUSES);
    expect_wishes(1, 0);
    cr_assert_eq(view()->request.sentinel, 2);
    pass(5);
    election_sentinel_quorum(e, 2, true, now);
    expect_wishes(1, 0); /* nobody was asked again yet */
    pass(5);
    says_all(1, FAILOVER_NONE);
    says_all(2, FAILOVER_NONE);
    refused(NODE_REFUSES);
    expect_wishes(1, 0);
    says_all(3, FAILOVER_NONE);
    expect_wishes(1, 1);
    cr_assert_eq(view()->request.sentinel, 2);
    refused_for(29000, NODE_REFUSES);
    expect_wishes(1, 1); /* not again within failover-timeout */
    cr_assert(strstr(story, "asking for the failover"));
}

Test(election_assist, not_when_it_came_back_meanwhile)
{
    begin_assisting(500);
    refused_for(500, NODE_REFUSES);
    expect_wishes(1, 0);
    pass(5);
    election_sentinel_quorum(e, 2, true, now);
    pass(5);
    is_master('A', "rA", "", 0);
    sentinels_answer();
    refused(NODE_REFUSES);
    pass(100);
    sentinels_answer();
    expect_wishes(1, 0);
}

Test(election_assist, not_when_it_is_only_silent)
{
    begin_assisting(500);
    refused_for(20000, NODE_SILENT);
    expect_wishes(0, 0);
}

Test(election_assist, not_without_quorum)
{
    begin_assisting(500);
    refused_for(500, NODE_REFUSES);
    expect_wishes(1, 0);
    election_sentinel_quorum(e, 2, false, now);
    refused_for(1000, NODE_REFUSES);
    expect_wishes(1, 0);
    refused_for(1500, NODE_REFUSES);
    expect_wishes(2, 0); /* but it tries again */
}

Test(election_assist, not_while_somebody_fails_over)
{
    begin_assisting(500);
    for (int i = 0; i < 40; i++) {
        pass(50);
        refused(NODE_REFUSES);
        says_all(1, FAILOVER_NONE);
        says_all(2, FAILOVER_NONE);
        says_all(3, FAILOVER_WAIT_START);
    }
    expect_wishes(0, 0);
}

Test(election_assist, not_without_a_majority)
{
    begin_assisting(500);
    election_sentinel_lost(e, 1, now);
    election_sentinel_lost(e, 3, now);
    for (int i = 0; i < 40; i++) {
        pass(50);
        refused(NODE_REFUSES);
        says_all(2, FAILOVER_NONE);
    }
    expect_wishes(0, 0);
}

Test(election_assist, not_within_failover_timeout_of_a_switch)
{
    begin_assisting(500);
    event(3, EVENT_TRY_FAILOVER, 'A', 0);
    refused_for(29950, NODE_REFUSES);
    expect_wishes(0, 0);
    refused_for(100, NODE_REFUSES);
    expect_wishes(1, 0);
}

Test(election_assist, not_by_default)
{
    begin_assisting(-1);
    refused_for(5000, NODE_REFUSES);
    expect_wishes(0, 0);
}
