/*
 * metrics_text: lines of /metrics, in Prometheus' text format or in OpenMetrics, which wants counters' families without
 * _total, units, and an end. Nothing fails but memory. Any one thread.
 */
#ifndef REDISPROXY_OPS_METRICS_TEXT_H
#define REDISPROXY_OPS_METRICS_TEXT_H

#include "base/buf.h"
#include "base/histogram.h"
#include "ops/metrics_list.h"

#include <stdbool.h>
#include <stdint.h>

#define METRIC_ID(id, name, type, unit, help) METRIC_##id,
enum metric { METRICS(METRIC_ID) METRIC_COUNT };
#undef METRIC_ID

struct metrics_out {
    struct buf text;
    bool openmetrics;
    enum metric family; /* the one at hand */
    char bounds[HISTOGRAM_BUCKETS][24];
};

/* One label; a list of them ends with NULL as a name, or after METRICS_LABELS. */
struct metrics_label {
    const char *name, *value;
};
#define METRICS_LABELS 4
#define LABELS(...)                                                                                \
    (const struct metrics_label[METRICS_LABELS])                                                   \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* Its name, without what its lines end with. For whoever holds the list against documents. */
const char *metrics_name(enum metric family);
const char *metrics_type(enum metric family);
const char *metrics_help(enum metric family);

void metrics_start(struct metrics_out *out, bool openmetrics);
/* The family's head; its samples follow. */
void metrics_begin(struct metrics_out *out, enum metric family);
void metrics_put(struct metrics_out *out, const struct metrics_label *labels, uint64_t value);
void metrics_put_number(struct metrics_out *out, const struct metrics_label *labels, double value);
/* All lines of a histogram, with room left in `labels` for one more. */
void metrics_put_histogram(struct metrics_out *out, const struct metrics_label *labels,
                           const struct histogram *histogram);
/* The last line, where the format has one. Returns the whole text, to be freed. */
char *metrics_end(struct metrics_out *out);

#endif
