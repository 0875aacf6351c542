/* admin_history: the last switchovers (topology/history.h). */
#include "ops/admin_verbs.h"

#include "ops/admin_call.h"
#include "topology/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void add_time(cJSON *row, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char text[32];
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    cJSON_AddStringToObject(row, "began", text);
}

static void add_switchover(cJSON *list, const struct switchover *s)
{
    char name[32];
    cJSON *row = cJSON_CreateObject();
    add_time(row, s->began_ms);
    admin_add_text(row, "group", s->group);
    admin_add_text(row, "from", s->from);
    admin_add_text(row, "to", s->to);
    admin_add_text(row, "result", switch_result_name(s->result));
    admin_add_number(row, "held_ms", switchover_held_ms(s));
    for (int i = 0; i < SWITCH_PHASES; i++) {
        snprintf(name, sizeof(name), "%s_ms", switch_phase_name((enum switch_phase)i));
        admin_add_number(row, name, s->phase_ms[i]);
    }
    for (int i = 0; i < SWITCH_COUNTS; i++) {
        snprintf(name, sizeof(name), "%s_requests", switch_count_name((enum switch_count)i));
        admin_add_number(row, name, (int64_t)s->counts[i]);
    }
    admin_add_text(row, "reason", s->reason);
    cJSON_AddItemToArray(list, row);
}

void admin_history(struct admin_call *call)
{
    const char *name = admin_word(call, 0);
    if (name && admin_group(call, name) < 0)
        return;
    struct switchover *all = calloc(HISTORY_MAX, sizeof(*all));
    if (!all)
        abort();
    size_t count = history_copy(board_history(call->core->sources.board), all, HISTORY_MAX);
    cJSON *result = cJSON_CreateObject(), *list = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++)
        if (!name || strcmp(name, all[i].group) == 0)
            add_switchover(list, &all[i]);
    cJSON_AddItemToObject(result, "switchovers", list);
    free(all);
    admin_done(call, result);
}
