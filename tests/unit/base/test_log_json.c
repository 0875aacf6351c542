/*
 * log_json: a line is one JSON object with the same fields, and stays one whatever it holds.
 */
#include "base/log_json.h"

#include "base/log_line.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20000 };

/* One object, and nothing behind it; to be freed. */
static cJSON *parse(const char *line, size_t len)
{
    static char out[LOG_JSON_MAX];
    const char *end = NULL;
    size_t json_len = log_json(out, sizeof(out), line, len);
    cr_assert_eq(out[json_len - 1], '\n');
    cr_assert_null(memchr(out, '\n', json_len - 1));
    for (size_t i = 0; i < json_len - 1; i++)
        cr_assert_geq((unsigned char)out[i], ' ');
    cJSON *json = cJSON_ParseWithLengthOpts(out, json_len, &end, false);
    cr_assert(json && cJSON_IsObject(json), "%.*s", (int)json_len, out);
    cr_assert_eq(end, out + json_len - 1);
    return json;
}

static const char *text_of(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);
    return cJSON_IsString(item) ? item->valuestring : "(no text)";
}

Test(log_json, fields_keep_their_values_and_types)
{
    char line[LOG_LINE_MAX];
    size_t len = log_line(line, LOG_WARN, "master \"elected\"",
                          "group=%s epoch=%d version=%s reason=\"%s\" empty=%s", "my\xc3\xbc", -7,
                          "1.0", "a \"b\"\n", "");
    cJSON *json = parse(line, len - 1);
    cr_expect_str_eq(text_of(json, "level"), "warn");
    cr_expect_str_eq(text_of(json, "msg"), "master \"elected\"");
    cr_expect_str_eq(text_of(json, "group"), "my\xc3\xbc");
    cr_expect_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "epoch")), -7);
    cr_expect_str_eq(text_of(json, "version"), "1.0");
    cr_expect_str_eq(text_of(json, "reason"), "a \"b\"\n");
    cr_expect_str_eq(text_of(json, "empty"), "");
    cr_expect_eq(strlen(text_of(json, "ts")), strlen("2026-11-22T16:52:01.123Z"));
    cr_expect_eq(cJSON_GetArraySize(json), 8);
    cJSON_Delete(json);
}

Test(log_json, of_no_field_it_is_an_empty_object)
{
    cJSON *json = parse("", 0);
    cr_expect_eq(cJSON_GetArraySize(json), 0);
    cJSON_Delete(json);
}

/* Bytes that mean something to logfmt or JSON, and others. */
static size_t hostile(char *out, size_t size)
{
    static const char odd[] = "\"\\= \n\r\t\0\x1b\x7f{}[]:,u0\xc3\xbc\xff\xed\xa0\x80";
    size_t len = (size_t)rand() % size;
    for (size_t i = 0; i < len; i++)
        out[i] = rand() % 3 ? odd[(size_t)rand() % (sizeof(odd) - 1)] : (char)rand();
    return len;
}

Test(log_json, hostile_values_stay_one_field, .timeout = 60)
{
    char line[LOG_LINE_MAX], value[200], quoted[150];
    srand(1);
    for (int i = 0; i < ROUNDS; i++) {
        value[hostile(value, sizeof(value) - 1)] = '\0';
        size_t len = log_line(line, LOG_INFO, "hostile", "bare=%s quoted=\"%s\" own=%s n=%d", value,
                              value, log_quote(quoted, sizeof(quoted), value), i);
        cr_assert_eq(line[len - 1], '\n');
        cr_assert_null(memchr(line, '\n', len - 1));
        cJSON *json = parse(line, len - 1);
        cr_assert_eq(cJSON_GetArraySize(json), 7, "%.*s", (int)len, line);
        cr_assert_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "n")), i);
        cJSON_Delete(json);
    }
}

/* It need not be of this program. */
Test(log_json, any_bytes_become_an_object, .timeout = 60)
{
    char line[LOG_LINE_MAX];
    srand(2);
    for (int i = 0; i < ROUNDS; i++) {
        size_t len = hostile(line, i % 10 ? 100 : sizeof(line));
        cJSON_Delete(parse(line, len));
    }
}

Test(log_json, what_has_no_room_is_left_out)
{
    static const char line[] = "a=1 b=\"two \\\" \\u0041\" c=\x01\x02 d=3";
    for (size_t size = 3; size < 80; size++) {
        char *out = malloc(size);
        size_t len = log_json(out, size, line, sizeof(line) - 1);
        cr_assert_leq(len, size);
        cJSON *json = cJSON_ParseWithLength(out, len);
        cr_assert(cJSON_IsObject(json), "%.*s", (int)len, out);
        cJSON_Delete(json);
        free(out);
    }
}
