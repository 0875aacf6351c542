/*
 * counter: a number that one thread counts up and any thread may read.
 *
 * The writer needs no lock and no atomic read-modify-write: nobody else writes. It adds as to any other number, which is
 * one instruction on the data path; an aligned number of this size is never seen in half, so a reader finds the value of
 * this moment or of one just before. For ThreadSanitizer, which cannot know that, the addition is a relaxed load and a
 * relaxed store.
 */
#ifndef REDISPROXY_BASE_COUNTER_H
#define REDISPROXY_BASE_COUNTER_H

#include <stdint.h>

typedef uint64_t counter;

/* The writer's thread. */
static inline void counter_add(counter *c, uint64_t more)
{
#ifdef __SANITIZE_THREAD__
    __atomic_store_n(c, __atomic_load_n(c, __ATOMIC_RELAXED) + more, __ATOMIC_RELAXED);
#else
    *c += more;
#endif
}

/* A gauge: the same, for a value that goes up and down. The writer's thread. */
static inline void counter_set(counter *c, uint64_t value)
{
    __atomic_store_n(c, value, __ATOMIC_RELAXED);
}

/* Any thread. */
static inline uint64_t counter_read(const counter *c)
{
    return __atomic_load_n(c, __ATOMIC_RELAXED);
}

#endif
