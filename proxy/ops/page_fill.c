/* page_fill: see the header. */
#include "ops/page_fill.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MARK "data-value=\""
#define ROWS_MARK "data-rows=\""
#define KEY_MARK "data-key=\""
#define ROWS_END "<tbody>"
#define PAGE_PATH_MAX 64
#define KEYS_MAX 16
#define NOTHING "\xe2\x80\x93" /* a dash */

/* ---- values ---- */

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            putc(*text, out);
        }
    }
}

static void put_number(FILE *out, double number)
{
    if (number == floor(number) || number >= 100)
        fprintf(out, "%.0f", number);
    else
        fprintf(out, "%.2f", number);
}

static void put_value(FILE *out, const cJSON *value);

/* "key=value key=value" */
static void put_fields(FILE *out, const cJSON *object)
{
    const cJSON *field;
    cJSON_ArrayForEach(field, object)
    {
        put_text(out, field->string);
        putc('=', out);
        put_value(out, field);
        if (field->next)
            putc(' ', out);
    }
}

static void put_value(FILE *out, const cJSON *value)
{
    if (cJSON_IsString(value) && *value->valuestring)
        put_text(out, value->valuestring);
    else if (cJSON_IsNumber(value))
        put_number(out, value->valuedouble);
    else if (cJSON_IsBool(value))
        fputs(cJSON_IsTrue(value) ? "yes" : "no", out);
    else if (cJSON_IsObject(value))
        put_fields(out, value);
    else
        fputs(NOTHING, out);
}

/* ---- where they stand ---- */

/* What stands from `from` to the next quote. */
static void copy_path(char out[PAGE_PATH_MAX], const char *from)
{
    size_t len = strcspn(from, "\"");
    assert(len < PAGE_PATH_MAX && from[len] == '"');
    memcpy(out, from, len);
    out[len] = '\0';
}

/* The field at "a.b" below an object; NULL: there is none. */
static const cJSON *field_at(const cJSON *object, const char *path)
{
    char name[PAGE_PATH_MAX];
    while (object && *path) {
        size_t len = strcspn(path, ".");
        memcpy(name, path, len);
        name[len] = '\0';
        object = cJSON_GetObjectItemCaseSensitive(object, name);
        path += len + (path[len] == '.');
    }
    return object;
}

static void put_row(FILE *out, const cJSON *row, char keys[][PAGE_PATH_MAX], size_t count)
{
    fputs("<tr>", out);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? "<td>" : "<th scope=\"row\">", out);
        put_value(out, field_at(row, keys[i]));
        fputs(i ? "</td>" : "</th>", out);
    }
    fputs("</tr>\n", out);
}

static void put_rows(FILE *out, const cJSON *rows, char keys[][PAGE_PATH_MAX], size_t count)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
    {
        put_row(out, row, keys, count);
    }
    if (!cJSON_GetArraySize(rows))
        fprintf(out, "<tr><td colspan=\"%zu\">none</td></tr>", count);
}

/* ---- the text ---- */

/* A table begins at `mark`. Writes it up to its rows, and these. Returns where to go on. */
static const char *fill_table(FILE *out, const char *mark, const cJSON *status)
{
    char name[PAGE_PATH_MAX], keys[KEYS_MAX][PAGE_PATH_MAX];
    const char *end = strstr(mark, ROWS_END), *at = mark;
    size_t count = 0;
    assert(end);
    copy_path(name, mark + strlen(ROWS_MARK));
    while ((at = strstr(at, KEY_MARK)) && at < end && count < KEYS_MAX) {
        at += strlen(KEY_MARK);
        copy_path(keys[count++], at);
    }
    end += strlen(ROWS_END);
    fwrite(mark, 1, (size_t)(end - mark), out);
    put_rows(out, field_at(status, name), keys, count);
    return end;
}

/* The same for an element that is one value. */
static const char *fill_value(FILE *out, const char *mark, const cJSON *status)
{
    char path[PAGE_PATH_MAX];
    const char *end = strchr(mark, '>');
    assert(end);
    copy_path(path, mark + strlen(VALUE_MARK));
    end++;
    fwrite(mark, 1, (size_t)(end - mark), out);
    put_value(out, field_at(status, path));
    return end;
}

char *page_fill(const char *html, const cJSON *status)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        abort();
    while (*html) {
        const char *value = strstr(html, VALUE_MARK), *rows = strstr(html, ROWS_MARK);
        const char *mark = value && (!rows || value < rows) ? value : rows;
        if (!mark)
            break;
        fwrite(html, 1, (size_t)(mark - html), out);
        html = mark == value ? fill_value(out, mark, status) : fill_table(out, mark, status);
    }
    fputs(html, out);
    if (fclose(out) != 0)
        abort();
    return text;
}
