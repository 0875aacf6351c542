/*
 * refusals: which nodes let no new connection of the proxy become useful, and why, in the node's own
 * words: the proxy's password is wrong there, its user lacks a right, the node has no room for more
 * clients, ... The probe may see nothing of it, since its connection is older. A worker notes what its
 * upstream met, and the next success of any worker takes it back.
 *
 * Hung on the board (topology.h). Any thread; while there is none, asking costs one atomic load.
 */
#ifndef REDISPROXY_TOPOLOGY_REFUSALS_H
#define REDISPROXY_TOPOLOGY_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFUSAL_TEXT_MAX 160

struct refusal {
    size_t group;
    uint64_t node;
    int64_t since_ms; /* clock_ms() */
    int64_t until_ms; /* so long requests wait for its end; afterwards they are told */
    char text[REFUSAL_TEXT_MAX];
};

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals *refusals);

/* A node refused a connection, at `now_ms`; requests wait for `patience_ms` from the first one on. Returns
 * whether it is news. */
bool refusals_note(struct refusals *refusals, size_t group, uint64_t node, const char *text,
                   int64_t now_ms, int64_t patience_ms);
/* A connection to the node became ready. Returns whether it had refused some. */
bool refusals_clear(struct refusals *refusals, size_t group, uint64_t node);

/* Whether the node refuses; *out tells what. `refusals` NULL: nobody does. */
bool refusals_find(struct refusals *refusals, size_t group, uint64_t node, struct refusal *out);

#endif
