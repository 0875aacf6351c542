/*
 * fresh: how old is what the read port answers? A ticker writes the time again and again, straight to
 * the master; readers, some on sessions that last, some on a new one each time, note the age of
 * what they get and how long they waited for it.
 */
#ifndef TESTS_SYSTEM_FRESH_H
#define TESTS_SYSTEM_FRESH_H

#include "harness/trio.h"

#include <stdint.h>

struct fresh;

struct freshness {
    long reads, errors;
    int64_t oldest, longest; /* the greatest age, the longest wait, microseconds */
    char error[120];         /* the first */
};

/* `master` is the node that stays master. */
struct fresh *fresh_start(const struct trio *trio, int master, const char *host, int read_port);

/* What was read from `from` to `to` (now_us() values). */
void fresh_look(struct fresh *fresh, int64_t from, int64_t to, struct freshness *out);

void fresh_stop(struct fresh *fresh);

#endif
