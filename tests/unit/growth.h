/*
 * growth: does what a client queued cost in proportion to its number? A play is measured with some requests, and with
 * four times as many: in proportion it takes four times as long, and sixteen times if each request walks over the
 * others. The time is that of the processor, and the shortest of some plays: what else the machine does hardly counts.
 */
#ifndef REDISPROXY_TESTS_GROWTH_H
#define REDISPROXY_TESTS_GROWTH_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define GROWTH_TIMES 4
#define GROWTH_MOST 11
#define GROWTH_PLAYS 4
/* And so little is no walk, whatever the processor had to fetch. */
#define GROWTH_NOTHING_NS 8000000

static inline int64_t growth_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Plays with `count` requests. Returns the time, in ns of growth_clock_ns(), of what is to be measured. */
typedef int64_t growth_play(size_t count);

static inline int64_t growth_least(growth_play *play, size_t count)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < GROWTH_PLAYS; i++) {
        int64_t ns = play(count);
        least = ns < least ? ns : least;
    }
    return least;
}

/* AddressSanitizer keeps what was freed, and takes its time for that: with it a play is for the memory that it touches. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_IS_MEASURED false
#else
#define GROWTH_IS_MEASURED true
#endif

/* `count`: large enough that nothing else counts. */
static inline void is_in_proportion(growth_play *play, size_t count)
{
    if (!GROWTH_IS_MEASURED) {
        (void)play(count);
        return;
    }
    int64_t few = growth_least(play, count), many = growth_least(play, count * GROWTH_TIMES);
    fprintf(stderr, "%zu: %.2f ms, %zu: %.2f ms\n", count, (double)few / 1e6, count * GROWTH_TIMES,
            (double)many / 1e6);
    cr_expect(many < few * GROWTH_MOST || many < GROWTH_NOTHING_NS, "%zu: %.2f ms, %zu: %.2f ms",
              count, (double)few / 1e6, count * GROWTH_TIMES, (double)many / 1e6);
}

#endif
