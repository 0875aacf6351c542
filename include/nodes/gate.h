/*
 * gate: what publishes a message waits here until the subscriptions of this proxy's clients stand again.
 *
 * A switch cuts the connections that subscriptions live on, and releases the requests that were held.
 * Each worker renews the subscriptions of its own sessions; a message that another one's session
 * published before that would be missed, though nobody was disconnected. So a worker lets publishers
 * through when
 *
 *     all workers have adopted the snapshot that let them go on     (they know what they have lost)
 *     and no session's subscriptions wait to be confirmed           (gate_lost(), gate_renewed())
 *
 * or when the first of them has waited for GATE_MS. A worker that could let its publishers through is
 * rung by whoever changed one of the two last. What another proxy's clients are subscribed to is not
 * known.
 *
 * A worker has one for each group. In the steady state a publisher costs one look at a number that
 * nobody changes. One worker's thread only, but for what is the shared's.
 */
#ifndef REDISPROXY_NODES_GATE_H
#define REDISPROXY_NODES_GATE_H

#include "threads/shared.h"

/* Publishers wait so long at most, and as much longer as the worker looks at the clock (100 ms). */
#define GATE_MS 500

struct gate {
    struct shared *shared;
    size_t group, slot;
    uint64_t seq;     /* all workers have to have adopted this snapshot, */
    bool adopted;     /* and are known to have */
    bool given_up;    /* they waited long enough: until all stand, nobody waits any more */
    int64_t since_ms; /* when the first of those that wait came; 0: nobody waits */
    size_t unrenewed; /* of this worker's sessions */
    size_t early;     /* how often messages went out before all subscriptions stood */
};

void gate_init(struct gate *gate, struct shared *shared, size_t group, size_t slot);

/* With this snapshot the group's master is another one, or may be written to again. */
void gate_bar(struct gate *gate, uint64_t seq);

/* This worker has adopted the snapshot, and counted what it lost with it. */
void gate_adopted(struct shared *shared, size_t slot, uint64_t seq);

/* The subscriptions of one more session are lost; they stand again, or nobody wants them any more. */
void gate_lost(struct gate *gate);
void gate_renewed(struct gate *gate);

/* Whether a publisher may go on. If not, it is to be woken when gate_opens(), or is given up. */
bool gate_is_open(struct gate *gate, int64_t now_ms);

/* Whether those that waited may go on now; once each turn. */
bool gate_opens(struct gate *gate);

/* Whether they have waited long enough: they go on, although sessions would miss what they publish.
 * How long they have waited is *waited_ms then. */
bool gate_gives_up(struct gate *gate, int64_t now_ms, int64_t *waited_ms);

#endif
