/*
 * metrics: what /metrics answers: gauges of every group and node, from a snapshot, and of every
 * worker, in Prometheus' text format. A pure function: the web server around it is http.
 */
#ifndef REDISPROXY_OPS_METRICS_H
#define REDISPROXY_OPS_METRICS_H

#include "ops/config.h"
#include "topology/topology.h"
#include "worker/workers.h"

/* The Content-Type of the text. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The text, to be freed. */
char *metrics_text(const struct topology *topology, struct refusals *refusals,
                   const struct config_tls *tls, const struct worker_gauges *workers,
                   size_t worker_count);

#endif
