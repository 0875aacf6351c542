/* history_json: see the header. */
#include "ops/history_json.h"

#include "ops/json_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Every integer up to here is exact in JSON's numbers. */
#define NUMBER_MAX 9007199254740992.0

/* ---- time ---- */

static bool parse_time(const char *text, int64_t *ms)
{
    struct tm utc = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    int thousandths, end = 0;
    if (!rest || sscanf(rest, ".%3dZ%n", &thousandths, &end) != 1 || !end || rest[end] ||
        thousandths < 0)
        return false;
    *ms = (int64_t)timegm(&utc) * 1000 + thousandths;
    return *ms >= 0;
}

/* ---- writing ---- */

cJSON *history_to_json(const struct switchover *s)
{
    cJSON *json = cJSON_CreateObject(), *phases, *requests;
    json_add_time(json, "ts", s->began_ms);
    json_add_text(json, "group", s->group);
    json_add_text(json, "result", switch_result_name(s->result));
    json_add_text(json, "from", s->from);
    json_add_text(json, "to", s->to);
    json_add_text(json, "reason", s->reason);
    cJSON_AddNumberToObject(json, "epoch", (double)s->epoch);
    cJSON_AddBoolToObject(json, "provisional", s->provisional);
    cJSON_AddNumberToObject(json, "held_ms", (double)switchover_held_ms(s));
    phases = cJSON_AddObjectToObject(json, "phases_ms");
    for (int phase = 0; phase < SWITCH_PHASES; phase++)
        cJSON_AddNumberToObject(phases, switch_phase_name((enum switch_phase)phase),
                                (double)s->phase_ms[phase]);
    requests = cJSON_AddObjectToObject(json, "requests");
    for (int what = 0; what < SWITCH_COUNTS; what++)
        cJSON_AddNumberToObject(requests, switch_count_name((enum switch_count)what),
                                (double)s->counts[what]);
    return json;
}

char *history_to_text(const struct switchover *s)
{
    return json_print(history_to_json(s));
}

/* ---- reading ---- */

static const char *text_of(const cJSON *json, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
}

static bool read_text(const cJSON *json, const char *key, char *out, size_t size)
{
    const char *text = text_of(json, key);
    size_t len = 0;
    if (!text)
        return false;
    for (; *text && len < size - 1; text++)
        out[len++] = *text >= ' ' && *text < 0x7f ? *text : '?';
    out[len] = '\0';
    return true;
}

/* A whole number that is not negative. */
static bool read_number(const cJSON *json, const char *key, uint64_t *out)
{
    double number = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(json, key));
    if (!(number >= 0 && number <= NUMBER_MAX))
        return false;
    *out = (uint64_t)number;
    return true;
}

static bool read_result(const cJSON *json, enum switch_result *out)
{
    const char *name = text_of(json, "result");
    for (int i = 0; name && i < SWITCH_RESULTS; i++) {
        *out = (enum switch_result)i;
        if (strcmp(name, switch_result_name(*out)) == 0)
            return true;
    }
    return false;
}

static bool read_numbers(const cJSON *json, struct switchover *out)
{
    const cJSON *phases = cJSON_GetObjectItemCaseSensitive(json, "phases_ms");
    const cJSON *requests = cJSON_GetObjectItemCaseSensitive(json, "requests");
    bool good = read_number(json, "epoch", &out->epoch);
    for (int phase = 0; phase < SWITCH_PHASES; phase++) {
        uint64_t ms = 0;
        good = good && read_number(phases, switch_phase_name((enum switch_phase)phase), &ms) &&
               ms < INT64_MAX / SWITCH_PHASES;
        out->phase_ms[phase] = (int64_t)ms;
    }
    for (int what = 0; what < SWITCH_COUNTS; what++)
        good = good && read_number(requests, switch_count_name((enum switch_count)what),
                                   &out->counts[what]);
    return good;
}

static bool read_switchover(const cJSON *json, struct switchover *out)
{
    const char *ts = text_of(json, "ts");
    out->provisional = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "provisional"));
    return ts && parse_time(ts, &out->began_ms) && read_result(json, &out->result) &&
           read_text(json, "group", out->group, sizeof(out->group)) &&
           read_text(json, "from", out->from, sizeof(out->from)) &&
           read_text(json, "to", out->to, sizeof(out->to)) &&
           read_text(json, "reason", out->reason, sizeof(out->reason)) && read_numbers(json, out);
}

bool history_from_text(const char *text, size_t len, struct switchover *out)
{
    struct switchover s = {0};
    cJSON *json = cJSON_ParseWithLength(text, len);
    bool good = cJSON_IsObject(json) && read_switchover(json, &s);
    cJSON_Delete(json);
    if (good)
        *out = s;
    return good;
}
