/*
 * options: what the data path can be told. ops/config fills these; they are
 * immutable while workers run.
 */
#ifndef REDISPROXY_NODES_OPTIONS_H
#define REDISPROXY_NODES_OPTIONS_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum route { ROUTE_MASTER, ROUTE_REPLICA, ROUTE_SPLIT };

/* What a client gets for a write that was sent and not answered when its connection died. */
enum inflight_writes { INFLIGHT_ERROR, INFLIGHT_CLOSE };

/* Which part of its certificate names the user that a client starts as. */
enum tls_user_from { USER_FROM_NOTHING, USER_FROM_CN, USER_FROM_URI };

/* Whether clients share connections to the nodes. */
enum multiplexing { MULTIPLEXING_YES, MULTIPLEXING_NO };

#define WORKERS_MAX 64

/* One group as the data path sees it; the same index as in the topology. */
struct traffic_group_options {
    const char *name;
    int64_t hold_timeout_ms;
    size_t hold_memory;         /* bytes of held requests, all workers together */
    int64_t connect_timeout_ms; /* connecting to a node, and the handshake */
    enum inflight_writes inflight_writes;
    struct tls_source *tls; /* NULL: the nodes speak plainly */
};

struct traffic_listener_options {
    struct endpoint endpoint; /* as configured, for logs */
    struct address address;
    size_t group; /* index */
    enum route route;
    enum multiplexing multiplexing;
    bool allow_replication;
    struct tls_source *tls;          /* NULL: clients speak plainly */
    enum tls_user_from user_from;    /* where in a client's certificate the user's name stands */
    struct certificate_users *users; /* their passwords; NULL: none are known */
};

struct traffic_options {
    const struct traffic_group_options *groups;
    size_t group_count;
    const struct traffic_listener_options *listeners;
    size_t listener_count;
    size_t workers;          /* 1 to WORKERS_MAX */
    uint64_t clients_before; /* were numbered by the process from which this one takes over */
    size_t max_clients;      /* sessions of all workers; one more is refused with Redis' text */
    /* Descriptors from these numbers on are not for clients, and not for leases (ops/open_files.h); 0: all are. */
    int client_files, lease_files;
    unsigned http_connections; /* so many are served at a time */
    size_t request_max;        /* bytes of one request */
    size_t request_memory;     /* of all clients' unfinished requests (request_cost()) */
    size_t
        output_high; /* bytes of replies a session may have waiting before its sources are paused */
    size_t output_limit,
        output_memory;  /* bytes of requests that are read ahead: a client's, all clients' */
    int64_t slowlog_ms; /* a request that takes so long is logged; 0: none is */
    int64_t drain_timeout_ms, drain_delay_ms;
    int64_t handshake_timeout_ms;                  /* of a client with TLS */
    int64_t tcp_keepalive_ms, tcp_user_timeout_ms; /* towards clients: stream_watch_peer() */
};

/* How many clients there may be, with the one who came on this descriptor. */
static inline size_t traffic_max_clients(const struct traffic_options *options, int fd)
{
    return options->client_files && fd >= options->client_files ? 0 : options->max_clients;
}

#endif
