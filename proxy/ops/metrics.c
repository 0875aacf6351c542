/*
 * metrics: what /metrics answers.
 *
 * Everything is derived from the newest snapshot, and from what the workers and the control plane have counted, when
 * somebody asks: nothing has to be kept here. Lines of one family stand together, as the formats want it.
 * ops/metrics_list.h has all families; metrics_*.c write them, each those of one kind.
 */
#include "ops/metrics.h"

#include "ops/metrics_parts.h"

#include <string.h>

char *metrics_text(const struct metrics_view *view, bool openmetrics)
{
    struct metrics_out out;
    metrics_start(&out, openmetrics);
    metrics_process(&out, view);
    metrics_groups(&out, view);
    metrics_sentinels(&out, view);
    metrics_clients(&out, view);
    metrics_requests(&out, view);
    metrics_upstreams(&out, view);
    metrics_workers(&out, view);
    metrics_tls(&out, view);
    return metrics_end(&out);
}

bool metrics_wants_openmetrics(const char *accept)
{
    return accept && strstr(accept, "application/openmetrics-text") != NULL;
}
