/*
 * clock: the two clocks of the process, in milliseconds; one of them in ticks, too.
 */
#include "base/clock.h"

#include "base/histogram.h"

#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

/* Once a turn of a worker: without a guard for a stack that it hands to the system alone. */
__attribute__((no_stack_protector)) uint64_t clock_ticks(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * (1000 * HISTOGRAM_TICKS_PER_MS) +
           (uint64_t)(uint32_t)now.tv_nsec * 2 / 3125;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}
