/*
 * election: a replica says that it is master, and no Sentinel has announced it. Somebody made it one
 * by hand, or a leader did that is out of hearing: every Sentinel is asked, and only if all of
 * them know of no failover do writes go on at once.
 */
#include "unit/election_world.h"

TestSuite(election_stray, .fini = end);

/* B says that it is master; the Sentinels are asked a moment later. */
static void stray(void)
{
    begin(false, -1);
    steady_on_a();
    pass(5000);
    all_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
    is_master('B', "rB", "rA", 1);
    expect(GROUP_SWITCHING, "a");
}

static void asked(void)
{
    uint32_t polls = view()->poll_seq, probes = node('A')->probe_seq;
    cr_assert_eq(election_deadline(e, now), now + 1);
    pass(1);
    cr_assert_eq(view()->poll_seq, polls + 1);
    cr_assert_eq(node('A')->probe_seq, probes + 1);
}

static void ask_again(int64_t ms)
{
    pass(ms);
    is_master('A', "rA", "", 0);
    is_replica('C', 'A', "rA", true);
}

Test(election_stray, made_a_master_by_hand)
{
    stray();
    cr_assert(!readable('B') && readable('C'));
    all_say(5, 'A'); /* asked before B said it */
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "a");
    asked();
    is_master('A', "rA", "", 0);
    says(1, 5, 'A');
    says(2, 5, 'A');
    expect(GROUP_SWITCHING, "a"); /* a majority is not enough */
    says(3, 5, 'A');
    expect(GROUP_STEADY, "A");
    cr_assert(!view()->settling && strstr(story, "held_ms=1"));
}

Test(election_stray, nothing_flaps_until_sentinel_turns_it_back)
{
    stray();
    asked();
    all_say(5, 'A');
    is_master('A', "rA", "", 0);
    struct address b = at('B');
    for (int i = 0; i < 100; i++) {
        expect(GROUP_STEADY, "A");
        cr_assert(!readable('B') && readable('C'));
        pass(100);
        all_say(5, 'A');
        is_master('A', "rA", "", 0);
        if (i % 10 == 3)
            election_node_lost(e, &b, now);
        else
            is_master('B', "rB", "rA", 1);
    }
    is_replica('B', 'A', "rB", false);
    cr_assert(!readable('B'));
    is_replica('B', 'A', "rA", true);
    cr_assert(readable('B'));
    is_master('B', "rB", "rA", 1); /* once more */
    expect(GROUP_SWITCHING, "a");
}

Test(election_stray, its_role_is_heard_before_the_leaders_word)
{
    stray();
    asked();
    is_master('A', "rA", "", 0);
    says(1, 5, 'A');
    says(2, 5, 'A');
    says_step(3, 5, 'A', FAILOVER_WAIT_PROMOTION);
    expect(GROUP_SWITCHING, "-");
    pass(900);
    says_step(3, 6, 'B', FAILOVER_RECONFIGURE);
    says(1, 6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

/* Its leader is known from polling alone: when it dies, its word may come back. */
Test(election_stray, an_unheard_leader_dies_after_it_recorded_the_promotion)
{
    stray();
    asked();
    says(1, 5, 'A');
    says(2, 5, 'A');
    says_step(3, 6, 'B', FAILOVER_RECONFIGURE);
    expect(GROUP_SWITCHING, "-");
    election_sentinel_lost(e, 3, now);
    for (int i = 0; i < 95; i++) {
        ask_again(100);
        says(1, 5, 'A');
        says(2, 5, 'A');
        expect(GROUP_SWITCHING, "-");
    }
    says(3, 6, 'B');
    says(2, 6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

Test(election_stray, the_failover_has_just_ended)
{
    stray();
    asked();
    is_master('A', "rA", "", 0);
    says(1, 5, 'A');
    says(2, 5, 'A');
    says(3, 6, 'B');
    expect(GROUP_SWITCHING, "a");
    pass(199);
    expect(GROUP_SWITCHING, "-");
    says(2, 6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

Test(election_stray, another_epoch_is_no_agreement)
{
    stray();
    asked();
    is_master('A', "rA", "", 0);
    says(1, 5, 'A');
    says(2, 5, 'A');
    says(3, 6, 'A');
    expect(GROUP_SWITCHING, "a");
}

/* The leader died between SLAVEOF NO ONE and its answer: it may have promoted. */
Test(election_stray, one_sentinel_does_not_answer)
{
    stray();
    asked();
    election_sentinel_lost(e, 3, now);
    for (int i = 0; i < 29; i++) {
        ask_again(100);
        says(1, 5, 'A');
        says(2, 5, 'A');
        expect(GROUP_SWITCHING, i < 1 ? "a" : "-");
    }
    ask_again(110);
    says(1, 5, 'A');
    says(2, 5, 'A');
    expect(GROUP_STEADY, "A");
}

Test(election_stray, a_sentinel_that_was_only_heard_of_must_answer_too)
{
    begin(false, -1);
    election_sentinel_add(e, 4, false, "s4");
    election_sentinel_runid(e, 4, "four");
    steady_on_a();
    pass(100);
    is_master('B', "rB", "rA", 1);
    asked();
    is_master('A', "rA", "", 0);
    all_say(5, 'A');
    expect(GROUP_SWITCHING, "a");
    says(4, 5, 'A');
    expect(GROUP_STEADY, "A");
}

Test(election_stray, two_addresses_of_one_sentinel_answer_once)
{
    begin(false, -1);
    election_sentinel_add(e, 4, false, "s3-again");
    election_sentinel_runid(e, 3, "three");
    election_sentinel_runid(e, 4, "three");
    steady_on_a();
    election_sentinel_lost(e, 3, now); /* it has moved */
    says(4, 5, 'A');
    pass(100);
    is_master('B', "rB", "rA", 1);
    asked();
    is_master('A', "rA", "", 0);
    says(1, 5, 'A');
    says(2, 5, 'A');
    expect(GROUP_SWITCHING, "a");
    says(4, 5, 'A');
    expect(GROUP_STEADY, "A");
}

Test(election_stray, an_event_makes_earlier_answers_worthless)
{
    stray();
    asked();
    is_master('A', "rA", "", 0);
    says(1, 5, 'A');
    says(2, 5, 'A');
    event(2, EVENT_SWITCH_MASTER, 'A', 'B');
    says(3, 5, 'A');
    expect(GROUP_SWITCHING, "a");
    says(2, 6, 'B');
    says(3, 6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

Test(election_stray, the_old_master_must_say_so_as_well)
{
    stray();
    asked();
    all_say(5, 'A');
    expect(GROUP_SWITCHING, "a"); /* its ROLE was asked before */
    is_replica('A', 'B', "rA", false);
    expect(GROUP_SWITCHING, "a");
}
