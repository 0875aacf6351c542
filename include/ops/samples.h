/*
 * samples: how much was asked for, and how long it took, in each of the last five minutes' seconds: what a graph shows. The
 * workers count (threads/counters.h); a sample is the difference between two looks at it.
 *
 * One thread.
 */
#ifndef REDISPROXY_OPS_SAMPLES_H
#define REDISPROXY_OPS_SAMPLES_H

#include "ops/metrics.h"

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 300
#define SAMPLE_MS 1000 /* how far they are apart */

enum sample_percentile { SAMPLE_P50, SAMPLE_P99, SAMPLE_P999, SAMPLE_PERCENTILES };

struct sample {
    int64_t wall_ms; /* when its time was over, milliseconds since 1970 */
    double requests_per_s, errors_per_s;
    /* From a request's coming to its answer, in milliseconds; -1: there was none. They are interpolated within the buckets
     * of a histogram, each twice as wide as the one before. */
    double latency_ms[SAMPLE_PERCENTILES];
    size_t held; /* sessions whose requests wait for a node, at the end */
    size_t sessions;
};

struct samples;

struct samples *samples_new(void);
void samples_free(struct samples *samples);

/* Takes one. The first only sets the beginning of the next. */
void samples_take(struct samples *samples, const struct metrics_view *view);

/* How many were taken so far: the newest one's number. */
uint64_t samples_newest(const struct samples *samples);

/* One that is kept: of the last SAMPLES_MAX. NULL: it is not. */
const struct sample *samples_at(const struct samples *samples, uint64_t number);

#endif
