/* json_text: see the header. */
#include "ops/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void json_add_text(cJSON *object, const char *name, const char *text)
{
    char clean[512];
    size_t len = 0;
    for (; *text && len < sizeof(clean) - 1; text++)
        clean[len++] = *text >= ' ' && *text < 0x7f ? *text : '?';
    clean[len] = '\0';
    cJSON_AddStringToObject(object, name, clean);
}

const char *json_format_time(char *out, size_t size, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char date[32];
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, size, "%s.%03dZ", date, (int)(wall_ms % 1000));
    return out;
}

void json_add_time(cJSON *object, const char *name, int64_t wall_ms)
{
    char text[64];
    cJSON_AddStringToObject(object, name, json_format_time(text, sizeof(text), wall_ms));
}

void json_add_rounded(cJSON *object, const char *name, double number)
{
    cJSON_AddNumberToObject(object, name, (double)(int64_t)(number * 1000 + 0.5) / 1000);
}

char *json_print(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!text)
        abort();
    return text;
}
