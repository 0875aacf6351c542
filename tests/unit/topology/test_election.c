/*
 * election: recorded sequences of what Sentinels and nodes say, on a clock of
 * the test's own. The times of the planned switchover are those that were
 * measured on a live trio.
 */
#include "unit/election_world.h"

TestSuite(election, .fini = end);

Test(election, planned_switchover)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_TRY_FAILOVER, 'A', 0);
    expect(GROUP_STEADY, "A");
    promote_b();
    expect(GROUP_SWITCHING, "-");
    pass(900);
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    expect(GROUP_SWITCHING, "-");
    pass(57);
    says(2, 6, 'B');
    expect(GROUP_SWITCHING, "b"); /* confirmed, and the good replica is missing */
    pass(12);
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
    cr_assert(view()->settling);
    cr_assert_eq(view()->epoch, 6);
    cr_assert_str_eq(view()->replid[0], "rB");
    cr_assert_str_eq(view()->replid[1], "rA");
    says(3, 6, 'B');
    pass(1000);
    event(1, EVENT_SWITCH_MASTER, 'A', 'B');
    all_say(6, 'B');
    expect(GROUP_STEADY, "B");
    pass(9100);
    cr_assert(!view()->settling);
    cr_assert(strstr(story, "holding writes") && strstr(story, "promotion seen") &&
              strstr(story, "new master confirmed") && strstr(story, "held_ms=1104"));
}

Test(election, majority_does_not_wait_for_the_leader)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    is_master('B', "rB", "rA", 0);
    says(2, 6, 'B');
    expect(GROUP_SWITCHING, "-");
    says(3, 6, 'B');
    expect(GROUP_STEADY, "B");
}

Test(election, aborted_failover_goes_back_after_fresh_answers)
{
    begin(false, -1);
    steady_on_a();
    pass(80);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    pass(60);
    uint32_t polls = view()->poll_seq, probes = node('A')->probe_seq;
    event(1, EVENT_ABORTED, 'A', 0);
    expect(GROUP_SWITCHING, "a");
    cr_assert(view()->poll_seq > polls && node('A')->probe_seq > probes);
    pass(1);
    all_say(5, 'A');
    expect(GROUP_SWITCHING, "a"); /* its ROLE was asked before the abort */
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
    cr_assert(!view()->settling);
}

Test(election, dead_leader_after_the_promotion)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    election_sentinel_lost(e, 1, now);
    pass(2500);
    says(2, 5, 'A');
    says(3, 5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "-"); /* the leader has been silent for less than 3 s */
    pass(600);
    says(2, 5, 'A');
    says(3, 5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
    is_master('B', "rB", "rA", 1); /* it still says master: known, and refused */
    expect(GROUP_STEADY, "A");
    is_replica('B', 'A', "rA", true);
    cr_assert(readable('B'));
}

Test(election, dead_leader_that_returns_with_the_higher_epoch)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    election_sentinel_lost(e, 1, now);
    pass(3300);
    says(1, 6, 'B');
    says(2, 5, 'A');
    says(3, 5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "-"); /* the others will hear of it */
    says(2, 6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

Test(election, a_hold_without_a_promotion_is_doubted_after_3_s)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    pass(2999);
    says(2, 5, 'A');
    says(3, 5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "a");
    pass(1);
    says_step(1, 5, 'A', FAILOVER_WAIT_START);
    says(2, 5, 'A');
    says(3, 5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "a"); /* still in progress at one of them */
    pass(100);
    says(1, 5, 'A');
    expect(GROUP_STEADY, "A");
}

Test(election, not_released_to_an_old_master_that_is_none_any_more)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    pass(3500);
    all_say(5, 'A');
    is_replica('A', 'B', "rA", false);
    expect(GROUP_SWITCHING, "a");
}

Test(election, minority_and_stale_sentinels_unseat_nobody)
{
    begin(false, -1);
    steady_on_a();
    says(3, 9, 'C');
    expect(GROUP_STEADY, "A");
    says(3, 4, 'B');
    expect(GROUP_STEADY, "A");
    for (int i = 1; i <= 3; i++)
        election_sentinel_lost(e, (uint64_t)i, now);
    pass(60000);
    expect(GROUP_STEADY, "A");
    cr_assert(strstr(story, "no majority of the Sentinels agrees"));
}

Test(election, discovered_sentinels_count_while_reached)
{
    begin(false, -1);
    election_sentinel_add(e, 4, false, "s4");
    election_sentinel_add(e, 5, false, "s5");
    says(4, 5, 'A');
    says(5, 5, 'A');
    list_replicas();
    is_master('A', "rA", "", 0);
    is_replica('B', 'A', "rA", true);
    says(1, 5, 'A');
    expect(GROUP_STEADY, "A");
    says(2, 6, 'B');
    says(3, 6, 'B');
    is_master('B', "rB", "rA", 0);
    pass(200);
    expect(GROUP_SWITCHING, "-"); /* B was promoted; 2 of 5 are no majority */
    election_sentinel_lost(e, 4, now);
    election_sentinel_lost(e, 5, now);
    pass(61000);
    says(2, 6, 'B');
    says(3, 6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B"); /* 2 of the 3 that are left */
}

Test(election, one_sentinel_under_two_names_votes_once)
{
    begin(false, -1);
    election_sentinel_runid(e, 1, "same");
    election_sentinel_add(e, 4, false, "s1-again");
    election_sentinel_runid(e, 4, "same");
    says(1, 5, 'A');
    says(4, 5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_NONE, "-");
    says(2, 5, 'A');
    expect(GROUP_STEADY, "A");
}

Test(election, three_masters_at_one_epoch_are_none)
{
    begin(false, -1);
    steady_on_a();
    for (int i = 1; i <= 3; i++)
        event(i, EVENT_ELECTED_LEADER, 'A', 0);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    says(1, 6, 'A');
    says(2, 6, 'B');
    says(3, 6, 'C');
    is_master('B', "rB", "rA", 0);
    is_master('C', "rC", "rA", 0);
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "-");
    for (int i = 0; i < 100; i++) {
        pass(140);
        says(1, 6, 'A');
        says(2, 6, 'B');
        says(3, 6, 'C');
        is_master('A', "rA", "", 0);
        expect(GROUP_SWITCHING, "-");
    }
    says(1, 7, 'C');
    says(2, 7, 'C');
    is_master('C', "rC", "rA", 0);
    expect(GROUP_STEADY, "C");
}

Test(election, remove_and_monitor_lowers_the_epoch)
{
    begin(false, -1);
    steady_on_a();
    struct sentinel_answer unknown = {.known = false};
    for (int i = 1; i <= 3; i++)
        election_sentinel_answer(e, (uint64_t)i, &unknown, now, now);
    expect(GROUP_STEADY, "A");
    all_say(0, 'A');
    expect(GROUP_STEADY, "A");
    cr_assert_eq(view()->epoch, 0);
    /* Set up anew with another master, which never was in this group. */
    all_say(0, 'D');
    expect(GROUP_SWITCHING, "-");
    is_master('D', "rX", "", 0);
    expect(GROUP_SWITCHING, "-");
    pass(2000);
    all_say(0, 'D');
    expect(GROUP_STEADY, "D");
}

Test(election, a_promotion_that_nobody_announced)
{
    begin(false, -1);
    steady_on_a();
    struct address b = at('B');
    election_node_lost(e, &b, now); /* CLIENT KILL */
    expect(GROUP_STEADY, "A");
    cr_assert(readable('B'));
    is_master('B', "rB", "rA", 1);
    expect(GROUP_SWITCHING, "a"); /* in flight counts until the Sentinels have been asked */
    cr_assert(!readable('B'));
    pass(200);
    expect(GROUP_SWITCHING, "-");
    says(2, 6, 'B');
    says(3, 6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

Test(election, a_replica_restarted_as_a_master_is_no_promotion)
{
    begin(false, -1);
    steady_on_a();
    struct node_answer a = {.role = ROLE_MASTER, .runid = "another"};
    struct address b = at('B');
    snprintf(a.replid[0], REPLID_SIZE, "rZ");
    snprintf(a.replid[1], REPLID_SIZE, "rA");
    election_node_answer(e, &b, &a, now, now);
    expect(GROUP_STEADY, "A");
    cr_assert(!readable('B'));
}

Test(election, a_failover_heard_of_only_by_polling)
{
    begin(false, -1);
    steady_on_a();
    pass(10);
    says_step(2, 5, 'A', FAILOVER_SELECT_REPLICA);
    expect(GROUP_SWITCHING, "a");
    says_step(2, 5, 'A', FAILOVER_WAIT_PROMOTION);
    expect(GROUP_SWITCHING, "-");
}

Test(election, released_without_good_replicas_after_settle_timeout)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    says(2, 6, 'B');
    says(3, 6, 'B');
    expect(GROUP_SWITCHING, "b");
    for (int i = 0; i < 99; i++) {
        pass(100);
        says(2, 6, 'B');
        says(3, 6, 'B');
    }
    expect(GROUP_SWITCHING, "b");
    cr_assert_eq(election_deadline(e, now), now + 100);
    pass(100);
    expect(GROUP_STEADY, "B");
    cr_assert(!view()->settling);
}
