/*
 * check: "redisproxy --check": the probe of a container that has no other program in it.
 */
#ifndef REDISPROXY_OPS_CHECK_H
#define REDISPROXY_OPS_CHECK_H

#include <stdbool.h>

/* Asks the proxy that runs with this configuration (NULL: with the environment) /readyz, or, `alive`, /healthz, and says
 * in one line what it answers. Returns the exit status: 0 it is well, 1 it is not, or cannot be asked. */
int check_main(const char *path, bool alive);

#endif
