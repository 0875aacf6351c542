/*
 * failover_planned: switchovers that were asked for, and those that come to nothing (scenario/planned.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_planned, in_a_row, .timeout = 200)
{
    check_scenario(&scenario_planned);
}

Test(failover_planned, without_a_fence, .timeout = 200)
{
    check_scenario(&scenario_planned_unfenced);
}

Test(failover_planned, with_demotion, .timeout = 200)
{
    check_scenario(&scenario_planned_demote);
}

Test(failover_planned, min_replicas_0, .timeout = 200)
{
    check_scenario(&scenario_planned_0);
}

Test(failover_planned, with_8000_clients, .timeout = 200)
{
    check_scenario(&scenario_crowd);
}

Test(failover_planned, no_good_replica, .timeout = 200)
{
    check_scenario(&scenario_abort);
}

Test(failover_planned, the_candidate_hangs, .timeout = 200)
{
    check_scenario(&scenario_abort_late);
}

Test(failover_planned, the_leader_dies_when_elected, .timeout = 200)
{
    check_scenario(&scenario_leader_silent);
}

Test(failover_planned, the_master_pauses_writes, .timeout = 200)
{
    check_scenario(&scenario_coordinated);
}

Test(failover_planned, the_master_hands_over, .timeout = 200)
{
    check_scenario(&scenario_hand_over);
}
