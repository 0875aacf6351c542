/*
 * config_errors: everything that is wrong with a configuration file.
 *
 * Checks that look at the file as a whole find their errors after those of
 * single lines; sorting puts them where a reader of the file looks for them.
 */
#include "ops/config_errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Words longer than this are nobody's typing errors. */
#define WORD_MAX 40

void config_error(struct config_errors *errors, int line, const char *format, ...)
{
    struct config_error *items =
        realloc(errors->items, (errors->count + 1) * sizeof(*errors->items));
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (!items || len < 0)
        abort();
    items[errors->count] = (struct config_error){.line = line, .text = text};
    errors->items = items;
    errors->count++;
}

void config_errors_print(struct config_errors *errors, FILE *out)
{
    struct config_error *items = errors->items;

    /* Insertion sort: few errors, and those of one line keep their order. */
    for (size_t i = 1; i < errors->count; i++) {
        struct config_error moved = items[i];
        size_t at = i;
        for (; at > 0 && items[at - 1].line > moved.line; at--)
            items[at] = items[at - 1];
        items[at] = moved;
    }
    for (size_t i = 0; i < errors->count; i++) {
        if (items[i].line == LINE_ENVIRONMENT)
            fprintf(out, "environment: %s\n", items[i].text);
        else if (items[i].line)
            fprintf(out, "%s:%d: %s\n", errors->file, items[i].line, items[i].text);
        else
            fprintf(out, "%s: %s\n", errors->file, items[i].text);
    }
}

void config_errors_free(struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++)
        free(errors->items[i].text);
    free(errors->items);
    errors->items = NULL;
    errors->count = 0;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Levenshtein's distance: how many single-letter changes lead from one word to the other. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[lb];
}

const char *config_nearest(const char *typed, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t best = 2 + strlen(typed) / 6;

    for (size_t i = 0; i < count; i++) {
        size_t d = distance(typed, words[i]);
        if (d <= best && d < strlen(words[i])) {
            nearest = words[i];
            best = d - (d > 0);
        }
    }
    return nearest;
}
