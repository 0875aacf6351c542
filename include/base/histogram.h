/*
 * histogram: how often something took how long, from 0.1 ms to 13.1 s in steps of two, and longer.
 *
 * Times are counted in ticks of 1/64 of 0.1 ms (1.5625 us): so every bound is a power of two in ticks and a decimal number
 * in seconds, and which bucket a time belongs to is one instruction (the number of leading zeros). One thread adds, any
 * thread reads (counter.h).
 */
#ifndef REDISPROXY_BASE_HISTOGRAM_H
#define REDISPROXY_BASE_HISTOGRAM_H

#include "base/counter.h"

#include <stddef.h>

#define HISTOGRAM_TICKS_PER_MS 640
/* 0.0001 s times 2 to the power of 0 ... 17, and one bucket for what takes longer. */
#define HISTOGRAM_BOUNDS 18
#define HISTOGRAM_BUCKETS (HISTOGRAM_BOUNDS + 1)
/* The first number of ticks that is over all bounds. */
#define HISTOGRAM_OVER ((uint64_t)64 << (HISTOGRAM_BOUNDS - 1))

struct histogram {
    counter buckets[HISTOGRAM_BUCKETS]; /* each for itself, not added up */
    counter sum;                        /* in ticks */
};

/* The bucket of a time below HISTOGRAM_OVER. */
static inline unsigned histogram_bucket(uint64_t ticks)
{
    return (63u ^ (unsigned)__builtin_clzll(ticks | 63)) - 5;
}

/* Adds a time. The writer's thread. */
void histogram_add(struct histogram *histogram, uint64_t ticks);

/* Adds all that `more` has; `more` may be another thread's, `sum` is the caller's. */
void histogram_merge(struct histogram *sum, const struct histogram *more);

/* How many times were added. */
uint64_t histogram_count(const struct histogram *histogram);

/* The upper bound of a bucket that has one, in seconds. */
double histogram_bound(size_t bucket);

/* The sum of all, in seconds. */
double histogram_seconds(const struct histogram *histogram);

#endif
