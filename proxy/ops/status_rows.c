/* status_rows: what comes one after the other in /status: samples, switchovers, lines of the log. */
#include "ops/status_parts.h"

#include "base/log_json.h"
#include "base/log_recent.h"
#include "ops/history_json.h"
#include "ops/json_text.h"

#include <stdlib.h>

/* ---- samples ---- */

static void add_number(cJSON *object, const char *name, double number)
{
    if (number >= 0)
        json_add_rounded(object, name, number);
    else
        cJSON_AddNullToObject(object, name);
}

static cJSON *sample_object(const struct sample *s)
{
    cJSON *row = cJSON_CreateObject();
    cJSON_AddNumberToObject(row, "at_ms", (double)s->wall_ms);
    add_number(row, "requests_per_s", s->requests_per_s);
    add_number(row, "errors_per_s", s->errors_per_s);
    add_number(row, "p50_ms", s->latency_ms[SAMPLE_P50]);
    add_number(row, "p99_ms", s->latency_ms[SAMPLE_P99]);
    add_number(row, "p999_ms", s->latency_ms[SAMPLE_P999]);
    add_number(row, "held_sessions", (double)s->held);
    add_number(row, "sessions", (double)s->sessions);
    return row;
}

cJSON *status_samples(const struct samples *samples, uint64_t from, uint64_t to)
{
    cJSON *list = cJSON_CreateArray();
    if (to > SAMPLES_MAX && from < to - SAMPLES_MAX)
        from = to - SAMPLES_MAX;
    while (from++ < to) {
        const struct sample *s = samples_at(samples, from);
        if (s)
            cJSON_AddItemToArray(list, sample_object(s));
    }
    return list;
}

/* ---- switchovers ---- */

/* So many of the history's are told; `redisproxy ctl history` has all. */
#define SWITCHOVERS_SHOWN 20

cJSON *status_switchovers(struct history *history, uint64_t from, uint64_t to)
{
    cJSON *list = cJSON_CreateArray();
    struct switchover *all = from < to ? calloc(HISTORY_MAX, sizeof(*all)) : NULL;
    uint64_t number;
    size_t count = all ? history_read(history, all, HISTORY_MAX, &number) : 0;
    if (to > SWITCHOVERS_SHOWN && from < to - SWITCHOVERS_SHOWN)
        from = to - SWITCHOVERS_SHOWN;
    for (size_t i = 0; i < count; i++) {
        uint64_t one = number - count + 1 + i;
        if (one > from && one <= to)
            cJSON_AddItemToArray(list, history_to_json(&all[i]));
    }
    free(all);
    return list;
}

/* ---- lines of the log ---- */

/* {"ts":..., "level":..., "msg":..., "fields":{all others}} */
static cJSON *line_object(const char *line, size_t len)
{
    static const char *const first[] = {"ts", "level", "msg"};
    char text[LOG_JSON_MAX];
    cJSON *fields = cJSON_ParseWithLength(text, log_json(text, sizeof(text), line, len));
    cJSON *row = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
        cJSON *field = cJSON_DetachItemFromObjectCaseSensitive(fields, first[i]);
        if (field)
            cJSON_AddItemToObject(row, first[i], field);
    }
    cJSON_AddItemToObject(row, "fields", fields);
    return row;
}

cJSON *status_log(uint64_t from, uint64_t to)
{
    char line[LOG_LINE_MAX];
    size_t len;
    cJSON *list = cJSON_CreateArray();
    while (from < to && (len = log_recent_next(&from, line)) > 0 && from <= to)
        cJSON_AddItemToArray(list, line_object(line, len));
    return list;
}
