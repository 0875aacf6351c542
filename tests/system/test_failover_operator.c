/*
 * failover_operator: what operators do to a running group, and what clients must not notice of it
 * (scenario/operator.c, scenario/transactions.c).
 */
#include "harness/suite.h"
#include "scenario/check.h"

const struct suite suite = {.alone = true};

Test(failover_operator, another_port, .timeout = 200)
{
    check_scenario(&scenario_port);
}

Test(failover_operator, another_password, .timeout = 200)
{
    check_scenario(&scenario_password);
}

Test(failover_operator, the_failover_command, .timeout = 200)
{
    check_scenario(&scenario_failover_command);
}

Test(failover_operator, the_failover_command_in_a_failover, .timeout = 200)
{
    check_scenario(&scenario_failover_race);
}

Test(failover_operator, transactions, .timeout = 200)
{
    check_scenario(&scenario_transactions);
}
