/*
 * net: hosts that can be cut off from each other. Each host of a trio gets a network namespace with
 * two interfaces; all of it lives in a namespace of the test's own and vanishes with it, so that
 * nothing on the machine is touched, named or left behind.
 *
 *     10.77.0.n   service: replication, Sentinel, the proxy's upstreams   eth0 -- bridge side0 |
 * side1 10.78.0.n   the test's own way in, which is never cut               eth1 -- bridge watch
 *
 * A host is cut off by moving its service port to another bridge (or to none): packets vanish, no
 * RST comes back, and the neighbours' addresses stay known, as behind a switch that died.
 */
#ifndef TESTS_SYSTEM_NET_H
#define TESTS_SYSTEM_NET_H

#include <stddef.h>
#include <sys/types.h>

enum { NET_HOSTS_MAX = 8 };
/* Where a host's service port is. */
enum net_side { NET_TOGETHER, NET_OTHER_SIDE, NET_NOWHERE };

struct net {
    int hosts;                   /* 0: no namespaces, everything on loopback */
    pid_t holder[NET_HOSTS_MAX]; /* what keeps each host's namespace */
};

/* Why this machine does not allow it, in one line; NULL when it does. */
const char *net_refused(void);

/* Moves the calling process into a namespace of its own and builds the hosts in it. Returns 0, or
 * -1 after saying why. */
int net_open(struct net *net, int hosts) __attribute__((warn_unused_result));
void net_close(struct net *net);

/* The addresses of a host, on the service network and for the test. */
void net_address(int host, char *out, size_t size);
void net_watch_address(int host, char *out, size_t size);

/* argv for running a program on a host: `wrapped` gets room for three more words. */
void net_wrap(const struct net *net, int host, const char *const *argv, char *place, size_t size,
              const char **wrapped);

void net_move(const struct net *net, int host, enum net_side side);

#endif
