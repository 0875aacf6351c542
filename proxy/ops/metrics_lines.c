/* metrics_lines: what several kinds of families are written with. */
#include "ops/metrics_parts.h"

const char *metrics_listener(const struct metrics_view *view, size_t listener, char *out,
                             size_t size)
{
    address_format(out, size, &view->options->listeners[listener].address);
    return out;
}

void metrics_worker_gauge(struct metrics_out *out, const struct metrics_view *view,
                          enum metric family, size_t offset)
{
    char number[24];
    if (!view->gauges)
        return;
    metrics_begin(out, family);
    for (size_t i = 0; i < view->worker_count; i++) {
        snprintf(number, sizeof(number), "%zu", i);
        metrics_put(out, LABELS({"worker", number}),
                    *(const size_t *)((const char *)&view->gauges[i] + offset));
    }
}
