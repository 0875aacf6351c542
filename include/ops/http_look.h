/*
 * http_look: one look at everything that the web server tells of: the newest snapshot, what the workers show and have counted,
 * the control plane's facts, when the loops turned. No thread is asked: all of it is read from memory.
 */
#ifndef REDISPROXY_OPS_HTTP_LOOK_H
#define REDISPROXY_OPS_HTTP_LOOK_H

#include "ops/health.h"
#include "ops/http.h"
#include "ops/metrics.h"

#include <stdbool.h>

struct http_look {
    struct metrics_view metrics;
    struct health_view health;
    /* What the two point to. */
    struct topology *topology;
    struct health_loop *loops;
    struct worker_gauges *gauges;
    struct counters **counters;
    struct group_facts *facts;
};

/* The sources must not change until http_look_close(). The web server's thread. */
void http_look_open(struct http_look *look, const struct http_sources *sources, bool draining);
void http_look_close(struct http_look *look);

#endif
