/* metrics_parts: the families of /metrics by what they tell of; metrics.c calls them in order. */
#ifndef REDISPROXY_OPS_METRICS_PARTS_H
#define REDISPROXY_OPS_METRICS_PARTS_H

#include "ops/metrics.h"
#include "ops/metrics_text.h"
#include "redis/command.h"
#include "threads/counters.h"

#include <stdlib.h>

void metrics_process(struct metrics_out *out, const struct metrics_view *view);
void metrics_groups(struct metrics_out *out, const struct metrics_view *view);
void metrics_sentinels(struct metrics_out *out, const struct metrics_view *view);
void metrics_clients(struct metrics_out *out, const struct metrics_view *view);
void metrics_requests(struct metrics_out *out, const struct metrics_view *view);
void metrics_upstreams(struct metrics_out *out, const struct metrics_view *view);
void metrics_workers(struct metrics_out *out, const struct metrics_view *view);
void metrics_tls(struct metrics_out *out, const struct metrics_view *view);

/* ---- metrics_process.c ---- */

/* When the process began, milliseconds since 1970; exact to a hundredth of a second. */
int64_t metrics_started_ms(void);

/* ---- metrics_upstreams.c ---- */

/* What all workers have counted of one node. */
struct node_sum {
    uint64_t connects, failures[CONNECT_FAILURE_COUNT];
    uint64_t received, sent;                                       /* bytes */
    uint64_t upstreams[UPSTREAM_KIND_COUNT][UPSTREAM_PHASE_COUNT]; /* now */
};
struct node_sum metrics_node_sum(const struct metrics_view *view, size_t group, uint64_t node);

/* ---- metrics_lines.c ---- */

/* One of the gauges that each worker shows: a family of its own, a line for each worker. `offset`: in struct
 * worker_gauges. */
void metrics_worker_gauge(struct metrics_out *out, const struct metrics_view *view,
                          enum metric family, size_t offset);

/* The sum of a counter over all workers: of the `counter` at this place of each one's `part`. */
#define METRICS_SUM(view, part)                                                                    \
    ({                                                                                             \
        uint64_t sum_ = 0;                                                                         \
        for (size_t w_ = 0; w_ < (view)->worker_count; w_++) {                                     \
            const struct counters *of = (view)->counters[w_];                                      \
            sum_ += counter_read(&of->part);                                                       \
        }                                                                                          \
        sum_;                                                                                      \
    })

/* A listener's label: its address as it is configured, or whatever is there. */
const char *metrics_listener(const struct metrics_view *view, size_t listener, char *out,
                             size_t size);

#endif
