/* show_names: words for what people are shown, the same in redisproxy ctl and in /status. Pure functions. Any thread. */
#ifndef REDISPROXY_OPS_SHOW_NAMES_H
#define REDISPROXY_OPS_SHOW_NAMES_H

#include "nodes/options.h"
#include "topology/topology.h"

/* "master", "replica", "split". */
const char *show_route(enum route route);

/* As a group's state is shown: also "paused". */
const char *show_group_state(const struct topology_group *group);

/* "silent", "unknown", "shutting down", "up". */
const char *show_node_state(const struct topology_node *node);

/* "master" or "replica", as the proxy uses it. */
const char *show_node_role(const struct topology_group *group, size_t index);

/* How many replicas may be read. */
size_t show_readable_replicas(const struct topology_group *group);

#endif
