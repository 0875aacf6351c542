/*
 * tls_watch: a thread that keeps TLS sources fresh: told by the kernel of what changes in their folders (where
 * Kubernetes swaps a symbolic link), and once a second without.
 */
#ifndef REDISPROXY_NET_TLS_WATCH_H
#define REDISPROXY_NET_TLS_WATCH_H

#include "net/tls_source.h"

struct tls_watch;

/* The array is borrowed until tls_watch_stop(). Returns NULL after logging why. */
struct tls_watch *tls_watch_start(struct tls_source *const *sources, size_t count)
    __attribute__((warn_unused_result));
void tls_watch_stop(struct tls_watch *watch);

#endif
