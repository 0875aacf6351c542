/* metrics_text: see the header. */
#include "ops/metrics_text.h"

#include <inttypes.h>
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

/* How much of the name the head has. */
static int head_len(const struct metrics_out *out, const struct family *family)
{
    static const char total[] = "_total";
    size_t len = strlen(family->name);
    bool counts = strcmp(family->type, "counter") == 0;
    return (int)(out->openmetrics && counts ? len - (sizeof(total) - 1) : len);
}

void metrics_begin(struct metrics_out *out, enum metric id)
{
    const struct family *family = &families[id];
    int len = head_len(out, family);
    out->family = id;
    fprintf(out->file, "# HELP %.*s %s\n# TYPE %.*s %s\n", len, family->name, family->help, len,
            family->name, family->type);
    if (out->openmetrics && *family->unit)
        fprintf(out->file, "# UNIT %.*s %s\n", len, family->name, family->unit);
}

static void put_escaped(FILE *file, const char *value)
{
    for (const char *at = value; *at; at++) {
        if (*at == '\n')
            fputs("\\n", file);
        else if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at);
        else
            fputc(*at, file);
    }
}

static void put_name(struct metrics_out *out, const char *suffix,
                     const struct metrics_label *labels, const struct metrics_label *last)
{
    char before = '{';
    fprintf(out->file, "%s%s", families[out->family].name, suffix);
    for (size_t i = 0; i <= METRICS_LABELS; i++) {
        bool end = i == METRICS_LABELS || !labels || !labels[i].name;
        const struct metrics_label *label = end ? last : &labels[i];
        if (label) {
            fprintf(out->file, "%c%s=\"", before, label->name);
            put_escaped(out->file, label->value);
            fputc('"', out->file);
            before = ',';
        }
        if (end)
            break;
    }
    fputs(before == ',' ? "} " : " ", out->file);
}

void metrics_put(struct metrics_out *out, const struct metrics_label *labels, uint64_t value)
{
    put_name(out, "", labels, NULL);
    fprintf(out->file, "%" PRIu64 "\n", value);
}

void metrics_put_number(struct metrics_out *out, const struct metrics_label *labels, double value)
{
    put_name(out, "", labels, NULL);
    fprintf(out->file, "%.15g\n", value);
}

void metrics_put_histogram(struct metrics_out *out, const struct metrics_label *labels,
                           const struct histogram *h)
{
    uint64_t count = 0;
    char bound[32];
    const struct metrics_label le = {"le", bound};
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += counter_read(&h->buckets[i]);
        if (i < HISTOGRAM_BOUNDS)
            snprintf(bound, sizeof(bound), "%.10g", histogram_bound(i));
        else
            strcpy(bound, "+Inf");
        put_name(out, "_bucket", labels, &le);
        fprintf(out->file, "%" PRIu64 "\n", count);
    }
    put_name(out, "_sum", labels, NULL);
    fprintf(out->file, "%.15g\n", histogram_seconds(h));
    put_name(out, "_count", labels, NULL);
    fprintf(out->file, "%" PRIu64 "\n", count);
}

void metrics_end(struct metrics_out *out)
{
    if (out->openmetrics)
        fputs("# EOF\n", out->file);
}
