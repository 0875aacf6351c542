/*
 * roll: see roll.h. A line is "key=value key=value ...": no value holds a
 * space (Redis takes none in names and user names).
 */
#include "traffic/roll.h"

#include <stdlib.h>
#include <string.h>

/* Takes the next word, up to `border`, off the front of `rest`. False: there is none. */
static bool take(struct slice *rest, char border, struct slice *word)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->data, border, rest->len);
    word->data = rest->data;
    word->len = end ? (size_t)(end - rest->data) : rest->len;
    size_t used = word->len + (end ? 1 : 0);
    rest->data += used;
    rest->len -= used;
    return true;
}

/* The value of "key=value", if that is its key. */
static bool is_field(struct slice word, const char *key, struct slice *value)
{
    size_t len = strlen(key);
    if (word.len <= len || word.data[len] != '=' || memcmp(word.data, key, len) != 0)
        return false;
    *value = (struct slice){word.data + len + 1, word.len - len - 1};
    return true;
}

struct slice roll_value(struct slice line, const char *key)
{
    struct slice word, value;
    while (take(&line, ' ', &word))
        if (is_field(word, key, &value))
            return value;
    return (struct slice){NULL, 0};
}

static int by_id(const void *a, const void *b)
{
    uint64_t left = ((const struct roll_line *)a)->id, right = ((const struct roll_line *)b)->id;
    return left < right ? -1 : left > right;
}

void roll_read(struct roll *roll, struct slice text)
{
    struct slice line;
    size_t cap = 0;
    *roll = (struct roll){NULL, 0};
    while (take(&text, '\n', &line)) {
        int64_t id;
        if (!resp_parse_integer(roll_value(line, "id"), &id))
            continue;
        if (roll->count == cap) {
            cap = cap ? cap * 2 : 16;
            roll->lines = realloc(roll->lines, cap * sizeof(*roll->lines));
            if (!roll->lines)
                abort();
        }
        roll->lines[roll->count++] = (struct roll_line){.text = line, .id = (uint64_t)id};
    }
    if (roll->count > 0)
        qsort(roll->lines, roll->count, sizeof(*roll->lines), by_id);
}

void roll_free(struct roll *roll)
{
    free(roll->lines);
    *roll = (struct roll){NULL, 0};
}

struct roll_line *roll_find(const struct roll *roll, uint64_t id)
{
    struct roll_line wanted = {.id = id};
    if (roll->count == 0)
        return NULL;
    return bsearch(&wanted, roll->lines, roll->count, sizeof(wanted), by_id);
}

void roll_write(struct buf *out, struct slice form, const struct roll_field *fields, size_t count)
{
    struct slice word, value;
    for (bool first = true; take(&form, ' ', &word); first = false) {
        const struct roll_field *field = NULL;
        for (size_t i = 0; i < count && !field; i++)
            if (is_field(word, fields[i].key, &value))
                field = &fields[i];
        if (!first)
            buf_append(out, " ", 1);
        if (!field) {
            buf_append(out, word.data, word.len);
            continue;
        }
        buf_append(out, word.data, word.len - value.len);
        buf_append(out, field->value.data, field->value.len);
    }
    buf_append(out, "\n", 1);
}
