/*
 * samples: rates and percentiles between two looks at what workers have counted; the last five minutes are kept.
 */
#include "ops/samples.h"

#include "threads/counters.h"

#include <criterion/criterion.h>

#define GET 5 /* any command's number */

static struct traffic_listener_options listener = {.number = 0};
static struct traffic_options options = {.listeners = &listener, .listener_count = 1};
static struct counters *workers[2];
static struct worker_gauges gauges[2];
static struct samples *samples;
static int64_t now_ms;

static void open_all(void)
{
    for (int i = 0; i < 2; i++)
        workers[i] = counters_new(1, 1);
    samples = samples_new();
    now_ms = 1000;
}

static void close_all(void)
{
    for (int i = 0; i < 2; i++)
        counters_free(workers[i]);
    samples_free(samples);
}

static void take(int64_t after_ms)
{
    now_ms += after_ms;
    samples_take(samples, &(struct metrics_view){.options = &options,
                                                 .counters = workers,
                                                 .gauges = gauges,
                                                 .worker_count = 2,
                                                 .now_ms = now_ms,
                                                 .wall_ms = 1000000 + now_ms});
}

static void answered(int worker, int count, uint64_t ticks)
{
    for (int i = 0; i < count; i++)
        counters_note_at_once(workers[worker]->listeners[0].commands, GET, ticks);
}

static const struct sample *newest(void)
{
    const struct sample *s = samples_at(samples, samples_newest(samples));
    cr_assert(s != NULL);
    return s;
}

TestSuite(samples, .init = open_all, .fini = close_all);

Test(samples, the_first_look_is_only_a_beginning)
{
    answered(0, 1000, 64);
    take(0);
    cr_expect_eq(samples_newest(samples), 0);
    cr_expect_null(samples_at(samples, 0));
    take(1000);
    cr_expect_eq(samples_newest(samples), 1);
    cr_expect_float_eq(newest()->requests_per_s, 0, 1e-9);
    cr_expect_float_eq(newest()->latency_ms[SAMPLE_P50], -1, 1e-9, "of nothing there is none");
}

Test(samples, rates_are_of_all_workers_and_of_the_time_between)
{
    take(0);
    answered(0, 300, 64);
    answered(1, 100, 64);
    counters_note_other(&workers[1]->listeners[0],
                        &(struct counted_request){
                            .command = GET, .class = 0, .result = RESULT_ERROR, .whole = 640});
    gauges[0] = (struct worker_gauges){.sessions = 3, .held = 1};
    gauges[1] = (struct worker_gauges){.sessions = 4, .held = 2};
    take(2000);
    cr_expect_float_eq(newest()->requests_per_s, 401 / 2.0, 1e-9);
    cr_expect_float_eq(newest()->errors_per_s, 0.5, 1e-9);
    cr_expect_eq(newest()->sessions, 7);
    cr_expect_eq(newest()->held, 3);
    cr_expect_eq(newest()->wall_ms, 1000000 + now_ms);
}

/* In the bucket that holds it, whatever was counted before. */
Test(samples, percentiles)
{
    answered(0, 100000, HISTOGRAM_OVER - 1);
    take(0);
    answered(0, 989, 32);      /* below 0.1 ms */
    answered(1, 9, 640 * 3);   /* 3 ms: from 1.6 to 3.2 */
    answered(1, 2, 640 * 100); /* 100 ms: from 51.2 to 102.4 */
    take(1000);
    const double *ms = newest()->latency_ms;
    cr_expect(ms[SAMPLE_P50] > 0 && ms[SAMPLE_P50] <= 0.1, "%f", ms[SAMPLE_P50]);
    cr_expect(ms[SAMPLE_P99] > 1.6 && ms[SAMPLE_P99] <= 3.2, "%f", ms[SAMPLE_P99]);
    cr_expect(ms[SAMPLE_P999] > 51.2 && ms[SAMPLE_P999] <= 102.4, "%f", ms[SAMPLE_P999]);
}

Test(samples, what_takes_longer_than_all_bounds)
{
    take(0);
    counters_note_other(
        &workers[0]->listeners[0],
        &(struct counted_request){
            .command = GET, .class = 0, .result = RESULT_OK, .whole = HISTOGRAM_OVER * 4});
    take(1000);
    cr_expect_float_eq(newest()->latency_ms[SAMPLE_P50], 13107.2, 0.01);
}

Test(samples, a_listener_that_goes_takes_its_numbers_along)
{
    answered(0, 100, 64);
    take(0);
    options.listener_count = 0;
    take(1000);
    options.listener_count = 1;
    cr_expect_float_eq(newest()->requests_per_s, 0, 1e-9);
}

Test(samples, five_minutes_are_kept)
{
    take(0);
    for (int i = 0; i < SAMPLES_MAX + 10; i++)
        take(1000);
    cr_expect_eq(samples_newest(samples), SAMPLES_MAX + 10);
    cr_expect_null(samples_at(samples, 10));
    cr_assert_not_null(samples_at(samples, 11));
    cr_expect_eq(samples_at(samples, 11)->wall_ms, 1000000 + 1000 + 11 * 1000);
    cr_expect_null(samples_at(samples, SAMPLES_MAX + 11));
}
