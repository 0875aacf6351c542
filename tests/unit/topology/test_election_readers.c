/*
 * election: the provisional state, who may be read when, and who is forgotten.
 */
#include "unit/election_world.h"

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

/* ---- reads apart from writes ---- */

/* "-" nobody, "A" the master that serves reads where no replica does */
static const char *reader(void)
{
    static char text[2];
    text[0] = '-';
    for (char c = 'A'; view()->reader >= 0 && c <= 'D'; c++) {
        if (node(c) == view()->nodes[view()->reader])
            text[0] = c;
    }
    return text;
}

static void read_by(const char *master, bool a, bool b, bool c)
{
    cr_assert_str_eq(reader(), master, "read by %s, not %s; %s", reader(), master, view()->reason);
    cr_assert(readable('A') == a && readable('B') == b && readable('C') == c, "%d%d%d %s",
              readable('A'), readable('B'), readable('C'), view()->reason);
}

static void links_lost(void)
{
    is_replica('B', 'A', "rA", false);
    is_replica('C', 'A', "rA", false);
    pass(1);
}

static void a_is(struct node_answer says, const char *replid, const char *runid)
{
    struct address address = at('A');
    says.role = ROLE_MASTER;
    snprintf(says.replid[0], REPLID_SIZE, "%s", replid);
    snprintf(says.runid, RUNID_SIZE, "%s", runid);
    election_node_answer(e, &address, &says, now, now);
}

Test(election_readers, a_restarted_master_is_read_while_it_waits_for_its_replicas)
{
    begin(false, -1);
    steady_on_a();
    read_by("A", false, true, true);
    links_lost();
    a_is((struct node_answer){.good_replicas_missing = 1}, "rA", "again");
    expect(GROUP_STEADY, "a");
    read_by("A", false, false, false);
    is_replica('B', 'A', "rA", true);
    read_by("A", false, true, false);
}

Test(election_readers, while_the_master_loads_its_replicas_serve_what_they_have)
{
    begin(false, 500);
    steady_on_a();
    links_lost();
    a_is((struct node_answer){.unready = true}, "rA", "again");
    expect(GROUP_STEADY, "a");
    read_by("-", false, true, true);
    cr_assert_eq(election_deadline(e, now), now + 500);
    pass(499);
    read_by("-", false, true, true);
    pass(1);
    read_by("-", false, false, false); /* older than stale_reads allows */
    a_is((struct node_answer){.role = ROLE_MASTER}, "rA", "again");
    read_by("A", false, false, false);
}

Test(election_readers, a_foreign_master_is_not_read)
{
    begin(false, -1);
    steady_on_a();
    is_replica('B', 'C', "rA", true); /* mispointed, but with the group's data */
    is_replica('C', 'C', "rA", true);
    pass(1);
    a_is((struct node_answer){.role = ROLE_MASTER}, "rX", "other");
    expect(GROUP_STEADY, "a");
    read_by("-", false, true, true);
}

Test(election_readers, a_master_that_leaves_or_lost_its_quorum_is_read)
{
    struct election_options options = usual();
    struct address a = at('A');
    options.quorum_timeout_ms = 5000;
    begin_with(options);
    steady_on_a();
    links_lost();
    is_master('A', "rA", "", 0);
    election_node_leaving(e, &a, true, now);
    expect(GROUP_STEADY, "a");
    read_by("A", false, false, false);
    election_node_leaving(e, &a, false, now);
    pass(5000);
    expect(GROUP_STEADY, "a");
    read_by("A", false, false, false);
}

Test(election_readers, a_switch_of_two_nodes_is_read_through)
{
    struct address c = at('C');
    begin(false, -1);
    steady_on_a();
    election_node_down(e, &c, NODE_REFUSES, now);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    read_by("A", false, true, false);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    read_by("A", false, false, false); /* B's clients are about to be killed */
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    read_by("-", false, true, false); /* and all the same there is nobody else */
    is_master('B', "rB", "rA", 1);
    read_by("B", false, false, false);
    all_say(6, 'B');
    expect(GROUP_SWITCHING, "b"); /* it waits for its replicas */
    read_by("B", false, false, false);
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
    read_by("B", false, false, false);
}

Test(election_readers, the_old_master_is_the_last_of_all)
{
    struct address b = at('B'), c = at('C');
    begin(false, 2000);
    steady_on_a();
    election_node_down(e, &c, NODE_REFUSES, now);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    election_node_down(e, &b, NODE_SILENT, now);
    is_master('A', "rA", "", 0);
    read_by("A", false, false, false);
    pass(2000);
    is_master('A', "rA", "", 0);
    read_by("-", false, false, false);
}

Test(election_readers, nobody_is_read_before_a_master_is_found)
{
    begin(false, -1);
    list_replicas();
    is_replica('B', 'A', "rA", true);
    is_master('A', "rA", "", 0);
    expect(GROUP_NONE, "-");
    read_by("-", false, false, false);
}

Test(election_readers, a_silent_master_leaves_what_its_replicas_have)
{
    struct address a = at('A');
    begin(false, -1);
    steady_on_a();
    links_lost();
    is_master('A', "rA", "", 0);
    read_by("A", false, false, false);
    election_node_silent(e, &a, true, now);
    read_by("-", false, true, true);
}
