/* number: numbers that nodes and Sentinels tell, of which anything may be said, before somebody calculates with them. */
#ifndef REDISPROXY_TOPOLOGY_NUMBER_H
#define REDISPROXY_TOPOLOGY_NUMBER_H

#include "redis/resp.h"

/* Offsets and times: sums and differences of some of them still fit. */
#define NUMBER_MAX ((int64_t)1 << 60)

/* The text's number; 0 when it is NULL, no number, or not within 0 and `max`. */
static inline int64_t number_of(const char *text, int64_t max)
{
    int64_t number;
    if (!text || !resp_parse_integer((struct slice){text, strlen(text)}, &number) || number < 0 ||
        number > max)
        return 0;
    return number;
}

#endif
