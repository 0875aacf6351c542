/*
 * failover_fence: the old master while it is replaced (scenario/fence.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_fence, a_direct_client_loses_nothing, .timeout = 200)
{
    check_scenario(&scenario_direct);
}

Test(failover_fence, nor_without_good_replicas_when_it_is_demoted, .timeout = 200)
{
    check_scenario(&scenario_direct_demote);
}

Test(failover_fence, without_a_fence_it_does, .timeout = 200)
{
    check_scenario(&scenario_direct_unfenced);
}

Test(failover_fence, without_the_right_it_goes_on, .timeout = 200)
{
    check_scenario(&scenario_no_rights);
}

Test(failover_fence, two_proxies, .timeout = 200)
{
    check_scenario(&scenario_two_proxies);
}
