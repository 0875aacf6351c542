/*
 * failover_rolling: rolling upgrades and restarts in the redis-ha chart's way (scenario/rolling.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_rolling, upgrade, .timeout = 200)
{
    check_scenario(&scenario_rolling);
}

Test(failover_rolling, new_addresses, .timeout = 200)
{
    check_scenario(&scenario_rolling_address);
}

Test(failover_rolling, host_names, .timeout = 200)
{
    check_scenario(&scenario_rolling_names);
}

Test(failover_rolling, kubernetes, .timeout = 200)
{
    check_scenario(&scenario_kubernetes);
}

Test(failover_rolling, the_leader_dies, .timeout = 200)
{
    check_scenario(&scenario_leader_dies);
}

Test(failover_rolling, restart_without_prestop, .timeout = 200)
{
    check_scenario(&scenario_restart);
}
