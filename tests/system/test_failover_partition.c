/*
 * failover_partition: hosts that are cut off (scenario/partition.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_partition, black_hole, .timeout = 200)
{
    check_scenario(&scenario_black_hole);
}

Test(failover_partition, minority_is_held, .timeout = 200)
{
    check_scenario(&scenario_minority_hold);
}

Test(failover_partition, minority_is_served, .timeout = 200)
{
    check_scenario(&scenario_minority_serve);
}
