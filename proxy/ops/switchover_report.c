/* switchover_report: see the header. */
#include "ops/switchover.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

const char *switchover_group(const struct planned_switch *s)
{
    return s->core->sources.config->traffic.groups[s->group].name;
}

void switchover_enter(struct planned_switch *s, enum phase phase, int64_t limit_ms)
{
    int64_t now = clock_ms();
    s->took_ms[s->phase] += now - s->phase_ms;
    s->phase = phase;
    s->phase_ms = now;
    s->until_ms = now + limit_ms;
}

void switchover_fail(struct planned_switch *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->why, sizeof(s->why), format, args);
    va_end(args);
    s->failed = true;
}

cJSON *switchover_report(struct planned_switch *s)
{
    static const char *const names[PHASES] = {"check_quorum", "check_replicas", "check_step",
                                              "hold",         "catch_up",       "ask",
                                              "wait",         "verify"};
    cJSON *result = cJSON_CreateObject(), *phases = cJSON_CreateArray();
    int64_t held_ms = s->took_ms[HOLD] + s->took_ms[CATCH_UP] + s->took_ms[ASK] + s->took_ms[WAIT];
    admin_add_text(result, "group", switchover_group(s));
    admin_add_text(result, "from", s->master_name);
    admin_add_text(result, "to", s->now_name);
    cJSON_AddBoolToObject(result, "coordinated", s->phase > ASK && s->coordinated);
    admin_add_number(result, "held_ms", held_ms);
    admin_add_number(result, "total_ms", clock_ms() - s->call->since_ms);
    for (int i = 0; i <= (int)s->phase; i++) {
        cJSON *row = cJSON_CreateObject();
        admin_add_text(row, "phase", names[i]);
        admin_add_number(row, "took_ms", s->took_ms[i]);
        cJSON_AddItemToArray(phases, row);
    }
    cJSON_AddItemToObject(result, "phases", phases);
    return result;
}

const char *switchover_late(const struct planned_switch *s)
{
    static const char no_master[] =
        "Sentinel has taken the request, and there is no new master in time: what was held goes on "
        "with the present one (Sentinel's log says why)";
    static const char *const texts[PHASES] = {
        [CHECK_REPLICAS] = "nothing was changed: Sentinel does not answer",
        [CHECK_STEP] = "nothing was changed: a node does not answer",
        [HOLD] =
            "given up, the old master goes on: commands that were sent before are not answered",
        [CATCH_UP] = "given up, the old master goes on: the replicas do not catch up with it",
        [ASK] = "Sentinel does not answer",
        [WAIT] = no_master,
        [VERIFY] = "it was switched over, but the new master does not answer"};
    return texts[s->phase];
}
