/*
 * election: what is told and shown of a majority that goes and comes back. Whether writes are held
 * meanwhile is test_election_failures.c's.
 */
#include "election_world.h"

TestSuite(election_quorum, .fini = end);

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
