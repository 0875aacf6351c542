/*
 * metrics: what /metrics answers. A pure function of what is handed in, but for the process's own figures: the web server
 * around it is http. It runs on that one's thread, and reads what workers count without their help (threads/counters.h).
 */
#ifndef REDISPROXY_OPS_METRICS_H
#define REDISPROXY_OPS_METRICS_H

#include "ops/config.h"
#include "topology/topology.h"
#include "worker/workers.h"

#include <stdbool.h>

/* The Content-Type of the text, and of OpenMetrics. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* What the text is made of. Whatever is NULL has no lines. */
struct metrics_view {
    const struct topology *topology;
    struct refusals *refusals;
    const struct config_tls *tls;
    const struct traffic_options *options; /* names of listeners and groups, for the counters */
    const struct worker_gauges *gauges;    /* one for each worker, */
    struct counters *const *counters;      /* and these */
    size_t worker_count;
    const struct group_facts *facts; /* one for each group */
    size_t fact_count;
    int64_t now_ms, wall_ms; /* clock_ms(), clock_wall_ms() */
    bool process;            /* with the process's own */
};

/* The text, to be freed. */
char *metrics_text(const struct metrics_view *view, bool openmetrics);

/* Whether somebody who sends this Accept (NULL: none) asks for OpenMetrics. */
bool metrics_wants_openmetrics(const char *accept);

/* The configuration was read again, and was taken or not. Any thread. (Without a call: it was taken at the start.) */
void metrics_note_reload(bool taken);

#endif
