/* histogram: see the header. */
#include "base/histogram.h"

void histogram_add(struct histogram *h, uint64_t ticks)
{
    counter_add(&h->buckets[ticks < HISTOGRAM_OVER ? histogram_bucket(ticks) : HISTOGRAM_BOUNDS],
                1);
    counter_add(&h->sum, ticks);
}

void histogram_merge(struct histogram *sum, const struct histogram *more)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += counter_read(&more->buckets[i]);
    sum->sum += counter_read(&more->sum);
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += counter_read(&h->buckets[i]);
    return count;
}

double histogram_bound(size_t bucket)
{
    return (double)(1u << bucket) / 10000;
}

double histogram_seconds(const struct histogram *h)
{
    return (double)counter_read(&h->sum) / (HISTOGRAM_TICKS_PER_MS * 1000.0);
}
