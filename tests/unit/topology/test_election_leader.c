/*
 * election: the Sentinel that leads a failover dies, falls silent, gives up, or is not the one that
 * it seemed to be. Whatever it had done must not be overlooked, and nothing be waited for in vain.
 */
#include "unit/election_world.h"

TestSuite(election_leader, .fini = end);

static void nodes_as_before(void)
{
    is_master('A', "rA", "", 0);
    is_replica('B', 'A', "rA", true);
    is_replica('C', 'A', "rA", true);
}

Test(election_leader, a_leader_that_dies_before_the_promotion)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    pass(50);
    election_sentinel_lost(e, 1, now);
    pass(50);
    election_sentinel_refused(e, 1, now);
    nodes_as_before();
    others_say(5, 'A');
    pass(149);
    nodes_as_before();
    others_say(5, 'A');
    expect(GROUP_SWITCHING, "a"); /* what it had sent may still arrive */
    pass(1);
    is_master('A', "rA", "", 0);
    is_replica('C', 'A', "rA", true);
    others_say(5, 'A');
    expect(GROUP_SWITCHING, "a"); /* B was not asked yet */
    is_replica('B', 'A', "rA", true);
    expect(GROUP_STEADY, "A");
    is_master('B', "rB", "rA", 0); /* after all: too late to be true, but never wrong */
    expect(GROUP_SWITCHING, "a");
}

static void all_answer_after_the_promotion(void)
{
    is_master('A', "rA", "", 0);
    is_master('B', "rB", "rA", 1);
    is_replica('C', 'A', "rA", true);
    others_say(5, 'A');
}

Test(election_leader, a_leader_that_dies_after_the_promotion)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    election_sentinel_lost(e, 1, now);
    pass(100);
    election_sentinel_refused(e, 1, now);
    pass(149);
    all_answer_after_the_promotion();
    expect(GROUP_SWITCHING, "-"); /* its last word may still arrive */
    uint32_t polls = view()->poll_seq, probes = node('C')->probe_seq;
    cr_assert_eq(election_deadline(e, now), now + 1);
    pass(1);
    cr_assert(view()->poll_seq > polls && node('C')->probe_seq > probes);
    all_answer_after_the_promotion();
    expect(GROUP_STEADY, "A"); /* it has recorded nothing: the others will turn B back */
    for (int i = 0; i < 180; i++) {
        pass(100);
        all_answer_after_the_promotion();
        expect(GROUP_STEADY, "A");
    }
    is_replica('B', 'A', "rA", true);
    cr_assert(readable('B'));
}

static void released_after_3_s(int64_t heard_ms)
{
    while (now < heard_ms + 2900) {
        pass(100);
        all_answer_after_the_promotion();
        expect(GROUP_SWITCHING, "-");
    }
    pass(200);
    all_answer_after_the_promotion();
    expect(GROUP_STEADY, "A");
}

/* Its +promoted-slave may have been missed. */
Test(election_leader, a_leader_that_was_not_heard_to_its_end)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    int64_t heard_ms = now;
    says_step(1, 5, 'A', FAILOVER_WAIT_PROMOTION);
    pass(1001);
    election_sentinel_lost(e, 1, now); /* silent since then */
    election_sentinel_refused(e, 1, now);
    released_after_3_s(heard_ms);
}

Test(election_leader, one_of_two_leaders_dies)
{
    begin(false, -1);
    steady_on_a();
    pass(100);
    event(3, EVENT_ELECTED_LEADER, 'A', 0);
    promote_b();
    election_sentinel_lost(e, 3, now);
    election_sentinel_lost(e, 1, now);
    election_sentinel_refused(e, 1, now);
    released_after_3_s(now);
}

Test(election_leader, a_leader_that_recorded_the_promotion_is_waited_for)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    event(1, EVENT_PROMOTED, 'A', 'B');
    election_sentinel_lost(e, 1, now);
    election_sentinel_refused(e, 1, now);
    for (int i = 0; i < 50; i++) {
        pass(100);
        is_master('A', "rA", "", 0);
        is_master('B', "rB", "rA", 0);
        is_replica('C', 'A', "rA", true);
        others_say(5, 'A');
        expect(GROUP_SWITCHING, "-");
    }
    says(1, 6, 'B'); /* back, with its file */
    expect(GROUP_SWITCHING, "-");
    says(2, 6, 'B');
    expect(GROUP_STEADY, "B");
}

Test(election_leader, a_leader_that_returns_and_knows_nothing)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    election_sentinel_lost(e, 1, now);
    election_sentinel_refused(e, 1, now);
    pass(500);
    says(1, 5, 'A');
    others_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
}

Test(election_leader, a_leader_that_falls_silent)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    says_step(1, 5, 'A', FAILOVER_SELECT_REPLICA);
    for (int i = 0; i < 30; i++) {
        pass(100);
        nodes_as_before();
        others_say(5, 'A');
        expect(GROUP_SWITCHING, "a");
    }
    election_sentinel_deaf(e, 1, now);
    pass(20);
    others_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
}

Test(election_leader, a_leader_that_wakes_up_in_tilt)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    says_step(1, 5, 'A', FAILOVER_SELECT_REPLICA);
    election_sentinel_deaf(e, 1, now);
    pass(3100);
    others_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
    for (int i = 0; i < 30; i++) {
        pass(1000);
        others_say(5, 'A');
        says_step(1, 5, 'A', FAILOVER_SELECT_REPLICA); /* it answers, and does not act */
        expect(GROUP_STEADY, "A");
    }
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    says_step(1, 5, 'A', FAILOVER_SEND_PROMOTION);
    expect(GROUP_SWITCHING, "a");
}

Test(election_leader, an_abort_that_was_not_heard)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    pass(100);
    says_step(1, 5, 'A', FAILOVER_SELECT_REPLICA);
    pass(100);
    says(1, 5, 'A');
    others_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
}

/* Behind a name with several addresses another one may answer, and know nothing. */
Test(election_leader, another_sentinel_answers_in_the_dead_leaders_place)
{
    begin(false, -1);
    election_sentinel_runid(e, 1, "one");
    steady_on_a();
    promote_b();
    election_sentinel_lost(e, 1, now);
    pass(100);
    election_sentinel_runid(e, 1, "another");
    says(1, 5, 'A');
    all_answer_after_the_promotion();
    expect(GROUP_SWITCHING, "-");
}

/* One that was not elected, while the leader cannot be asked. */
Test(election_leader, an_abort_that_is_not_the_leaders)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    election_sentinel_lost(e, 1, now);
    pass(100);
    event(2, EVENT_ABORTED, 'A', 0);
    pass(1);
    nodes_as_before();
    others_say(5, 'A');
    expect(GROUP_SWITCHING, "a");
}

/* Configured under two addresses, it is heard twice. */
Test(election_leader, one_leader_on_two_addresses_is_no_rival)
{
    begin(true, -1);
    election_sentinel_add(e, 4, true, "s1-again");
    election_sentinel_runid(e, 1, "one");
    election_sentinel_runid(e, 4, "one");
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    event(4, EVENT_ELECTED_LEADER, 'A', 0);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    is_master('B', "rB", "rA", 0);
    expect(GROUP_PROVISIONAL, "B");
}

/* What was asked before the second one was elected says nothing about it. */
Test(election_leader, another_leader_when_the_first_is_given_up)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    election_sentinel_lost(e, 1, now);
    election_sentinel_lost(e, 2, now);
    pass(5000);
    says(3, 5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "a"); /* no majority */
    event(3, EVENT_ELECTED_LEADER, 'A', 0);
    says(2, 5, 'A');
    expect(GROUP_SWITCHING, "a");
    pass(100);
    others_say(5, 'A'); /* it gave up, and was not heard */
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "a"); /* two have led: 3 s */
}

/* ---- a promotion that the other Sentinels undo, while its leader waits for it ---- */

/* Sentinel 3 had B down as a master for long, and turned it back at once. */
static void promoted_and_turned_back(void)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    says_step(1, 5, 'A', FAILOVER_WAIT_PROMOTION);
    pass(400);
    is_replica('B', 'A', "rA", false);
}

static void one_round(void)
{
    pass(100);
    nodes_as_before();
    says_step(1, 5, 'A', FAILOVER_WAIT_PROMOTION);
    others_say(5, 'A');
}

Test(election_leader, waits_in_vain_for_a_promotion_that_was_undone)
{
    promoted_and_turned_back();
    says_step(1, 5, 'A', FAILOVER_WAIT_PROMOTION); /* asked no later than B */
    others_say(5, 'A');
    expect(GROUP_SWITCHING, "-");
    one_round();
    one_round();
    expect(GROUP_STEADY, "A"); /* not after failover-timeout, three minutes later */
    for (int i = 0; i < 50; i++) {
        one_round();
        expect(GROUP_STEADY, "A");
    }
    says_step(1, 6, 'B',
              FAILOVER_RECONFIGURE); /* B was made a master by hand, and it took that for its own */
    others_say(6, 'B');
    expect(GROUP_SWITCHING, "-");
}

Test(election_leader, a_promotion_is_not_undone_while_somebody_is_master)
{
    promoted_and_turned_back();
    for (int i = 0; i < 50; i++) {
        pass(100);
        is_master('A', "rA", "", 0);
        is_replica('B', 'A', "rA", true);
        is_master('C', "rC", "rA", 0);
        says_step(1, 5, 'A', FAILOVER_WAIT_PROMOTION);
        others_say(5, 'A');
        expect(GROUP_SWITCHING, "-");
    }
}

Test(election_leader, a_promotion_is_not_undone_while_somebody_is_silent)
{
    struct address c = at('C');
    promoted_and_turned_back();
    election_node_silent(e, &c, true, now); /* SLAVEOF NO ONE may lie in its socket */
    for (int i = 0; i < 50; i++) {
        pass(100);
        is_master('A', "rA", "", 0);
        is_replica('B', 'A', "rA", true);
        says_step(1, 5, 'A', FAILOVER_WAIT_PROMOTION);
        others_say(5, 'A');
        expect(GROUP_SWITCHING, "-");
    }
}

Test(election_leader, a_promotion_that_has_not_happened_yet_was_not_undone)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    for (int i = 0; i < 50; i++) {
        one_round();
        expect(GROUP_SWITCHING, "-");
    }
}

/* It slept through the 3 s of doubt, and is in TILT now. */
Test(election_leader, wakes_up_behind_its_promotion)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    election_sentinel_lost(e, 1, now);
    pass(3100);
    all_answer_after_the_promotion();
    expect(GROUP_STEADY, "A");
    pass(2000);
    all_answer_after_the_promotion();
    says_step(1, 5, 'A', FAILOVER_WAIT_PROMOTION);
    expect(GROUP_SWITCHING, "-"); /* it may record it yet */
    pass(3000);
    is_replica('B', 'A', "rA", true);
    one_round();
    one_round();
    expect(GROUP_STEADY, "A");
}
