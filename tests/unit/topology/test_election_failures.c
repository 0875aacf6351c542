/*
 * election: what goes wrong: masters that hang, refuse, restart or hand over by
 * themselves, Sentinels that are not there. (Leaders that die: test_election_leader.c)
 */
#include "topology/election_nodes.h"
#include "unit/election_world.h"

TestSuite(election_failures, .fini = end);

static void silent(char node, bool yes)
{
    struct address address = at(node);
    election_node_silent(e, &address, yes, now);
}

static void refuses(char node)
{
    struct address address = at(node);
    election_node_down(e, &address, NODE_REFUSES, now);
}

static void restarted(char node, const char *runid, const char *replid, int missing)
{
    struct address address = at(node);
    struct node_answer a = {.role = ROLE_MASTER, .good_replicas_missing = missing};
    snprintf(a.replid[0], REPLID_SIZE, "%s", replid);
    snprintf(a.runid, RUNID_SIZE, "%s", runid);
    election_node_answer(e, &address, &a, now, now);
}

static bool suspect(char name)
{
    return node(name)->shown.suspect;
}

Test(election_failures, a_restarted_node_is_another_process)
{
    begin(false, -1);
    steady_on_a();
    restarted('A', "abcde0", "rA", 0);
    cr_assert_eq(node('A')->shown.process, 0xabcde);
    restarted('A', "", "rA", 0); /* it does not tell */
    cr_assert_eq(node('A')->shown.process, 0xabcde);
    restarted('A', "12345f", "rA", 0);
    cr_assert_eq(node('A')->shown.process, 0x12345);
}

/* ---- the master ---- */

Test(election_failures, a_silent_master_is_suspect_until_it_answers)
{
    begin(false, -1);
    steady_on_a();
    silent('A', true);
    expect(GROUP_STEADY, "A");
    cr_assert(suspect('A'));
    cr_assert_str_eq(view()->reason, "the master does not answer");
    pass(300);
    silent('A', false);
    cr_assert(!suspect('A') && !*view()->reason);
    cr_assert(strstr(story, "node answers again") && strstr(story, "after_ms=300"));
}

/* A front (a mesh, a balancer) takes connections for a dead node and closes them: what the probe meets changes all the
 * time, and none of it is an answer. */
Test(election_failures, a_node_is_up_again_by_an_answer_and_by_nothing_else)
{
    begin(false, -1);
    steady_on_a();
    pass(100);
    int64_t since = now;
    struct address a = at('A');
    cr_assert(node('A')->shown.up);
    silent('A', true);
    for (int i = 0; i < 5; i++) {
        pass(100);
        silent('A', false);
        election_node_lost(e, &a, now);
        cr_assert(!node('A')->shown.up);
        pass(100);
        silent('A', true);
        cr_assert_eq(node_unwell_since(node('A')), since);
    }
    pass(100);
    silent('A', false);
    is_master('A', "rA", "", 0);
    cr_assert(node('A')->shown.up);
    cr_assert_gt(node_unwell_since(node('A')), since);
}

Test(election_failures, a_refusing_master_is_suspect_and_tried_often)
{
    begin(false, -1);
    steady_on_a();
    struct address a = at('A');
    election_node_lost(e, &a, now);
    cr_assert(!suspect('A'));
    refuses('A');
    cr_assert(suspect('A'));
    cr_assert_leq(node('A')->probe_every_ms, 50);
    election_node_down(e, &a, NODE_REJECTS, now); /* its clients' connections may be well */
    cr_assert(!suspect('A'));
}

Test(election_failures, a_master_that_wakes_up_is_never_used_again)
{
    begin(false, -1);
    steady_on_a();
    silent('A', true);
    promote_b();
    is_master('B', "rB", "rA", 0);
    all_say(6, 'B');
    expect(GROUP_STEADY, "B");
    silent('A', false);
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "B");
    says(3, 5, 'A'); /* its Sentinel slept as well */
    pass(500);
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "B");
    cr_assert(!readable('A'));
}

Test(election_failures, woken_before_the_majority_names_another)
{
    begin(false, -1);
    steady_on_a();
    silent('A', true);
    promote_b();
    silent('A', false);
    is_master('A', "rA", "", 0);
    expect(GROUP_SWITCHING, "-");
    others_say(6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

Test(election_failures, restarted_empty_within_seconds)
{
    begin(false, -1);
    steady_on_a();
    refuses('A');
    pass(2000);
    all_say(5, 'A');
    restarted('A', "second", "rNew", 1); /* B and C still are replicas of A */
    expect(GROUP_STEADY, "a");
    cr_assert(view()->settling && !suspect('A'));
    cr_assert_leq(node('A')->probe_every_ms, 20);
    pass(700);
    restarted('A', "second", "rNew", 0);
    expect(GROUP_STEADY, "A");
    cr_assert(view()->settling); /* the replicas may leave and come again */
    cr_assert_str_eq(view()->replid[0], "rNew");
    is_replica('B', 'A', "rNew", true);
    cr_assert(readable('B'));
}

Test(election_failures, shutting_down_and_back)
{
    begin(false, -1);
    steady_on_a();
    struct address a = at('A');
    election_node_leaving(e, &a, true, now);
    expect(GROUP_STEADY, "a");
    cr_assert(node('A')->shown.leaving);
    election_node_lost(e, &a, now);
    refuses('A');
    expect(GROUP_STEADY, "a");
    cr_assert(node('A')->shown.leaving); /* what it left unanswered was not executed */
    pass(2000);
    election_node_leaving(e, &a, false, now);
    expect(GROUP_STEADY, "a");
    restarted('A', "second", "rA2", 0);
    expect(GROUP_STEADY, "A");
}

Test(election_failures, restarted_and_its_replicas_never_return)
{
    begin(false, -1);
    steady_on_a();
    restarted('A', "second", "rNew", 1);
    expect(GROUP_STEADY, "a");
    pass(9999);
    restarted('A', "second", "rNew", 1);
    expect(GROUP_STEADY, "a");
    pass(1);
    restarted('A', "second", "rNew", 1);
    expect(GROUP_STEADY, "A"); /* from now on NOREPLICAS is an answer */
    cr_assert(!view()->settling);
}

Test(election_failures, a_lost_replica_is_no_restart)
{
    begin(false, -1);
    steady_on_a();
    is_master('A', "rA", "", 1);
    expect(GROUP_STEADY, "A");
    cr_assert(!view()->settling);
}

Test(election_failures, a_stranger_on_the_masters_address)
{
    begin(false, -1);
    steady_on_a();
    is_replica('B', 'D', "rA", false);
    is_replica('C', 'D', "rA", false);
    restarted('A', "stranger", "rX", 0);
    expect(GROUP_STEADY, "a");
    pass(1999);
    all_say(5, 'A');
    restarted('A', "stranger", "rX", 0);
    expect(GROUP_STEADY, "a");
}

Test(election_failures, alone_and_restarted)
{
    begin(false, -1);
    steady_on_a();
    refuses('B');
    refuses('C');
    restarted('A', "second", "rNew", 0);
    expect(GROUP_STEADY, "a");
    pass(500);
    restarted('A', "second", "rNew", 0);
    expect(GROUP_STEADY, "A");
}

/* Whom the first master does not know is no member, even if it was there before him. */
Test(election_failures, a_stranger_at_the_start_has_no_say)
{
    begin(false, -1);
    list_replicas();
    is_replica('C', 'D', "rX", true);
    is_replica('B', 'A', "rA", true);
    all_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
    refuses('B');
    restarted('A', "second", "rNew", 0);
    expect(GROUP_STEADY, "a");
    pass(500);
    restarted('A', "second", "rNew", 0);
    expect(GROUP_STEADY, "A");
}

Test(election_failures, everything_back_at_another_address)
{
    begin(false, -1);
    steady_on_a();
    refuses('A');
    refuses('B');
    refuses('C');
    for (int i = 1; i <= 3; i++)
        election_sentinel_lost(e, (uint64_t)i, now);
    pass(30000);
    expect(GROUP_STEADY, "A");
    cr_assert(suspect('A'));
    says(1, 5, 'D'); /* the same name, another address */
    expect(GROUP_STEADY, "A");
    says(2, 5, 'D');
    restarted('D', "new", "rNew", 0);
    expect(GROUP_SWITCHING, "-");
    pass(500);
    says(1, 5, 'D');
    says(2, 5, 'D');
    restarted('D', "new", "rNew", 0);
    expect(GROUP_STEADY, "D");
}

Test(election_failures, hands_over_by_itself)
{
    begin(false, -1);
    steady_on_a();
    is_replica('A', 'B', "rA", false);
    expect(GROUP_SWITCHING, "-");
    is_master('B', "rB", "rA", 1);
    is_replica('A', 'B', "rB", true);
    expect(GROUP_SWITCHING, "b"); /* A itself says so; the good replica is missing */
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
    for (int i = 0; i < 60; i++) {
        pass(1000);
        all_say(5, 'A'); /* the Sentinels do not know, and are not believed */
        expect(GROUP_STEADY, "B");
    }
    is_replica('B', 'A', "rB", true); /* and back */
    is_master('A', "rA2", "rB", 0);
    expect(GROUP_STEADY, "A");
    all_say(6, 'C');
    is_master('C', "rC", "rA2", 0);
    expect(GROUP_STEADY, "C");
}

Test(election_failures, hands_over_and_the_sentinels_elect_another)
{
    begin(false, -1);
    steady_on_a();
    is_master('B', "rB", "rA", 0);
    is_replica('A', 'B', "rB", true);
    expect(GROUP_STEADY, "B");
    event(1, EVENT_ELECTED_LEADER, 'A', 0); /* of the master that they know */
    expect(GROUP_SWITCHING, "b");
    all_say(6, 'C');
    expect(GROUP_SWITCHING, "-");
    is_master('C', "rC", "rB", 0);
    expect(GROUP_STEADY, "C");
}

/* ---- one failover after another ---- */

Test(election_failures, the_new_master_fails_before_its_first_write)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    others_say(6, 'B');
    expect(GROUP_SWITCHING, "b");
    refuses('B');
    pass(1000);
    is_replica('C', 'B', "rB", false);
    event(2, EVENT_ELECTED_LEADER, 'B', 0);
    expect(GROUP_SWITCHING, "b");
    event(2, EVENT_SELECTED_REPLICA, 'B', 'C');
    event(2, EVENT_WAIT_PROMOTION, 'B', 0);
    expect(GROUP_SWITCHING, "-");
    is_master('C', "rC", "rB", 0);
    others_say(7, 'C');
    expect(GROUP_STEADY, "C"); /* at once: its past is B's, which is the group's */
    cr_assert_str_eq(view()->replid[0], "rC");
}

Test(election_failures, a_second_failover_while_the_first_is_reconfigured)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    is_master('B', "rB", "rA", 0);
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    others_say(6, 'B');
    expect(GROUP_STEADY, "B");
    is_replica('C', 'B', "rB", true);
    pass(500);
    event(1, EVENT_PROMOTED, 'A', 'B'); /* of the first one, late */
    expect(GROUP_STEADY, "B");
    event(2, EVENT_ELECTED_LEADER, 'B', 0);
    expect(GROUP_SWITCHING, "b");
    event(2, EVENT_SELECTED_REPLICA, 'B', 'C');
    event(2, EVENT_WAIT_PROMOTION, 'B', 0);
    is_master('C', "rC", "rB", 0);
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    expect(GROUP_SWITCHING, "-");
    others_say(7, 'C');
    expect(GROUP_STEADY, "C");
}

Test(election_failures, not_released_to_a_new_master_that_is_failed_over)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    others_say(6, 'B');
    expect(GROUP_SWITCHING, "b");
    pass(100);
    says_step(2, 6, 'B', FAILOVER_SELECT_REPLICA); /* its events were not heard */
    is_master('B', "rB", "rA", 0);
    expect(GROUP_SWITCHING, "b");
    says(2, 6, 'B');
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

Test(election_failures, the_new_masters_failover_aborts)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    others_say(6, 'B');
    event(2, EVENT_ELECTED_LEADER, 'B', 0);
    expect(GROUP_SWITCHING, "b");
    pass(100);
    event(2, EVENT_ABORTED, 'B', 0);
    pass(1);
    says_step(1, 6, 'B', FAILOVER_RECONFIGURE);
    others_say(6, 'B');
    is_master('B', "rB", "rA", 1);
    expect(GROUP_STEADY, "b"); /* it misses its replicas still */
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
}

Test(election_failures, the_old_master_restarts_during_a_hold)
{
    begin(false, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    refuses('A');
    pass(500);
    restarted('A', "second", "rA2", 1);
    event(1, EVENT_ABORTED, 'A', 0);
    pass(1);
    all_say(5, 'A');
    restarted('A', "second", "rA2", 1);
    expect(GROUP_STEADY, "a"); /* NOREPLICAS is no news for its clients */
    cr_assert(view()->settling);
    restarted('A', "second", "rA2", 0);
    expect(GROUP_STEADY, "A");
}

Test(election_failures, not_released_to_an_old_master_that_leaves)
{
    begin(false, -1);
    steady_on_a();
    struct address a = at('A');
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    pass(100);
    election_node_leaving(e, &a, true, now);
    event(1, EVENT_ABORTED, 'A', 0);
    pass(1);
    all_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "a");
}

/* ---- the majority ---- */

static void begin_holding(void)
{
    struct election_options options = usual();
    options.quorum_timeout_ms = 5000;
    begin_with(options);
    steady_on_a();
}

Test(election_failures, without_a_majority_writes_are_held_if_so_wished)
{
    begin_holding();
    for (int i = 0; i < 10; i++) {
        pass(1000);
        all_say(5, 'A');
        expect(GROUP_STEADY, "A");
    }
    election_sentinel_lost(e, 2, now);
    for (int i = 0; i < 10; i++) {
        pass(1000);
        says(1, 5, 'A');
        says(3, 5, 'A');
        expect(GROUP_STEADY, "A");
    }
    int64_t last = now;
    election_sentinel_lost(e, 3, now);
    pass(1000);
    says(1, 5, 'A');
    expect(GROUP_STEADY, "A");
    cr_assert_leq(election_deadline(e, now), last + 5000);
    pass(3999);
    expect(GROUP_STEADY, "A");
    pass(1);
    expect(GROUP_STEADY, "a");
    cr_assert(strstr(story, "holding writes"));
    pass(60000);
    says(1, 5, 'A');
    expect(GROUP_STEADY, "a");
    says(2, 5, 'A');
    expect(GROUP_STEADY, "A");
    cr_assert(strstr(story, "agrees again"));
}

/* A majority that answered long ago is none: the time counts from when it was asked. */
Test(election_failures, silence_is_no_majority)
{
    begin_holding();
    pass(4999);
    expect(GROUP_STEADY, "A");
    pass(1);
    expect(GROUP_STEADY, "a");
}

Test(election_failures, serve_goes_on_without_a_majority)
{
    begin(false, -1);
    steady_on_a();
    pass(60000);
    expect(GROUP_STEADY, "A");
}

/* ---- eager ---- */

Test(election_failures, eager_does_not_choose_between_two)
{
    begin(true, -1);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    event(2, EVENT_ELECTED_LEADER, 'A', 0);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    is_master('B', "rB", "rA", 0);
    expect(GROUP_SWITCHING, "-");
    is_master('C', "rC", "rA", 0);
    expect(GROUP_SWITCHING, "-");
}

/* ---- replicas ---- */

static void replica_at(char node, int64_t offset)
{
    struct node_answer a = {
        .role = ROLE_REPLICA, .link_connected = true, .master = at('A'), .offset = offset};
    answer(node, &a, "rA", "");
}

Test(election_failures, a_replica_that_lags_is_not_read)
{
    struct election_options options = usual();
    options.replica_lag_ms = 6000;
    begin_with(options);
    steady_on_a();
    for (int64_t i = 0; i < 10; i++) {
        struct node_answer a = {.role = ROLE_MASTER, .offset = 1000 + 100 * i};
        answer('A', &a, "rA", "");
        replica_at('B', 1000 + 100 * i);
        replica_at('C', 1000);
        cr_assert(readable('B'));
        cr_assert_eq(readable('C'), i < 7, "after %d s", (int)i);
        pass(1000);
        all_say(5, 'A');
    }
    replica_at('C', 1900);
    cr_assert(readable('C'));
}
