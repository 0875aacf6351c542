/*
 * log_json: see the header. What log_fields has quoted is right in JSON as it is; everything else is escaped here, so
 * that the object is a JSON object whoever wrote the line.
 */
#include "base/log_json.h"

#include "base/log_text.h"

#include <stdbool.h>
#include <string.h>

struct json {
    char *out;
    size_t len, room; /* one byte for the brace, and one for the line end, stay free */
    bool full;
};

static void put(struct json *j, const char *text, size_t len)
{
    if (len > j->room - j->len) {
        j->full = true;
        return;
    }
    memcpy(j->out + j->len, text, len);
    j->len += len;
}

static void put_text(struct json *j, const char *text, size_t len)
{
    const char *at = text, *end = text + len;

    put(j, "\"", 1);
    j->len += log_text_escape(j->out + j->len, j->room - j->len, &at, end);
    j->full |= at < end;
    put(j, "\"", 1);
}

static void put_value(struct json *j, const char *value, size_t len)
{
    if (log_text_is_number(value, len) || log_text_is_quoted(value, len))
        put(j, value, len);
    else
        put_text(j, value, len);
}

/* Returns where the field ends that begins at `at`; a quoted value may hold blanks. */
static const char *field_end(const char *at, const char *end)
{
    bool quoted = false;

    for (; at < end && (quoted || *at != ' '); at++) {
        if (quoted && *at == '\\' && at + 1 < end)
            at++;
        else if (*at == '"')
            quoted = !quoted;
    }
    return at;
}

static void put_field(struct json *j, const char *field, size_t len)
{
    const struct json before = *j;
    const char *equals = memchr(field, '=', len);
    size_t key = equals ? (size_t)(equals - field) : len;

    put(j, ",", before.len > 1);
    put_text(j, field, key);
    put(j, ":", 1);
    if (equals)
        put_value(j, equals + 1, len - key - 1);
    else
        put(j, "true", 4);
    if (j->full)
        j->len = before.len; /* all of it, or nothing */
}

size_t log_json(char *out, size_t size, const char *line, size_t len)
{
    struct json j = {.out = out, .room = size - 2};
    const char *end = line + len;

    put(&j, "{", 1);
    for (const char *at = line, *next; at < end && !j.full; at = next) {
        next = field_end(at, end);
        if (next > at)
            put_field(&j, at, (size_t)(next - at));
        next += next < end;
    }
    out[j.len++] = '}';
    out[j.len++] = '\n';
    return j.len;
}
