/* samples: see the header. Sample number n stands in place n % SAMPLES_MAX. */
#include "ops/samples.h"

#include "redis/command.h"
#include "threads/counters.h"

#include <stdlib.h>

/* What was counted since the process began. */
struct totals {
    struct histogram times;
    uint64_t errors;
};

struct samples {
    uint64_t newest;
    bool begun;
    int64_t taken_ms; /* clock_ms() */
    struct totals totals;
    struct sample kept[SAMPLES_MAX];
};

struct samples *samples_new(void)
{
    struct samples *samples = calloc(1, sizeof(*samples));
    if (!samples)
        abort();
    return samples;
}

void samples_free(struct samples *samples)
{
    free(samples);
}

/* ---- what the workers have counted ---- */

static void add_listener(struct totals *totals, const struct listener_counters *listener)
{
    unsigned numbers = command_numbers();
    for (unsigned number = 0; number < numbers; number++) {
        const struct command_counters *one = &listener->commands[number];
        /* Most of the four hundred are never used. */
        if (counter_read(&one->at_once.sum))
            histogram_merge(&totals->times, &one->at_once);
        for (int result = RESULT_OK + 1; result < RESULTS; result++)
            totals->errors += counter_read(&one->others[result]);
    }
    for (int class = 0; class < COUNTED_CLASSES; class ++)
        histogram_merge(&totals->times, &listener->whole[class]);
}

static void add_up(struct totals *totals, const struct metrics_view *view)
{
    for (size_t i = 0; i < view->worker_count; i++)
        for (size_t k = 0; k < view->options->listener_count; k++)
            add_listener(totals, &view->counters[i]->listeners[view->options->listeners[k].number]);
}

/* ---- between two looks ---- */

/* A listener that is gone takes its numbers along. */
static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

/* How long the `part`th of the requests took that are counted here, in milliseconds. */
static double percentile(const uint64_t counts[HISTOGRAM_BUCKETS], double part)
{
    double all = 0, below = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        all += (double)counts[i];
    if (all == 0)
        return -1;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        double from = i ? histogram_bound(i - 1) : 0, to = histogram_bound(i);
        if (counts[i] && below + (double)counts[i] >= part * all)
            return 1000 * (from + (to - from) * (part * all - below) / (double)counts[i]);
        below += (double)counts[i];
    }
    return 1000 * histogram_bound(HISTOGRAM_BOUNDS - 1); /* or longer */
}

static void compare(struct sample *out, const struct totals *now, const struct totals *before,
                    double seconds)
{
    static const double parts[SAMPLE_PERCENTILES] = {
        [SAMPLE_P50] = 0.5, [SAMPLE_P99] = 0.99, [SAMPLE_P999] = 0.999};
    uint64_t counts[HISTOGRAM_BUCKETS], all = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        counts[i] = grown(now->times.buckets[i], before->times.buckets[i]);
        all += counts[i];
    }
    out->requests_per_s = (double)all / seconds;
    out->errors_per_s = (double)grown(now->errors, before->errors) / seconds;
    for (int i = 0; i < SAMPLE_PERCENTILES; i++)
        out->latency_ms[i] = percentile(counts, parts[i]);
}

static void look_at_gauges(struct sample *out, const struct metrics_view *view)
{
    for (size_t i = 0; i < view->worker_count; i++) {
        out->held += view->gauges[i].held;
        out->sessions += view->gauges[i].sessions;
    }
}

void samples_take(struct samples *samples, const struct metrics_view *view)
{
    struct totals now = {0};
    int64_t passed_ms = view->now_ms - samples->taken_ms;
    add_up(&now, view);
    if (samples->begun) {
        struct sample *next = &samples->kept[++samples->newest % SAMPLES_MAX];
        *next = (struct sample){.wall_ms = view->wall_ms};
        compare(next, &now, &samples->totals, (double)(passed_ms > 0 ? passed_ms : 1) / 1000);
        look_at_gauges(next, view);
    }
    samples->totals = now;
    samples->taken_ms = view->now_ms;
    samples->begun = true;
}

uint64_t samples_newest(const struct samples *samples)
{
    return samples->newest;
}

const struct sample *samples_at(const struct samples *samples, uint64_t number)
{
    bool kept = number && number <= samples->newest && number + SAMPLES_MAX > samples->newest;
    return kept ? &samples->kept[number % SAMPLES_MAX] : NULL;
}
