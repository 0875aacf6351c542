/*
 * group: one configured group at work: its Sentinels, its probes, its
 * election, wired together. The loop's thread only.
 */
#ifndef REDISPROXY_TOPOLOGY_GROUP_H
#define REDISPROXY_TOPOLOGY_GROUP_H

#include "topology/control.h"
#include "topology/names.h"
#include "topology/topology.h"

#include <uv.h>

struct group;

/* `changed` is called after anything happened that may have changed what group_show() writes;
 * `closed` after group_close(): the group is freed when it returns. */
struct group *group_new(uv_loop_t *loop, const struct topology_options *options,
                        struct names *names, void (*changed)(void *owner),
                        void (*closed)(void *owner), void *owner);
void group_close(struct group *group);

/* Fills in the group's part of a snapshot. */
void group_show(const struct group *group, struct topology_group *out);

/* A host name got another address: ask everybody again. */
void group_ask_all(struct group *group);

#endif
