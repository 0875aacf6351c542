/*
 * What an election reports of a switch when that has ended: how long each phase took, and at whom it ended. The
 * sequences are those of test_election*.c.
 */
#include "unit/election_world.h"

TestSuite(election_summary, .fini = end);

static struct switchover last;
static int reports;

static void report(void *arg, const struct switchover *s)
{
    (void)arg;
    last = *s;
    reports++;
}

static void begin_reported(bool eager)
{
    struct election_options options = usual();
    options.eager = eager;
    options.switched = report;
    begin_with(options);
    steady_on_a();
    cr_assert_eq(reports, 0); /* the first master is no switchover */
}

static void expect_phases(int64_t candidate, int64_t promotion, int64_t majority, int64_t release)
{
    const int64_t wanted[SWITCH_PHASES] = {candidate, promotion, majority, release};
    for (int phase = 0; phase < SWITCH_PHASES; phase++)
        cr_expect_eq(last.phase_ms[phase], wanted[phase], "%s: %lld",
                     switch_phase_name((enum switch_phase)phase), (long long)last.phase_ms[phase]);
}

Test(election_summary, a_planned_switchover)
{
    begin_reported(false);
    promote_b();
    pass(957);
    says(2, 6, 'B');
    says(3, 6, 'B');
    cr_assert_eq(reports, 0); /* the good replica is missing */
    pass(12);
    is_master('B', "rB", "rA", 0);
    expect(GROUP_STEADY, "B");
    cr_assert_eq(reports, 1);
    expect_phases(70, 50, 972, 12);
    cr_expect_eq(last.began_ms, 1104);
    cr_expect_eq(last.result, SWITCH_TO_NEW);
    cr_expect_str_eq(last.group, "g");
    cr_expect_str_eq(last.reason, "a failover has begun");
    cr_expect_str_neq(last.from, last.to);
    cr_expect_eq(last.epoch, 6);
    cr_expect(!last.provisional);
}

Test(election_summary, phases_without_a_sign_are_part_of_the_next_one)
{
    begin_reported(false);
    pass(80);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    pass(200);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0); /* nobody said whom */
    is_master('B', "rB", "rA", 0);
    pass(30);
    says(2, 6, 'B');
    says(3, 6, 'B');
    expect(GROUP_STEADY, "B");
    cr_assert_eq(reports, 1);
    expect_phases(0, 200, 30, 0);
}

Test(election_summary, a_failover_that_does_not_happen_ends_at_the_old_master)
{
    begin_reported(false);
    pass(80);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    pass(60);
    event(1, EVENT_ABORTED, 'A', 0);
    pass(1);
    all_say(5, 'A');
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
    cr_assert_eq(reports, 1);
    expect_phases(0, 0, 0, 61);
    cr_expect_eq(last.result, SWITCH_TO_OLD);
    cr_expect_str_eq(last.from, last.to);
}

/* promotion = eager: writes were held until they went to the promoted node, not until that was confirmed. */
Test(election_summary, a_provisional_master_ends_the_hold)
{
    begin_reported(true);
    pass(80);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    pass(10);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    pass(5);
    is_master('B', "rB", "rA", 0);
    expect(GROUP_PROVISIONAL, "B");
    cr_assert_eq(reports, 0);
    pass(400);
    all_say(6, 'B');
    expect(GROUP_STEADY, "B");
    cr_assert_eq(reports, 1);
    expect_phases(0, 10, 0, 5);
    cr_expect(last.provisional);
    cr_expect_eq(last.result, SWITCH_TO_NEW);
}

/* ---- while it is under way ---- */

static struct switch_going going(void)
{
    static struct group_facts facts;
    memset(&facts, 0, sizeof(facts));
    election_facts(e, now, &facts);
    return facts.going;
}

static void expect_going(enum switch_phase phase, int64_t phase_ms, const char *to)
{
    struct switch_going g = going();
    cr_assert(g.on);
    cr_expect_eq(g.phase, phase, "it is %s", switch_phase_name(g.phase));
    cr_expect_eq(g.phase_ms[phase], phase_ms, "%s: %lld", switch_phase_name(phase),
                 (long long)g.phase_ms[phase]);
    for (int later = phase + 1; later < SWITCH_PHASES; later++)
        cr_expect_eq(g.phase_ms[later], 0);
    cr_expect((*to != '\0') == (*g.to != '\0'), "to: %s", g.to);
    cr_expect_str_eq(g.reason, "a failover has begun");
    cr_expect_str_neq(g.from, "");
}

Test(election_summary, what_goes_on_is_told_with_its_phases_so_far)
{
    begin_reported(false);
    cr_expect(!going().on);
    pass(80);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    int64_t began = now;
    pass(70);
    expect_going(PHASE_CANDIDATE, 70, "");
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    pass(50);
    expect_going(PHASE_PROMOTION, 50, "B");
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    pass(15);
    expect_going(PHASE_MAJORITY, 15, "B");
    is_master('B', "rB", "rA", 1);
    pass(957);
    says(2, 6, 'B');
    says(3, 6, 'B');
    pass(12);
    expect_going(PHASE_RELEASE, 12, "B");
    cr_expect_eq(going().began_ms, began);
    cr_expect_eq(going().phase_ms[PHASE_CANDIDATE], 70);
    cr_expect_eq(going().phase_ms[PHASE_PROMOTION], 50);
    cr_expect_eq(going().phase_ms[PHASE_MAJORITY], 972);
    is_master('B', "rB", "rA", 0);
    cr_expect(!going().on);
}
