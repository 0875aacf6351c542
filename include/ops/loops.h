/*
 * loops: when the threads' loops turned last. /healthz and the watchdog judge by it.
 */
#ifndef REDISPROXY_OPS_LOOPS_H
#define REDISPROXY_OPS_LOOPS_H

#include "ops/health.h"
#include "topology/control.h"
#include "worker/workers.h"

/* All of them, `*count`, to be freed. Any thread. */
struct health_loop *loops_look(const struct control *control, const struct workers *workers,
                               size_t *count) __attribute__((warn_unused_result));

#endif
