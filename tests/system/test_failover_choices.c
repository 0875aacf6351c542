/*
 * failover_choices: what an operator may choose instead of the defaults (scenario/choices.c,
 * scenario/assist.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_choices, eager, .timeout = 200)
{
    check_scenario(&scenario_eager);
}

Test(failover_choices, eager_and_the_leader_dies, .timeout = 200)
{
    check_scenario(&scenario_eager_leader_dies);
}

Test(failover_choices, eager_and_the_leader_hangs, .timeout = 200)
{
    check_scenario(&scenario_eager_leader_hangs);
}

Test(failover_choices, reconfigure_assist, .timeout = 200)
{
    check_scenario(&scenario_assist);
}

Test(failover_choices, reconfigure_assist_and_the_leader_dies, .timeout = 200)
{
    check_scenario(&scenario_assist_leader_dies);
}

Test(failover_choices, failover_assist, .timeout = 200)
{
    check_scenario(&scenario_failover_assist);
}

Test(failover_choices, failover_assist_of_another_owner, .timeout = 200)
{
    check_scenario(&scenario_assist_not_owner);
}

Test(failover_choices, failover_assist_of_a_master_that_hangs, .timeout = 200)
{
    check_scenario(&scenario_assist_hang);
}

Test(failover_choices, failover_assist_after_a_switchover, .timeout = 200)
{
    check_scenario(&scenario_assist_too_soon);
}

Test(failover_choices, inflight_writes_close, .timeout = 200)
{
    check_scenario(&scenario_inflight_close);
}
