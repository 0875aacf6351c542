/*
 * control: the control plane's thread. For each configured group it keeps the
 * Sentinel connections and the probes, feeds the election with what they say,
 * and publishes a snapshot on the board whenever the election's view changes.
 */
#ifndef REDISPROXY_TOPOLOGY_CONTROL_H
#define REDISPROXY_TOPOLOGY_CONTROL_H

#include "net/address.h"
#include "topology/errands.h"
#include "topology/fence.h"
#include "topology/sentinel_view.h"
#include "topology/topology.h"

#include <stdint.h>

enum promotion { PROMOTION_CONFIRMED, PROMOTION_EAGER };
enum lose_quorum { LOSE_QUORUM_SERVE, LOSE_QUORUM_HOLD };

/* One group's options. The strings are the configuration's, and live as long as these options are followed; the name lives
 * as long as the process. */
struct topology_options {
    const char *name;  /* the Sentinel master name */
    bool gone;         /* it is not configured any more: nothing else is set, but for */
    int64_t linger_ms; /* how long it is kept, for sessions that are on their way out */
    const struct endpoint *sentinels;
    size_t sentinel_count;
    const char *sentinel_username, *sentinel_password; /* NULL: none */
    const char *username, *password;                   /* for the nodes; NULL: none */
    /* Where the passwords came from, and are read again when they are refused; NULL: nowhere. */
    const char *sentinel_password_file, *password_file;
    enum promotion promotion;
    bool reconfigure_assist; /* only with PROMOTION_EAGER */
    enum fence fence;
    bool demote;
    enum lose_quorum lose_quorum;
    int64_t quorum_timeout_ms;  /* for LOSE_QUORUM_HOLD */
    int64_t failover_assist_ms; /* -1: no */
    bool assist_owner;          /* failover_assist is this instance's business */
    int64_t settle_timeout_ms;
    int64_t stale_reads_ms; /* how long a replica stays readable without a steady master; -1:
                               unlimited */
    int64_t replica_lag_ms; /* a replica that is behind by more is not read; -1: unlimited */
    int64_t connect_timeout_ms;
    struct tls_source *tls, *sentinel_tls; /* NULL: nodes, Sentinels speak plainly */
};

struct control;

/* Starts the thread; the first snapshot (every group GROUP_NONE) is on the board when this returns.
 * Returns NULL after logging why. `groups` are followed until there are others, and live as long. */
struct control *control_start(const struct topology_options *groups, size_t group_count,
                              struct board *board) __attribute__((warn_unused_result));

/* Other options: each group with the index that it had, new ones behind them. Returns at once; from when
 * control_follows() says so the old ones are not needed any more, and a snapshot that has the new groups is published.
 * Any thread, one at a time. */
void control_reload(struct control *control, const struct topology_options *groups,
                    size_t group_count);
bool control_follows(const struct control *control, const struct topology_options *groups);

/* clock_ms() of the loop's last turn (it turns at least once a second). Any thread. */
int64_t control_last_turn(const struct control *control);

/* Has the errand run on the control plane's thread; one that it does not come to is dropped by control_stop(). Any
 * thread, until that is called. */
void control_run(struct control *control, struct errand *errand);

/* ---- for errands: on the control plane's thread only ---- */

/* Tells each Sentinel of a group. */
void control_each_sentinel(const struct control *control, size_t group, sentinel_visitor *each,
                           void *data);
/* What is for the group's master is held from now on, until then (clock_ms()) at most; with a `leaving` that is the id of
 * its master now, only until another one may be written to. The next snapshot shows it (`paused`). `until_ms` 0: it is held
 * no longer. */
void control_pause(struct control *control, size_t group, int64_t until_ms, uint64_t leaving);

/* Closes every connection, joins the thread, frees everything. */
void control_stop(struct control *control);

#endif
