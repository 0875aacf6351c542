/*
 * target: what clients are connected to in a failover scenario: redisproxy, or HAProxy with the
 * configuration that the redis-ha Helm chart writes for it, on the same trio.
 */
#ifndef TESTS_SYSTEM_TARGET_H
#define TESTS_SYSTEM_TARGET_H

#include "harness/proxy.h"

enum target_kind { TARGET_REDISPROXY, TARGET_HAPROXY };

struct target {
    enum target_kind kind;
    struct proxy proxy; /* host, log and pid of either */
};

const char *target_name(enum target_kind kind);
bool target_installed(enum target_kind kind);

/* Starts it and waits until writes and reads go through. */
int target_start(struct target *target, enum target_kind kind, const struct trio *trio,
                 const struct proxy_options *options) __attribute__((warn_unused_result));
/* redisproxy's verdict (proxy_stop); HAProxy is killed. */
int target_stop(struct target *target) __attribute__((warn_unused_result));

#endif
