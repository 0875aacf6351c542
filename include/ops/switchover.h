/*
 * switchover: a planned switchover at work, shared by its two files: admin_switchover.c takes the steps, switchover_report.c
 * tells what came of them. Nobody else includes this.
 */
#ifndef REDISPROXY_OPS_SWITCHOVER_H
#define REDISPROXY_OPS_SWITCHOVER_H

#include "ops/admin_ask.h"
#include "ops/admin_hold.h"
#include "ops/candidates.h"

#define ANSWER_MS 3000           /* for one question */
#define QUIET_MS 3000            /* for what is unanswered when the hold begins */
#define CATCH_UP_MS 3000         /* for the replicas, once it is held */
#define BEHIND_MAX (1024 * 1024) /* bytes, before it is held */

enum phase { CHECK_QUORUM, CHECK_REPLICAS, CHECK_STEP, HOLD, CATCH_UP, ASK, WAIT, VERIFY, PHASES };

struct planned_switch {
    struct admin_job job;
    struct admin_call *call;
    struct admin_core *core;
    struct admin_hold hold;
    struct admin_ask *question; /* is under way */
    enum phase phase;
    int64_t phase_ms, until_ms; /* when this phase began; when it has failed */
    int64_t took_ms[PHASES], timeout_ms;
    size_t group, sentinel; /* which of the configured ones is asked */
    uint64_t old;
    struct endpoint master, now; /* the old one; the new one */
    char master_name[ENDPOINT_TEXT_MAX], now_name[ENDPOINT_TEXT_MAX];
    const char *to; /* NULL: whom Sentinel likes */
    struct candidates candidates;
    size_t measured;       /* candidates whose offset is known, of this round */
    int64_t master_offset; /* of this round; -1: not known yet */
    bool coordinated, held, verified, failed;
    char why[400];
};

const char *switchover_group(const struct planned_switch *s);
/* The next phase begins; it has failed when it takes longer. */
void switchover_enter(struct planned_switch *s, enum phase phase, int64_t limit_ms);
/* It is over: why. */
void switchover_fail(struct planned_switch *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What it means that the present phase takes too long. */
const char *switchover_late(const struct planned_switch *s);
/* What was done, and how long each phase took: the call's result. */
cJSON *switchover_report(struct planned_switch *s);

#endif
