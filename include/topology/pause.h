/*
 * pause: an operator has the proxy hold what is for a group's master, as it does in a switchover, for a while. It ends by
 * itself: at its time, or, for a planned switchover, as soon as another master may be written to. It changes what the
 * snapshot shows, and nothing that the election knows. Plain values: the time is a parameter.
 */
#ifndef REDISPROXY_TOPOLOGY_PAUSE_H
#define REDISPROXY_TOPOLOGY_PAUSE_H

#include "topology/topology.h"

#include <stdbool.h>
#include <stdint.h>

/* Of one group; all zero: none. */
struct pause {
    int64_t since_ms, until_ms; /* 0: there is none */
    uint64_t leaving; /* it ends when another node than this is master; 0: at its time only */
};

/* Why a pause is over. */
enum pause_end { PAUSE_GOES_ON, PAUSE_TIME, PAUSE_SWITCHED };

/* Begins, or is given another end. */
void pause_begin(struct pause *pause, int64_t now_ms, int64_t until_ms, uint64_t leaving);
void pause_end(struct pause *pause);

static inline bool pause_is_on(const struct pause *pause)
{
    return pause->until_ms != 0;
}

/* Puts it into what the election shows of its group; ends it if that is due, and says why. */
enum pause_end pause_apply(struct pause *pause, struct topology_group *shown, int64_t now_ms);

#endif
