/*
 * failover_replicas: replicas that are gone, in trouble, or not ours (scenario/replicas.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_replicas, none_left, .timeout = 200)
{
    check_scenario(&scenario_no_replicas);
}

Test(failover_replicas, trouble, .timeout = 200)
{
    check_scenario(&scenario_replica_trouble);
}

Test(failover_replicas, a_stranger, .timeout = 200)
{
    check_scenario(&scenario_stranger);
}
