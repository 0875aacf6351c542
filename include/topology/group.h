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

/* For the owner. */
struct group_callbacks {
    /* Something happened that may have changed what group_show() writes. */
    void (*changed)(void *owner);
    /* The newest snapshot that all workers have carried out (topology.h), and until when clients have
     * paused a node; NULL: there are none. */
    uint64_t (*acknowledged)(void *owner);
    int64_t (*paused_until)(void *owner, const struct group *group, uint64_t node);
    /* A switch has ended, as the election reports it; NULL: nobody wants to know. */
    void (*switched)(void *owner, const struct group *group, const struct switchover *s);
    /* A credential was refused, or accepted: group_look_at_credentials() is to be called soon. Any
     * thread. */
    void (*credential)(void *owner);
    /* After group_close(): the group is freed when it returns. */
    void (*closed)(void *owner);
};

struct group *group_new(uv_loop_t *loop, const struct topology_options *options,
                        struct names *names, const struct group_callbacks *callbacks, void *owner);
void group_close(struct group *group);

/* It goes on with these options, which outlive it from now on instead of those that it had; the name is the same string.
 * What it knows of nodes and Sentinels stays, and so do connections that need not change. */
void group_reload(struct group *group, const struct topology_options *options);
/* Its options go, and it stays for a while: it copies what it needs. */
void group_linger(struct group *group);

/* What group_show() wrote last was published in this snapshot. */
void group_published(struct group *group, uint64_t seq);

/* Fills in the group's part of a snapshot. */
/* What it knows, for people who measure; `out` is zeroed. To be called twice a second. */
void group_facts(struct group *group, struct group_facts *out);
void group_show(const struct group *group, struct topology_group *out);

/* Tells each of its Sentinels. */
void group_each_sentinel(const struct group *group, sentinel_visitor *each, void *data);

/* Reads the passwords' files again, if that is due. To be called twice a second, and when
 * `credential` was. */
void group_look_at_credentials(struct group *group);

/* A host name got another address: ask everybody again. */
void group_ask_all(struct group *group);

#endif
