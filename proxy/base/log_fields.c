/*
 * log_fields: see the header.
 *
 * All is formatted once. Where each field of the format came to stand in that is found by asking printf how long the
 * front part of the format becomes: so no value can move the border of a field.
 */
#include "base/log_fields.h"

#include "base/log_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FORMAT_MAX 512
#define VALUES_MAX 4096

/* How a value that was cut ends. */
static const char cut[] = "...\"";
#define CUT_LEN (sizeof(cut) - 1)

struct fields {
    char *out;
    size_t len, room;
    bool full;
};

/* A stretch of text. */
struct span {
    const char *at;
    size_t len;
};

/* ---- writing ---- */

static void put(struct fields *f, const char *text, size_t len)
{
    memcpy(f->out + f->len, text, len);
    f->len += len;
}

static void put_quoted(struct fields *f, struct span value)
{
    const char *at = value.at, *end = value.at + value.len;

    put(f, "\"", 1);
    f->len += log_text_escape(f->out + f->len, f->room - f->len - CUT_LEN, &at, end);
    f->full = at < end;
    put(f, f->full ? cut : "\"", f->full ? CUT_LEN : 1);
}

static void put_field(struct fields *f, struct span key, struct span value, bool plain)
{
    size_t least = (f->len > 0) + key.len + 2 + CUT_LEN + 1;

    if (f->full || f->len + least > f->room) {
        f->full = true;
        return;
    }
    put(f, " ", f->len > 0);
    put(f, key.at, key.len);
    put(f, "=", 1);
    if (plain && f->len + value.len <= f->room)
        put(f, value.at, value.len);
    else if (plain && value.at[0] == '"')
        put_quoted(f, (struct span){"", 0}); /* an escape could be cut in two */
    else
        put_quoted(f, value);
}

/* ---- the format ---- */

/* The end of the field that begins at `at`: a blank that is not between quotes. */
static const char *field_end(const char *at)
{
    bool quoted = false;

    for (; *at && (quoted || *at != ' '); at++)
        quoted ^= *at == '"';
    return at;
}

/* Whether a value's format is nothing but one number. */
static bool is_numeric(struct span format)
{
    return format.len >= 2 && format.at[0] == '%' && strchr("diufg", format.at[format.len - 1]) &&
           strcspn(format.at + 1, "%\"diufgsc") == format.len - 2;
}

/* The format's own quotes are not part of the value. Returns whether it had some. */
static bool strip_quotes(struct span *format, struct span *value)
{
    bool quoted = format->len >= 2 && format->at[0] == '"' && format->at[format->len - 1] == '"';

    if (quoted && value->len >= 2) {
        format->at++;
        value->at++;
        format->len -= 2;
        value->len -= 2;
    }
    return quoted;
}

static void write_field(struct fields *f, struct span format, struct span value)
{
    const char *equals = memchr(format.at, '=', format.len);

    if (!equals) { /* fields that are written already */
        bool fits = !f->full && f->len + 1 + value.len <= f->room;
        if (fits && value.len > 0) {
            put(f, " ", f->len > 0);
            put(f, value.at, value.len);
        }
        f->full |= !fits;
        return;
    }
    struct span key = {format.at, (size_t)(equals - format.at)};
    struct span form = {equals + 1, format.len - key.len - 1};
    size_t skip = key.len + 1 < value.len ? key.len + 1 : value.len;
    value = (struct span){value.at + skip, value.len - skip};
    bool quoted = strip_quotes(&form, &value);
    bool number = log_text_is_number(value.at, value.len);
    put_field(f, key, value,
              !quoted &&
                  (log_text_is_quoted(value.at, value.len) ||
                   (log_text_is_bare(value.at, value.len) && (!number || is_numeric(form)))));
}

/* ---- all of them ---- */

/* Where in the whole the text ends that the first `len` bytes of the format become. */
__attribute__((format(printf, 1, 0))) static size_t reach(const char *pairs, size_t len, size_t all,
                                                          va_list args)
{
    char front[FORMAT_MAX];
    va_list again;

    memcpy(front, pairs, len);
    front[len] = '\0';
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, front, again);
    va_end(again);
    return n < 0 || (size_t)n > all ? all : (size_t)n;
}

size_t log_fields_with(char *out, size_t size, const char *pairs, va_list args)
{
    struct fields f = {.out = out, .room = size ? size - 1 : 0};
    char values[VALUES_MAX];
    va_list again;

    va_copy(again, args);
    int n = vsnprintf(values, sizeof(values), pairs, again);
    va_end(again);
    size_t all = n < 0 ? 0 : (size_t)n < sizeof(values) ? (size_t)n : sizeof(values) - 1;
    size_t from = 0;
    for (const char *at = pairs, *end; *at && !f.full; at = end) {
        end = field_end(at);
        if ((size_t)(end - pairs) >= FORMAT_MAX)
            break;
        size_t to = *end ? reach(pairs, (size_t)(end - pairs), all, args) : all;
        write_field(&f, (struct span){at, (size_t)(end - at)},
                    (struct span){values + from, to - from});
        end += *end == ' ';
        from = to < all ? to + 1 : all;
    }
    if (size)
        out[f.len] = '\0';
    return f.len;
}

size_t log_fields(char *out, size_t size, const char *pairs, ...)
{
    va_list args;

    va_start(args, pairs);
    size_t len = log_fields_with(out, size, pairs, args);
    va_end(args);
    return len;
}
