/*
 * election: what is told and shown of a majority that goes and comes back. Whether writes are held
 * meanwhile is test_election_failures.c's.
 */
#include "unit/election_world.h"

TestSuite(election_quorum, .fini = end);

enum { ELECTION_CONTESTED = 10000 };

static int told(const char *text)
{
    int count = 0;
    for (const char *at = story; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void expect_told(int gone, int back)
{
    cr_assert_eq(told("no majority of the Sentinels agrees"), gone, "%s", story);
    cr_assert_eq(told("a majority of the Sentinels agrees again"), back, "%s", story);
}

static void lose_two(void)
{
    begin(false, -1);
    cr_assert_not(view()->quorum); /* nobody was heard yet */
    steady_on_a();
    cr_assert(view()->quorum);
    election_sentinel_lost(e, 2, now);
    cr_assert(view()->quorum);
    election_sentinel_lost(e, 3, now);
}

Test(election_quorum, a_majority_that_is_away_is_told_and_shown_after_two_seconds)
{
    lose_two();
    pass(1999);
    cr_assert(view()->quorum);
    expect_told(0, 0);
    pass(1);
    cr_assert_not(view()->quorum);
    expect_told(1, 0);
    says(1, 5, 'A');
    pass(60000);
    expect_told(1, 0);
    says(1, 5, 'A');
    says(3, 5, 'A');
    cr_assert(view()->quorum);
    expect_told(1, 1);
}

Test(election_quorum, a_short_absence_is_no_news)
{
    lose_two();
    pass(1000);
    says(2, 5, 'A');
    cr_assert(view()->quorum);
    election_sentinel_lost(e, 2, now);
    pass(1500);
    cr_assert(view()->quorum);
    expect_told(0, 0);
}

/* The majority has failed over meanwhile: it is back all the same. */
Test(election_quorum, a_majority_that_comes_back_with_another_master_is_told)
{
    lose_two();
    pass(3000);
    expect_told(1, 0);
    says(2, 6, 'B');
    says(3, 6, 'B');
    cr_assert(view()->quorum);
    is_master('B', "rB", "rA", 0);
    says(2, 6, 'B');
    expect(GROUP_STEADY, "B");
    expect_told(1, 1);
}

/* An address that one of three names is anybody's. */
Test(election_quorum, what_one_sentinel_names_is_not_used)
{
    struct address d = at('D');
    begin(false, -1);
    steady_on_a();
    for (int i = 0; i < 3; i++)
        election_sentinel_lists(e, 1, &d, NULL, now);
    is_replica('D', 'A', "rA", true);
    cr_assert_not(node('D')->named);
    cr_assert_not(readable('D'));
    says(1, 99, 'D');
    event(1, EVENT_SWITCH_MASTER, 'A', 'D');
    is_master('D', "rD", "rA", 0); /* as if it had been promoted */
    expect(GROUP_STEADY, "A");
    pass(ELECTION_CONTESTED);
    others_say(5, 'A');
    says(1, 99, 'D');
    expect(GROUP_STEADY, "A");
    cr_assert_not(node('D')->named);
    says(2, 99, 'D');
    expect(GROUP_STEADY, "D");
}

/* It stays so when the lists are incomplete for a while, after a switch or SENTINEL RESET. */
Test(election_quorum, what_a_majority_has_named_is_remembered)
{
    begin(false, -1);
    steady_on_a();
    pass(3000);
    all_say(5, 'A');
    cr_assert(node('B')->named && node('B')->in_group);
    is_replica('B', 'A', "rX", true);
    cr_assert(node('B')->named && !node('B')->in_group);
    is_replica('B', 'A', "rA", true);
    cr_assert(readable('B'));
}

Test(election_quorum, two_entries_of_one_sentinel_name_once)
{
    struct address d = at('D');
    begin(false, -1);
    steady_on_a();
    election_sentinel_add(e, 4, false, "s4");
    election_sentinel_runid(e, 4, "one");
    election_sentinel_runid(e, 1, "one");
    says(4, 5, 'A');
    election_sentinel_lists(e, 1, &d, NULL, now);
    election_sentinel_lists(e, 4, &d, NULL, now);
    cr_assert_not(node('D')->named);
    election_sentinel_lists(e, 2, &d, NULL, now);
    cr_assert(node('D')->named);
}

Test(election_quorum, one_sentinel_cannot_fill_the_table)
{
    struct address at_port = at('D');
    begin(false, -1);
    steady_on_a();
    for (uint16_t port = 1; port < 1000; port++) {
        at_port.sa.v4.sin_port = htons(port);
        election_sentinel_lists(e, 1, &at_port, NULL, now);
    }
    says(1, 6, 'D');
    cr_assert_not_null(node('D'));
    cr_assert(readable('B') && readable('C'));
}

Test(election_quorum, a_node_that_answers_is_shown_as_up)
{
    struct address b = at('B');
    begin(false, -1);
    list_replicas();
    cr_assert_not(node('B')->shown.up);
    steady_on_a();
    cr_assert(node('B')->shown.up);
    election_node_silent(e, &b, true, now);
    cr_assert_not(node('B')->shown.up);
    is_replica('B', 'A', "rA", true);
    cr_assert(node('B')->shown.up);
    election_node_down(e, &b, NODE_REJECTS, now);
    cr_assert_not(node('B')->shown.up);
}
