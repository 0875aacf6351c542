/*
 * histogram: bounds, buckets and sums; a bucket's upper bound is the next one's lower bound.
 */
#include "base/histogram.h"

#include <criterion/criterion.h>

static unsigned bucket_of(uint64_t ticks)
{
    struct histogram h = {0};
    histogram_add(&h, ticks);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (h.buckets[i])
            return i;
    cr_assert(false, "nothing was added");
    return 0;
}

Test(histogram, bounds_are_decimal_and_double)
{
    cr_expect_float_eq(histogram_bound(0), 0.0001, 1e-12);
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
        cr_expect_float_eq(histogram_bound(i), 2 * histogram_bound(i - 1), 1e-12);
    cr_expect_gt(histogram_bound(HISTOGRAM_BOUNDS - 1), 10.0);
}

Test(histogram, a_time_is_in_the_bucket_below_whose_bound_it_is)
{
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        uint64_t bound = (uint64_t)(histogram_bound(i) * 1000 * HISTOGRAM_TICKS_PER_MS + 0.5);
        cr_expect_eq(bucket_of(bound - 1), i, "bound %u", i);
        cr_expect_eq(bucket_of(bound), i + 1, "bound %u", i);
    }
    cr_expect_eq(bucket_of(0), 0);
    cr_expect_eq(bucket_of(HISTOGRAM_OVER - 1), HISTOGRAM_BOUNDS - 1);
    cr_expect_eq(bucket_of(HISTOGRAM_OVER), HISTOGRAM_BOUNDS);
    cr_expect_eq(bucket_of(UINT64_MAX), HISTOGRAM_BOUNDS);
}

Test(histogram, sums_and_counts_come_together)
{
    struct histogram a = {0}, b = {0};
    histogram_add(&a, 2 * HISTOGRAM_TICKS_PER_MS);
    histogram_add(&b, 3 * HISTOGRAM_TICKS_PER_MS);
    histogram_add(&b, 0);
    histogram_merge(&a, &b);
    cr_expect_eq(histogram_count(&a), 3);
    cr_expect_float_eq(histogram_seconds(&a), 0.005, 1e-9);
}
