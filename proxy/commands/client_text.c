/*
 * client_text: see the header. A line is "key=value key=value ...". No value holds a space: Redis accepts none in the
 * names of clients and users.
 */
#include "commands/client_text.h"

#include <stdlib.h>
#include <string.h>

/* Takes the next word, which ends at `border`, off the front of `rest`. Returns false when there is none. */
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

/* Whether the word is "key=value" with this key; then *value is set. */
static bool is_field(struct slice word, const char *key, struct slice *value)
{
    size_t len = strlen(key);
    if (word.len <= len || word.data[len] != '=' || memcmp(word.data, key, len) != 0)
        return false;
    *value = (struct slice){word.data + len + 1, word.len - len - 1};
    return true;
}

struct slice client_text_value(struct slice line, const char *key)
{
    struct slice word, value;
    while (take(&line, ' ', &word))
        if (is_field(word, key, &value))
            return value;
    return (struct slice){NULL, 0};
}

static int by_id(const void *a, const void *b)
{
    uint64_t left = ((const struct client_text_line *)a)->id,
             right = ((const struct client_text_line *)b)->id;
    return left < right ? -1 : left > right;
}

void client_text_read(struct client_text *list, struct slice text)
{
    struct slice line;
    size_t cap = 0;
    *list = (struct client_text){NULL, 0};
    while (take(&text, '\n', &line)) {
        int64_t id;
        if (!resp_parse_integer(client_text_value(line, "id"), &id))
            continue;
        if (list->count == cap) {
            cap = cap ? cap * 2 : 16;
            list->lines = realloc(list->lines, cap * sizeof(*list->lines));
            if (!list->lines)
                abort();
        }
        list->lines[list->count++] = (struct client_text_line){.text = line, .id = (uint64_t)id};
    }
    if (list->count > 0)
        qsort(list->lines, list->count, sizeof(*list->lines), by_id);
}

void client_text_free(struct client_text *list)
{
    free(list->lines);
    *list = (struct client_text){NULL, 0};
}

struct client_text_line *client_text_find(const struct client_text *list, uint64_t id)
{
    struct client_text_line wanted = {.id = id};
    if (list->count == 0)
        return NULL;
    return bsearch(&wanted, list->lines, list->count, sizeof(wanted), by_id);
}

void client_text_write(struct buf *out, struct slice form, const struct client_text_field *fields,
                       size_t count)
{
    struct slice word, value;
    for (bool first = true; take(&form, ' ', &word); first = false) {
        const struct client_text_field *field = NULL;
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
