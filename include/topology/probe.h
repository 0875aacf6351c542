/*
 * probe: one node, asked again and again what it is: PING (is it loading?),
 * ROLE, INFO replication, on a connection of its own. Reports each round, and
 * every trouble; judges nothing. The loop's thread only.
 */
#ifndef REDISPROXY_TOPOLOGY_PROBE_H
#define REDISPROXY_TOPOLOGY_PROBE_H

#include "net/address.h"
#include "topology/election.h"
#include "topology/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct probe;

struct probe_callbacks {
    void (*answer)(void *owner, struct probe *probe, const struct node_answer *answer,
                   int64_t asked_ms);
    void (*lost)(void *owner, struct probe *probe); /* the connection broke */
    void (*down)(void *owner, struct probe *probe); /* connecting failed */
    /* A question has been open for 1 s; or was answered, or refused, at last. */
    void (*suspect)(void *owner, struct probe *probe, bool suspect);
    /* After probe_close(): it is freed when this returns. */
    void (*closed)(void *owner, struct probe *probe);
};

struct probe_options {
    struct address address;
    const char *group; /* for logs */
    const char *username, *password;
    int64_t connect_timeout_ms;
    struct names *names; /* for a master's name in ROLE */
    const struct probe_callbacks *callbacks;
    void *owner;
};

struct probe *probe_new(uv_loop_t *loop, const struct probe_options *options);
void probe_close(struct probe *probe);

/* How often to ask. */
void probe_set_period(struct probe *probe, int64_t period_ms);
/* Asks at once; or reconnects at once; or, when a round is under way, asks again right after it. */
void probe_now(struct probe *probe);

const struct address *probe_address(const struct probe *probe);
const char *probe_name(const struct probe *probe);

#endif
