/*
 * failover_crash: masters that die, hang or are busy (scenario/crash.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_crash, killed, .timeout = 200)
{
    check_scenario(&scenario_killed);
}

Test(failover_crash, hangs_and_wakes, .timeout = 200)
{
    check_scenario(&scenario_hang);
}

Test(failover_crash, slow_command, .timeout = 200)
{
    check_scenario(&scenario_slow);
}

Test(failover_crash, second_failover, .timeout = 200)
{
    check_scenario(&scenario_second);
}

Test(failover_crash, the_new_master_dies, .timeout = 200)
{
    check_scenario(&scenario_new_master_dies);
}
