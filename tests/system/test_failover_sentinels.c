/*
 * failover_sentinels: Sentinels that are stale, away, or at odds (scenario/sentinels.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_sentinels, one_is_stale, .timeout = 200)
{
    check_scenario(&scenario_stale);
}

Test(failover_sentinels, one_by_one, .timeout = 200)
{
    check_scenario(&scenario_sentinels_rolling);
}

Test(failover_sentinels, all_gone, .timeout = 200)
{
    check_scenario(&scenario_sentinels_gone);
}

Test(failover_sentinels, three_failovers, .timeout = 200)
{
    check_scenario(&scenario_three_failovers);
}

Test(failover_sentinels, reset, .timeout = 200)
{
    check_scenario(&scenario_reset);
}

Test(failover_sentinels, remove_and_monitor, .timeout = 200)
{
    check_scenario(&scenario_monitor_again);
}

Test(failover_sentinels, one_comes_back_and_leads, .timeout = 200)
{
    check_scenario(&scenario_returned_leads);
}
