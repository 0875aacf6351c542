/*
 * wait: time for the tests. Nothing here or above sleeps for a while and hopes: a wait polls for a
 * condition, and gives up at a deadline.
 */
#ifndef TESTS_SYSTEM_WAIT_H
#define TESTS_SYSTEM_WAIT_H

#include <stdint.h>
#include <time.h>

/* Monotonic microseconds. */
static inline int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline int64_t now_ms(void)
{
    return now_us() / 1000;
}

/* The pause between two looks at a condition, and the pace of the load. */
static inline void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* Looks at `condition` every 10 ms, for at most `ms`; yields whether it came true. */
#define wait_until(ms, condition)                                                                  \
    __extension__({                                                                                \
        int64_t wait_deadline_ = now_ms() + (ms);                                                  \
        int wait_true_ = 0;                                                                        \
        while (!(wait_true_ = !!(condition)) && now_ms() < wait_deadline_)                         \
            pause_ms(10);                                                                          \
        wait_true_;                                                                                \
    })

#endif
