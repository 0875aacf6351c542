/*
 * control_state: the inside of the control plane, which control.c and control_publish.c share. Nobody else includes this.
 */
#ifndef REDISPROXY_TOPOLOGY_CONTROL_STATE_H
#define REDISPROXY_TOPOLOGY_CONTROL_STATE_H

#include "topology/control.h"
#include "topology/errands.h"
#include "topology/names.h"
#include "topology/pause.h"

#include <stdatomic.h>
#include <uv.h>

/* A group keeps its number. */
struct place {
    struct group *group; /* NULL: it is gone */
    const char *name;
    int64_t leaves_ms; /* it goes then; 0: it is configured */
    struct pause pause;
};

struct control {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t stop, credential, errand, reload;
    uv_prepare_t before_sleep;
    uv_timer_t turn, summary, pause;
    struct errands errands;
    atomic_int_least64_t last_turn;
    struct board *board;
    struct topology *shown; /* what is on the board: a reference of our own */
    struct names *names;
    struct summaries *summaries;
    struct place *places;
    size_t place_count, groups_open;
    /* What is to be followed, and what is. */
    _Atomic(const struct topology_options *) wanted, followed;
    atomic_size_t wanted_count;
    bool dirty, stopping;
};

/* Puts the state of all groups on the board, if it is another one. Returns whether it is. */
bool control_publish(struct control *control);
/* Makes sure that it is looked at again when the first pause ends. */
void control_arm_pauses(struct control *control);

#endif
