/* sentinel_view: one Sentinel of a group, for people: what control_each_sentinel() tells. */
#ifndef REDISPROXY_TOPOLOGY_SENTINEL_VIEW_H
#define REDISPROXY_TOPOLOGY_SENTINEL_VIEW_H

#include "net/address.h"
#include "topology/votes.h"

#include <stdbool.h>
#include <stdint.h>

struct sentinel_view {
    const char *name;     /* its address, as the log has it */
    const char *runid;    /* "": not known */
    bool configured;      /* it stands in the configuration; otherwise others told of it */
    bool reachable;       /* it answers; what follows is what it said last */
    bool known;           /* it watches a master of the group's name, */
    struct address named; /* at this address; len 0: it could not be resolved */
    uint64_t epoch;
    enum failover_step step;
    int64_t answered_ms; /* clock_ms() of its last answer; 0: it has never answered */
    unsigned peers;      /* how many other Sentinels it lists */
};

/* Valid during the call. */
typedef void sentinel_visitor(void *data, const struct sentinel_view *view);

#endif
