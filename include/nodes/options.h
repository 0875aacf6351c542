/*
 * options: what the data path can be told. ops/config fills these. They are immutable: a reload of the configuration is
 * another struct, which each worker takes over between two turns (workers_reload()).
 */
#ifndef REDISPROXY_NODES_OPTIONS_H
#define REDISPROXY_NODES_OPTIONS_H

#include "net/address.h"

#include <stdatomic.h>
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
    const char *name; /* lives as long as the process */
    bool
        gone; /* it is not configured any more: what it was stays for those who are on their way out */
    int64_t hold_timeout_ms;
    size_t hold_memory;         /* bytes of held requests, all workers together */
    int64_t connect_timeout_ms; /* connecting to a node, and the handshake */
    enum inflight_writes inflight_writes;
    struct tls_source *tls; /* NULL: the nodes speak plainly */
};

struct traffic_listener_options {
    atomic_uint refs;         /* of traffic_listener_keep(); 0: it is somebody's whole life long */
    struct endpoint endpoint; /* as configured, for logs */
    struct address address;
    size_t
        number; /* of its counters: its place among the addresses of all listeners that there ever were */
    size_t group; /* index */
    enum route route;
    enum multiplexing multiplexing;
    bool allow_replication;
    struct tls_source *tls;          /* NULL: clients speak plainly */
    enum tls_user_from user_from;    /* where in a client's certificate the user's name stands */
    struct certificate_users *users; /* their passwords; NULL: none are known */
};

/* What a session keeps of its listener, whatever becomes of the configuration: a copy, which is counted. Any thread. */
struct traffic_listener_options *
traffic_listener_keep(const struct traffic_listener_options *listener);
const struct traffic_listener_options *
traffic_listener_retain(const struct traffic_listener_options *listener);
void traffic_listener_release(const struct traffic_listener_options *listener);

struct traffic_options {
    const struct traffic_group_options *groups;
    size_t group_count;
    size_t
        group_room; /* reloads may bring so many; the arrays of all have room for them; 0: no more than group_count */
    const struct traffic_listener_options *listeners;
    size_t listener_count;
    size_t listener_numbers; /* so many addresses there ever were, */
    size_t listener_room;    /* and may be; 0: no more than listener_count */
    size_t workers;          /* 1 to WORKERS_MAX */
    uint64_t clients_before; /* were numbered by the process from which this one takes over */
    size_t max_clients;      /* sessions of all workers; one more is refused with Redis' text */
    /* Descriptors from these numbers on are not for clients, and not for leases (ops/open_files.h); 0: all are. */
    int client_files, lease_files;
    unsigned http_connections; /* so many are served at a time */
    bool page;                 /* whether there is one, and /status */
    unsigned page_streams;     /* so many are told at once what happens */
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

/* The listener at this address, or NULL. */
const struct traffic_listener_options *traffic_listener_at(const struct traffic_options *options,
                                                           const struct address *address);

static inline size_t traffic_group_room(const struct traffic_options *options)
{
    return options->group_room > options->group_count ? options->group_room : options->group_count;
}

static inline size_t traffic_listener_room(const struct traffic_options *options)
{
    return options->listener_room > options->listener_count ? options->listener_room
                                                            : options->listener_count;
}

/* How many clients there may be, with the one who came on this descriptor. */
static inline size_t traffic_max_clients(const struct traffic_options *options, int fd)
{
    return options->client_files && fd >= options->client_files ? 0 : options->max_clients;
}

#endif
