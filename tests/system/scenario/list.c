/*
 * list: all scenarios, in the order in which `make failover` plays them.
 */
#include "scenario/all.h"

#include <stddef.h>

const struct scenario *const scenarios[] = {
    &scenario_planned,
    &scenario_planned_0,
    &scenario_rolling,
    &scenario_leader_dies,
    &scenario_rolling_address,
    &scenario_rolling_names,
    &scenario_restart,
    &scenario_killed,
    &scenario_hang,
    &scenario_black_hole,
    &scenario_slow,
    &scenario_abort,
    &scenario_abort_late,
    &scenario_leader_silent,
    &scenario_second,
    &scenario_new_master_dies,
    &scenario_stale,
    &scenario_sentinels_rolling,
    &scenario_sentinels_gone,
    &scenario_three_failovers,
    &scenario_reset,
    &scenario_monitor_again,
    &scenario_no_replicas,
    &scenario_replica_trouble,
    &scenario_stranger,
    &scenario_two_hosts_gone,
    &scenario_all_gone,
    &scenario_minority_serve,
    &scenario_minority_hold,
    &scenario_coordinated,
    NULL,
};
