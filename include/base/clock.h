/*
 * clock: the two clocks of the process. Code that decides by time takes the
 * time as a parameter (milliseconds of clock_ms()); only the loops read the
 * clock, so that unit tests drive elections and holds without sleeping.
 * Any thread.
 */
#ifndef REDISPROXY_BASE_CLOCK_H
#define REDISPROXY_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic milliseconds: the same base as libuv's uv_now(). Never goes back. */
int64_t clock_ms(void);

/* The same clock in histogram's ticks (histogram.h). */
uint64_t clock_ticks(void);

/* Milliseconds since 1970, for people to read. */
int64_t clock_wall_ms(void);

#endif
