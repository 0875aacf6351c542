/*
 * all: every scenario by name, for the list (list.c).
 */
#ifndef TESTS_SYSTEM_SCENARIO_ALL_H
#define TESTS_SYSTEM_SCENARIO_ALL_H

#include "scenario/scenario.h"

/* planned.c */
extern const struct scenario scenario_planned, scenario_planned_unfenced, scenario_planned_demote,
    scenario_planned_0, scenario_abort, scenario_abort_late, scenario_leader_silent,
    scenario_coordinated, scenario_hand_over;
/* rolling.c */
extern const struct scenario scenario_rolling, scenario_rolling_address, scenario_rolling_names,
    scenario_leader_dies, scenario_restart;
/* kubernetes.c */
extern const struct scenario scenario_kubernetes;
/* crash.c */
extern const struct scenario scenario_killed, scenario_hang, scenario_slow, scenario_second,
    scenario_new_master_dies;
/* partition.c */
extern const struct scenario scenario_black_hole, scenario_minority_hold, scenario_minority_serve;
/* sentinels.c */
extern const struct scenario scenario_stale, scenario_sentinels_rolling, scenario_returned_leads,
    scenario_sentinels_gone, scenario_three_failovers, scenario_reset, scenario_monitor_again;
/* replicas.c */
extern const struct scenario scenario_no_replicas, scenario_replica_trouble, scenario_stranger;
/* lag.c */
extern const struct scenario scenario_replica_lags;
/* operator.c */
extern const struct scenario scenario_port, scenario_password, scenario_failover_command,
    scenario_failover_race;
/* crowd.c */
extern const struct scenario scenario_crowd;
/* transactions.c */
extern const struct scenario scenario_transactions;
/* hosts.c */
extern const struct scenario scenario_two_hosts_gone, scenario_all_gone;
/* choices.c */
extern const struct scenario scenario_eager, scenario_eager_leader_dies,
    scenario_eager_leader_hangs, scenario_assist, scenario_assist_leader_dies,
    scenario_inflight_close;
/* fence.c */
extern const struct scenario scenario_direct, scenario_direct_demote, scenario_direct_unfenced,
    scenario_no_rights, scenario_two_proxies;
/* assist.c */
extern const struct scenario scenario_failover_assist, scenario_assist_not_owner,
    scenario_assist_hang, scenario_assist_too_soon;

#endif
