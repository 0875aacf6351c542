/*
 * transactions: what spans several requests, or waits at the node, across switchovers: MULTI and
 * EXEC, WATCH, blocking commands; their effects are looked at one by one (harness/deals.h).
 */
#include "scenario/all.h"

#include "harness/deals.h"
#include "harness/wait.h"

#include <stdio.h>

enum { FAST_SWITCHES = 3, SWITCHES = 6, BETWEEN_MS = 500 };

static void run_transactions(struct stage *s)
{
    char wrong[300];
    struct deals *deals = deals_start(s->target.proxy.host, PROXY_MASTER);
    for (int i = 0; i < (s->fast ? FAST_SWITCHES : SWITCHES); i++) {
        stage_go_on(s, BETWEEN_MS);
        int64_t asked = now_us();
        if (trio_failover(&s->trio) < 0)
            stage_wrong(s, "no Sentinel takes the request");
        stage_switch(s, asked);
        stage_whole(s);
    }
    stage_flow(s, BETWEEN_MS);
    deals_finish(deals, &s->trio, wrong, sizeof(wrong));
    if (wrong[0])
        stage_wrong(s, "%s", wrong);
}

const struct scenario scenario_transactions = {
    .name = "transactions",
    .title = "transactions and blocking commands across switchovers",
    .run = run_transactions,
    .trio = {.min_replicas = 1},
};
