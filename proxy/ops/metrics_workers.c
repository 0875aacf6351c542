/* metrics_workers: of each worker's loop and memory. */
#include "ops/metrics_parts.h"

static void put_lag(struct metrics_out *out, const struct metrics_view *view)
{
    char number[24];
    metrics_begin(out, METRIC_LOOP_LAG);
    for (size_t i = 0; i < view->worker_count; i++) {
        snprintf(number, sizeof(number), "%zu", i);
        metrics_put_number(out, LABELS({"worker", number}),
                           (double)counter_read(&view->counters[i]->lag_ms) / 1000);
    }
}

static void put_memory(struct metrics_out *out, const struct metrics_view *view)
{
    static const struct {
        const char *kind;
        size_t offset;
    } kinds[] = {{"requests", offsetof(struct worker_gauges, request_bytes)},
                 {"replies", offsetof(struct worker_gauges, output_bytes)},
                 {"read_ahead", offsetof(struct worker_gauges, ahead_bytes)},
                 {"held", offsetof(struct worker_gauges, held_bytes)}};
    metrics_begin(out, METRIC_MEMORY);
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < view->worker_count; i++)
            sum += *(const size_t *)((const char *)&view->gauges[i] + kinds[k].offset);
        metrics_put(out, LABELS({"kind", kinds[k].kind}), sum);
    }
}

void metrics_workers(struct metrics_out *out, const struct metrics_view *view)
{
    if (view->counters)
        put_lag(out, view);
    metrics_worker_gauge(out, view, METRIC_REQUEST_BYTES,
                         offsetof(struct worker_gauges, request_bytes));
    metrics_worker_gauge(out, view, METRIC_OUTPUT_BYTES,
                         offsetof(struct worker_gauges, output_bytes));
    metrics_worker_gauge(out, view, METRIC_AHEAD_BYTES,
                         offsetof(struct worker_gauges, ahead_bytes));
    if (view->gauges)
        put_memory(out, view);
}
