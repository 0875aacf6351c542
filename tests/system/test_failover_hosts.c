/*
 * failover_hosts: whole hosts that go and come back (scenario/hosts.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_hosts, two_of_three, .timeout = 200)
{
    check_scenario(&scenario_two_hosts_gone);
}

Test(failover_hosts, all_with_new_addresses, .timeout = 200)
{
    check_scenario(&scenario_all_gone);
}
