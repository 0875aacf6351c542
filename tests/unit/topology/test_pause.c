/* pause: what the snapshot shows of a group that an operator holds, and when that ends by itself. */
#include "topology/pause.h"

#include <criterion/criterion.h>
#include <string.h>

enum { OLD = 7, NEW = 8 };

static struct topology_node nodes[2] = {{.id = OLD}, {.id = NEW}};

static struct topology_group steady(int master)
{
    return (struct topology_group){.state = GROUP_STEADY,
                                   .master = master,
                                   .writable = true,
                                   .since_ms = 5,
                                   .node_count = 2,
                                   .nodes = nodes};
}

Test(pause, without_one_nothing_is_changed)
{
    struct pause pause = {0};
    struct topology_group group = steady(0);
    cr_expect_eq(pause_apply(&pause, &group, 1000), PAUSE_GOES_ON);
    cr_expect(group.writable && !group.paused && group.since_ms == 5 && !group.reason[0]);
}

Test(pause, writes_wait_until_its_time)
{
    struct pause pause = {0};
    struct topology_group group = steady(0);
    pause_begin(&pause, 1000, 2000, 0);
    cr_expect_eq(pause_apply(&pause, &group, 1500), PAUSE_GOES_ON);
    cr_expect(!group.writable && group.paused && group.paused_until_ms == 2000);
    cr_expect_eq(group.since_ms, 1000);
    cr_expect(group.reason[0]);
    cr_expect_eq(group.master, 0);
    group = steady(0);
    cr_expect_eq(pause_apply(&pause, &group, 2000), PAUSE_TIME);
    cr_expect(group.writable && !group.paused && !pause_is_on(&pause));
}

/* The reason why writes are held anyway is the one that is told. */
Test(pause, what_the_election_holds_it_goes_on_to_hold)
{
    struct pause pause = {0};
    struct topology_group group = steady(0);
    group.writable = false;
    strcpy(group.reason, "a failover has begun");
    pause_begin(&pause, 1000, 2000, 0);
    pause_apply(&pause, &group, 1500);
    cr_expect(group.paused && !group.writable && group.since_ms == 5);
    cr_expect_str_eq(group.reason, "a failover has begun");
}

Test(pause, one_for_a_switchover_ends_at_the_new_master)
{
    struct pause pause = {0};
    struct topology_group group = steady(0);
    pause_begin(&pause, 1000, 9000, OLD);
    cr_expect_eq(pause_apply(&pause, &group, 1100), PAUSE_GOES_ON);
    group = steady(-1);
    group.writable = false;
    cr_expect_eq(pause_apply(&pause, &group, 1200), PAUSE_GOES_ON);
    group = steady(1);
    group.writable = false;
    cr_expect_eq(pause_apply(&pause, &group, 1300), PAUSE_GOES_ON);
    group = steady(1);
    cr_expect_eq(pause_apply(&pause, &group, 1400), PAUSE_SWITCHED);
    cr_expect(group.writable && !group.paused);
}

Test(pause, a_second_one_moves_the_end_only)
{
    struct pause pause = {0};
    pause_begin(&pause, 1000, 2000, 0);
    pause_begin(&pause, 1500, 3000, 0);
    cr_expect(pause.since_ms == 1000 && pause.until_ms == 3000);
    pause_end(&pause);
    cr_expect(!pause_is_on(&pause));
}
