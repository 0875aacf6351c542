/*
 * metrics_text: see the header. A scrape is some thousands of lines, so they are put together by hand: printf() for each of
 * their parts took most of its time. The lines of a histogram share their labels, which are copied from the first.
 */
#include "ops/metrics_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct family {
    const char *name, *type, *unit, *help;
} families[] = {
#define FAMILY(id, name, type, unit, help) [METRIC_##id] = {name, #type, unit, help},
    METRICS(FAMILY)
#undef FAMILY
};

const char *metrics_name(enum metric family)
{
    return families[family].name;
}

const char *metrics_type(enum metric family)
{
    return families[family].type;
}

const char *metrics_help(enum metric family)
{
    return families[family].help;
}

/* Enough for any number. */
#define NUMBER_MAX 32

static void put(struct metrics_out *out, const char *bytes, size_t len)
{
    memcpy(buf_reserve(&out->text, len), bytes, len);
    buf_grew(&out->text, len);
}

static void put_text(struct metrics_out *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_char(struct metrics_out *out, char c)
{
    put(out, &c, 1);
}

static void put_whole(struct metrics_out *out, uint64_t value)
{
    char digits[NUMBER_MAX], *at = digits + sizeof(digits);
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    put(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_decimal(struct metrics_out *out, double value)
{
    if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value)
        put_whole(out, (uint64_t)value);
    else
        buf_printf(&out->text, "%.15g", value);
}

void metrics_start(struct metrics_out *out, bool openmetrics)
{
    *out = (struct metrics_out){.openmetrics = openmetrics};
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++)
        snprintf(out->bounds[i], sizeof(out->bounds[i]), "%.10g", histogram_bound(i));
    strcpy(out->bounds[HISTOGRAM_BOUNDS], "+Inf");
}

/* How much of the name the head has. */
static size_t head_len(const struct metrics_out *out, const struct family *family)
{
    static const char total[] = "_total";
    size_t len = strlen(family->name);
    bool counts = strcmp(family->type, "counter") == 0;
    return out->openmetrics && counts ? len - (sizeof(total) - 1) : len;
}

static void put_head(struct metrics_out *out, const char *word, const struct family *family,
                     const char *rest)
{
    put_text(out, word);
    put(out, family->name, head_len(out, family));
    put_char(out, ' ');
    put_text(out, rest);
    put_char(out, '\n');
}

void metrics_begin(struct metrics_out *out, enum metric id)
{
    const struct family *family = &families[id];
    out->family = id;
    put_head(out, "# HELP ", family, family->help);
    put_head(out, "# TYPE ", family, family->type);
    if (out->openmetrics && *family->unit)
        put_head(out, "# UNIT ", family, family->unit);
}

static void put_escaped(struct metrics_out *out, const char *value)
{
    for (size_t len; *value; value += len) {
        len = strcspn(value, "\n\"\\");
        put(out, value, len);
        if (!value[len])
            return;
        put_char(out, '\\');
        put_char(out, value[len] == '\n' ? 'n' : value[len]);
        len++;
    }
}

/* "{name="value",...": without its end. */
static void put_labels(struct metrics_out *out, const struct metrics_label *labels)
{
    for (size_t i = 0; labels && i < METRICS_LABELS && labels[i].name; i++) {
        put_char(out, i ? ',' : '{');
        put_text(out, labels[i].name);
        put_text(out, "=\"");
        put_escaped(out, labels[i].value);
        put_char(out, '"');
    }
}

static bool has_labels(const struct metrics_label *labels)
{
    return labels && labels[0].name;
}

static void put_name(struct metrics_out *out, const struct metrics_label *labels)
{
    put_text(out, families[out->family].name);
    put_labels(out, labels);
    put_text(out, has_labels(labels) ? "} " : " ");
}

void metrics_put(struct metrics_out *out, const struct metrics_label *labels, uint64_t value)
{
    put_name(out, labels);
    put_whole(out, value);
    put_char(out, '\n');
}

void metrics_put_number(struct metrics_out *out, const struct metrics_label *labels, double value)
{
    put_name(out, labels);
    put_decimal(out, value);
    put_char(out, '\n');
}

/* ---- histograms ---- */

/* The labels of all its lines, somewhere in the text. */
struct common {
    size_t at, len;
};

static struct common put_common(struct metrics_out *out, const struct metrics_label *labels)
{
    struct common common = {.at = buf_len(&out->text)};
    put_labels(out, labels);
    common.len = buf_len(&out->text) - common.at;
    return common;
}

static void put_again(struct metrics_out *out, const struct common *common)
{
    char *to = buf_reserve(&out->text, common->len);
    memcpy(to, buf_head(&out->text) + common->at, common->len);
    buf_grew(&out->text, common->len);
}

static void put_bucket(struct metrics_out *out, const struct common *common, const char *bound,
                       uint64_t count)
{
    put_text(out, common->len ? ",le=\"" : "{le=\"");
    put_text(out, bound);
    put_text(out, "\"} ");
    put_whole(out, count);
    put_char(out, '\n');
}

static void put_end(struct metrics_out *out, const struct common *common, const char *suffix)
{
    put_text(out, families[out->family].name);
    put_text(out, suffix);
    put_again(out, common);
    put_text(out, common->len ? "} " : " ");
}

void metrics_put_histogram(struct metrics_out *out, const struct metrics_label *labels,
                           const struct histogram *h)
{
    const char *name = families[out->family].name;
    struct common common = {0};
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += counter_read(&h->buckets[i]);
        put_text(out, name);
        put_text(out, "_bucket");
        if (i == 0)
            common = put_common(out, labels);
        else
            put_again(out, &common);
        put_bucket(out, &common, out->bounds[i], count);
    }
    put_end(out, &common, "_sum");
    put_decimal(out, histogram_seconds(h));
    put_char(out, '\n');
    put_end(out, &common, "_count");
    put_whole(out, count);
    put_char(out, '\n');
}

char *metrics_end(struct metrics_out *out)
{
    if (out->openmetrics)
        put_text(out, "# EOF\n");
    put(out, "", 1);
    return buf_head(&out->text); /* nothing was consumed: it is the allocation */
}
