/*
 * election: the provisional state, who may be read when, and who is forgotten.
 */
#include "election_world.h"

TestSuite(election_readers, .fini = end);

Test(election_readers, eager_is_provisional_until_confirmed)
{
    begin(true, -1);
    steady_on_a();
    promote_b();
    expect(GROUP_SWITCHING, "-"); /* a good replica is missing */
    is_master('B', "rB", "rA", 0);
    expect(GROUP_PROVISIONAL, "B");
    says(2, 6, 'B');
    says(3, 6, 'B');
    expect(GROUP_STEADY, "B");
}

Test(election_readers, eager_holds_again_when_nobody_confirms)
{
    begin(true, -1);
    steady_on_a();
    promote_b();
    is_master('B', "rB", "rA", 0);
    expect(GROUP_PROVISIONAL, "B");
    pass(2499);
    expect(GROUP_PROVISIONAL, "B");
    pass(1);
    expect(GROUP_SWITCHING, "-");
    is_master('B', "rB", "rA", 0);
    expect(GROUP_SWITCHING, "-"); /* only once */
}

Test(election_readers, eager_holds_again_when_the_leader_dies)
{
    begin(true, -1);
    steady_on_a();
    promote_b();
    is_master('B', "rB", "rA", 0);
    election_sentinel_deaf(e, 1, now);
    expect(GROUP_SWITCHING, "-");
}

Test(election_readers, replicas_are_readable_while_they_follow)
{
    begin(false, -1);
    steady_on_a();
    cr_assert(readable('B') && readable('C') && !readable('A'));
    is_replica('B', 'A', "rX", true); /* another group's data */
    cr_assert(!readable('B'));
    is_replica('B', 'C', "rA", true); /* another master */
    cr_assert(!readable('B'));
    struct address c = at('C');
    election_node_down(e, &c, NODE_SILENT, now);
    cr_assert(!readable('C'));
    is_replica('C', 'A', "rA", true);
    struct node_answer loading = {
        .role = ROLE_REPLICA, .link_connected = true, .master = at('A'), .unready = true};
    answer('C', &loading, "rA", "");
    cr_assert(!readable('C'));
}

Test(election_readers, a_lost_link_counts_once_the_master_is_known_to_live)
{
    begin(false, -1);
    steady_on_a();
    uint32_t probes = node('A')->probe_seq;
    pass(100);
    is_replica('B', 'A', "rA", false);
    cr_assert(readable('B'));
    cr_assert(node('A')->probe_seq > probes);
    pass(1);
    is_master('A', "rA", "", 0);
    cr_assert(!readable('B') && readable('C'));
    is_replica('C', 'A', "rA", false);
    struct address a = at('A');
    election_node_down(e, &a, NODE_REFUSES, now);
    pass(5000);
    is_replica('C', 'A', "rA", false);
    cr_assert(readable('C')); /* the master is dead: C's data is as good as before */
}

Test(election_readers, stale_reads_end)
{
    begin(false, 500);
    steady_on_a();
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    cr_assert(readable('B') && readable('C'));
    cr_assert_eq(election_deadline(e, now), now + 500);
    pass(500);
    cr_assert(!readable('B') && !readable('C'));
}

Test(election_readers, the_old_master_is_read_once_it_follows)
{
    begin(false, -1);
    steady_on_a();
    promote_b();
    is_master('B', "rB", "rA", 0);
    all_say(6, 'B');
    expect(GROUP_STEADY, "B");
    is_master('A', "rA", "", 0);
    cr_assert(!readable('A'));
    is_replica('A', 'B', "rA", false);
    cr_assert(!readable('A'));
    is_replica('A', 'B', "rB", true);
    cr_assert(readable('A'));
}

Test(election_readers, forgets_who_is_gone)
{
    begin(false, -1);
    steady_on_a();
    struct address c = at('C');
    uint64_t id = node('C')->shown.id;
    election_node_down(e, &c, NODE_SILENT, now);
    for (int i = 0; i < 6; i++) {
        pass(1000);
        all_say(5, 'A');
    }
    cr_assert_null(node('C'));
    cr_assert_not_null(node('B')); /* unlisted too, and it answers */
    election_sentinel_lists(e, 1, &c, NULL, now);
    cr_assert_eq(node('C')->shown.id, id);
}
