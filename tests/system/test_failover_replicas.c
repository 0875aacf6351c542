/*
 * failover_replicas: replicas that are gone, in trouble, behind, or not ours (scenario/replicas.c,
 * scenario/lag.c).
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

Test(failover_replicas, behind, .timeout = 200)
{
    check_scenario(&scenario_replica_lags);
}
