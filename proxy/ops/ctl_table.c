/* ctl_table: see the header. A terminal's commands are never written: every byte that does not print becomes '?'. */
#include "ops/ctl_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX 200
#define GAP 2

const char *ctl_format_time(char *out, size_t size, int64_t ms)
{
    int64_t s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;
    if (ms < 1000)
        snprintf(out, size, "%" PRId64 "ms", ms);
    else if (s < 60)
        snprintf(out, size, "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
    else if (m < 60)
        snprintf(out, size, "%" PRId64 "m %" PRId64 "s", m, s % 60);
    else if (h < 24)
        snprintf(out, size, "%" PRId64 "h %" PRId64 "m", h, m % 60);
    else
        snprintf(out, size, "%" PRId64 "d %" PRId64 "h", d, h % 24);
    return out;
}

const char *ctl_format_size(char *out, size_t size, int64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double number = (double)bytes;
    size_t unit = 0;
    while (number >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        number /= 1024;
        unit++;
    }
    snprintf(out, size, unit && number < 10 ? "%.1f %s" : "%.0f %s", number, units[unit]);
    return out;
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), ending = strlen(end);
    return len > ending && strcmp(name + len - ending, end) == 0;
}

static void clean(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

/* What is shown of a value; nothing is "-". */
static void format_value(char *out, size_t size, const char *name, const cJSON *value)
{
    if (cJSON_IsBool(value))
        snprintf(out, size, "%s", cJSON_IsTrue(value) ? "yes" : "no");
    else if (cJSON_IsNumber(value) && ends_in(name, "_ms"))
        ctl_format_time(out, size, (int64_t)value->valuedouble);
    else if (cJSON_IsNumber(value) && ends_in(name, "_bytes"))
        ctl_format_size(out, size, (int64_t)value->valuedouble);
    else if (cJSON_IsNumber(value))
        snprintf(out, size, "%.0f", value->valuedouble);
    else if (cJSON_IsString(value) && *value->valuestring)
        snprintf(out, size, "%s", value->valuestring);
    else
        snprintf(out, size, "-");
    clean(out);
}

/* The name without what tells its kind, with blanks. */
static void format_name(char *out, size_t size, const char *name, bool capitals)
{
    size_t len = strlen(name);
    if (ends_in(name, "_ms"))
        len -= 3;
    else if (ends_in(name, "_bytes"))
        len -= 6;
    if (len >= size)
        len = size - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(name[i] == '_' ? ' '
                        : capitals     ? toupper((unsigned char)name[i])
                                       : name[i]);
    out[len] = '\0';
    clean(out);
}

/* ---- what stands alone ---- */

static void print_alone(FILE *out, const cJSON *result)
{
    char name[CELL_MAX], value[CELL_MAX * 3];
    const cJSON *item;
    size_t width = 0;
    cJSON_ArrayForEach(item, result)
    {
        format_name(name, sizeof(name), item->string, false);
        if (!cJSON_IsArray(item) && strlen(name) > width)
            width = strlen(name);
    }
    cJSON_ArrayForEach(item, result)
    {
        if (cJSON_IsArray(item))
            continue;
        format_name(name, sizeof(name), item->string, false);
        format_value(value, sizeof(value), item->string, item);
        fprintf(out, "%-*s  %s\n", (int)width, name, value);
    }
}

/* ---- tables ---- */

static bool is_number_column(const cJSON *list, const char *name)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, list)
    {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(row, name);
        if (!cJSON_IsNumber(value) && !cJSON_IsNull(value))
            return false;
    }
    return true;
}

static size_t width_of(const cJSON *list, const char *name)
{
    char cell[CELL_MAX];
    const cJSON *row;
    format_name(cell, sizeof(cell), name, true);
    size_t width = strlen(cell);
    cJSON_ArrayForEach(row, list)
    {
        format_value(cell, sizeof(cell), name, cJSON_GetObjectItemCaseSensitive(row, name));
        if (strlen(cell) > width)
            width = strlen(cell);
    }
    return width;
}

static void print_cell(FILE *out, const char *cell, size_t width, bool right, bool last)
{
    if (right)
        fprintf(out, "%*s", (int)width, cell);
    else if (last)
        fputs(cell, out);
    else
        fprintf(out, "%-*s", (int)width, cell);
    fprintf(out, "%*s", last ? 0 : GAP, "");
}

struct column {
    const char *name;
    size_t width;
    bool right;
};

static void print_row(FILE *out, const struct column *columns, size_t count, const cJSON *row)
{
    char cell[CELL_MAX];
    for (size_t i = 0; i < count; i++) {
        const char *name = columns[i].name;
        if (row)
            format_value(cell, sizeof(cell), name, cJSON_GetObjectItemCaseSensitive(row, name));
        else
            format_name(cell, sizeof(cell), name, true);
        print_cell(out, cell, columns[i].width, columns[i].right, i + 1 == count);
    }
    fputc('\n', out);
}

static void print_table(FILE *out, const cJSON *list)
{
    const cJSON *first = list->child, *item;
    size_t count = 0;
    struct column *columns = calloc((size_t)cJSON_GetArraySize(first) + 1, sizeof(*columns));
    if (!columns)
        abort();
    cJSON_ArrayForEach(item, first)
    {
        columns[count++] = (struct column){item->string, width_of(list, item->string),
                                           is_number_column(list, item->string)};
    }
    print_row(out, columns, count, NULL);
    cJSON_ArrayForEach(item, list)
    {
        print_row(out, columns, count, item);
    }
    free(columns);
}

void ctl_print(FILE *out, const cJSON *result)
{
    const cJSON *item;
    print_alone(out, result);
    cJSON_ArrayForEach(item, result)
    {
        if (!cJSON_IsArray(item))
            continue;
        if (item != result->child)
            fputc('\n', out);
        if (cJSON_IsObject(item->child))
            print_table(out, item);
        else
            fprintf(out, "no %s\n", item->string);
    }
}
