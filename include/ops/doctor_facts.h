/*
 * doctor_facts: what the Sentinels and the nodes of one group say of themselves and of each other, as the doctor looks at it
 * (doctor_checks.h). Texts are "" and numbers are UNKNOWN where nobody told them.
 */
#ifndef REDISPROXY_OPS_DOCTOR_FACTS_H
#define REDISPROXY_OPS_DOCTOR_FACTS_H

#include "net/address.h"
#include "nodes/options.h"
#include "topology/control.h"
#include "topology/election.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNKNOWN (-1)
/* A group has fewer of each. What is beyond is not looked at. */
enum { DOCTOR_SENTINELS = 32, DOCTOR_NODES = 64 };

/* Another Sentinel, as one of them knows it. */
struct doctor_peer {
    struct endpoint endpoint;
    char runid[RUNID_SIZE];
};

struct doctor_sentinel {
    struct endpoint endpoint; /* as configured */
    char trouble[200];        /* why it could not be asked; "": it could */
    char runid[RUNID_SIZE];
    bool knows;             /* it has a master of this name */
    char known[200];        /* the names that it has instead */
    struct endpoint master; /* port 0: it told none */
    int64_t quorum;         /* Sentinels that must agree on an objective failure */
    int64_t down_after_ms;  /* of the master */
    int64_t failover_timeout_ms;
    int64_t clock_ahead_ms; /* of its clock before this machine's; INT64_MIN: not known */
    bool tilt;
    struct doctor_peer peers[DOCTOR_SENTINELS];
    size_t peer_count;
};

/* A command that the proxy sends as its own user, and whether it may. */
struct doctor_right {
    const char *command; /* NULL: end of the list */
    const char *needed_for;
    bool refused;
};

struct doctor_node {
    struct endpoint endpoint; /* as Sentinel announces it */
    bool is_master;           /* as Sentinel says */
    size_t named_by;          /* so many of the configured Sentinels name it */
    char trouble[200];
    bool refuses; /* it can be reached, and does not let the proxy's user in */
    char user[64];
    enum { DOCTOR_ROLE_UNKNOWN, DOCTOR_MASTER, DOCTOR_REPLICA } role;
    struct endpoint follows; /* of a replica */
    bool link_up;
    int64_t replicas; /* of a master: connected ones */
    int64_t priority; /* of a replica: 0 is never promoted */
    char replid[RUNID_SIZE];
    char replid_before[RUNID_SIZE]; /* of a master that was promoted: whose data it had before */
    int64_t min_replicas, min_replicas_max_lag_s;
    int64_t diskless_delay_s; /* UNKNOWN also where the full resync goes over the disk */
    int64_t port, tls_port;
    int64_t clock_ahead_ms;
    bool rights_told; /* by ACL DRYRUN */
    struct doctor_right rights[12];
};

struct doctor_group {
    const struct topology_options *options;
    const struct traffic_group_options *traffic;
    struct doctor_sentinel sentinels[DOCTOR_SENTINELS];
    size_t sentinel_count;
    struct doctor_node nodes[DOCTOR_NODES];
    size_t node_count;
};

#endif
