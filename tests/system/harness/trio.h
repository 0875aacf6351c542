/*
 * trio: real redis-server and redis-sentinel processes, three of each unless told otherwise, each
 * pair on an address of its own, with the settings of the redis-ha Helm chart.
 *
 *     127.A.B.1:6379, :26379    127.A.B.2 ...    127.A.B.3 ...    127.A.B.100 for the proxy
 *
 * Criterion runs every test in a process of its own: a trio that several tests share is started by
 * the program (suite.h) and found again by the tests with trio_attach(). An attached trio cannot
 * start or end servers; the rest works alike.
 */
#ifndef TESTS_SYSTEM_TRIO_H
#define TESTS_SYSTEM_TRIO_H

#include "harness/net.h"
#include "harness/process.h"

#include <hiredis/hiredis.h>

#define TRIO_GROUP "mymaster"
#define TRIO_PORT 6379
#define TRIO_SENTINEL_PORT 26379

enum { TRIO_MAX = 5, TRIO_HOST = 24 };

struct trio_options {
    int nodes, sentinels;    /* 0: three */
    int min_replicas;        /* min-replicas-to-write */
    int down_after_ms;       /* 0: the chart's 10000 */
    int failover_timeout_ms; /* 0: the chart's 180000 */
    bool fast;               /* a full resync without delay; Sentinels ask and publish often:
                             a live old master is told to follow 2 s after a switch, not 8 */
    bool persistent;      /* nodes save when they end, as the chart's do, and load at their start */
    bool journal;         /* nodes write an append-only file: what they acknowledged survives
                             their process */
    bool names;           /* announced and watched by host names (names.h) */
    bool partitions;      /* each host in a network namespace (net.h) */
    const char *password; /* requirepass and what follows from it; NULL: none */
    const char *client_user, *client_password; /* an ACL user for clients; NULL: they need none */
    const char *node_lines, *sentinel_lines;   /* further lines for the configurations, or NULL */
    bool sentinels_later;                      /* trio_start_sentinels() starts them */
};

struct trio {
    struct trio_options options;
    struct scratch scratch;
    struct net net;
    char host[TRIO_MAX][TRIO_HOST]; /* where the tests reach them */
    char name[TRIO_MAX][TRIO_HOST]; /* what they announce: the same, but for names and partitions */
    int port[TRIO_MAX];             /* the nodes' */
    char proxy_host[TRIO_HOST];
    bool moved; /* Sentinels never forget a replica's old address */
    pid_t node_pid[TRIO_MAX], sentinel_pid[TRIO_MAX]; /* 0: not ours, or ended */
};

/* Starts it and waits until it is whole. Returns 0, or -1 after saying why on stderr. */
int trio_start(struct trio *trio, const struct trio_options *options)
    __attribute__((warn_unused_result));
int trio_start_sentinels(struct trio *trio) __attribute__((warn_unused_result));
void trio_stop(struct trio *trio);
/* The nodes' logs, on stderr. */
void trio_show(const struct trio *trio);

/* Puts what trio_attach() needs into the environment; finds it there. */
void trio_export(const struct trio *trio);
int trio_attach(struct trio *trio) __attribute__((warn_unused_result));

/* One master, every other node its replica with the link up, all Sentinels agreeing on it, knowing
 * each other, and seeing no failover and nobody down. */
int trio_wait_whole(struct trio *trio) __attribute__((warn_unused_result));

/* The node that says `role:master`, when there is exactly one; else -1. */
int trio_master(struct trio *trio);
/* One that is not the master. */
int trio_replica(struct trio *trio);

/* Asks a Sentinel for a failover, until one takes the request (for at most 10 s); the second asks
 * this one, once, and returns whether it took it. */
int trio_failover(struct trio *trio) __attribute__((warn_unused_result));
bool trio_failover_by(struct trio *trio, int sentinel);

/* Further life of servers: trio_life.c. Hosts are numbered alike for nodes and Sentinels; the proxy
 * is host TRIO_MAX. */
pid_t trio_run(const struct trio *trio, int host, const char *const *argv, const char *log);

/* SIGKILL and reaping; SIGTERM, waiting up to 20 s, and reaping. */
void trio_kill_node(struct trio *trio, int node);
void trio_kill_sentinel(struct trio *trio, int sentinel);
void trio_end_node(struct trio *trio, int node);
void trio_end_sentinel(struct trio *trio, int sentinel);

/* Starting again, with the configuration that the server itself left behind, or, trio_return_...(),
 * with a new one, as the chart's init container writes it: following the master that Sentinels
 * name, and, of a Sentinel, with its id and without a memory. trio_launch_node() does not wait for
 * the node's answer. */
int trio_start_node(struct trio *trio, int node) __attribute__((warn_unused_result));
int trio_return_node(struct trio *trio, int node) __attribute__((warn_unused_result));
void trio_launch_node(struct trio *trio, int node);
int trio_start_sentinel(struct trio *trio, int sentinel) __attribute__((warn_unused_result));
int trio_return_sentinel(struct trio *trio, int sentinel) __attribute__((warn_unused_result));

/* Gives a host whose servers have ended another address; with names, the name moves along. The second
 * gives a node that has ended another port. */
void trio_move(struct trio *trio, int host);
void trio_move_port(struct trio *trio, int node, int port);

/* The node that a majority of the Sentinels that answer name; -1: none. */
int trio_named(struct trio *trio);

/* Sends the same command to every Sentinel. */
void trio_tell_sentinels(const struct trio *trio, const char *command);

/* A connection straight to a node, or to a Sentinel. Where there is a password, as who knows it. */
redisContext *trio_node(const struct trio *trio, int node);
redisContext *trio_sentinel(const struct trio *trio, int sentinel);
/* The same, for looking at one that may hang: no answer for 300 ms is an error. TRIO_PORT stands for
 * the node, whatever its port. */
redisContext *trio_glance(const struct trio *trio, int host, int port);

/* Sends the same command to every node; whether all answered +OK. */
bool trio_tell_all(const struct trio *trio, const char *command);

#endif
