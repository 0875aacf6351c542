/*
 * health: what /healthz and /readyz answer, from a snapshot and the time. Pure
 * functions: the web server around them is http.
 */
#ifndef REDISPROXY_OPS_HEALTH_H
#define REDISPROXY_OPS_HEALTH_H

#include "nodes/options.h"
#include "topology/topology.h"

#include <stdbool.h>
#include <stdint.h>

/* A loop that has not turned for longer is stuck. */
#define HEALTH_TURN_MS 2000

struct health_loop {
    const char *name;
    int64_t last_turn; /* clock_ms() */
};

struct health_view {
    int64_t now, wall; /* clock_ms(), clock_wall_ms() */
    const struct health_loop *loops;
    size_t loop_count;
    const struct topology *topology;            /* the newest snapshot */
    const struct traffic_group_options *groups; /* with the snapshot's indices */
    struct refusals *refusals;                  /* the board's; NULL: nobody refuses the proxy */
    bool draining;
};

/* Whether every loop has turned in the last HEALTH_TURN_MS; if not, `reason` says which one. */
bool health_loops_turn(const struct health_loop *loops, size_t count, int64_t now_ms, char *reason,
                       size_t size);

/* Whether every loop turns. Returns the HTTP status, 200 or 503, and the answer's text, to be
 * freed. */
unsigned health_alive(const struct health_view *view, char **json);

/* The same for: whether any group can serve a request now, or may still be able to before a held
 * one times out. */
unsigned health_ready(const struct health_view *view, char **json);

#endif
