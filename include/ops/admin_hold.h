/*
 * admin_hold: a group's requests are held, for pause and switchover: the control plane is told (topology/pause.h), and the
 * snapshot that shows it is waited for, and then that no worker has an unanswered write any more. The admin thread only.
 */
#ifndef REDISPROXY_OPS_ADMIN_HOLD_H
#define REDISPROXY_OPS_ADMIN_HOLD_H

#include "ops/admin_call.h"

/* Embedded; all zero at first. */
struct admin_hold {
    size_t group;
    uint64_t seq; /* the snapshot that shows it; 0: none has yet */
};

/* Has the group held until then (clock_ms()); `leaving`: see control_pause(). */
void admin_hold_begin(struct admin_hold *hold, struct admin_core *core, size_t group,
                      int64_t until_ms, uint64_t leaving);
/* Whether nothing that was written before is unanswered. */
bool admin_hold_is_quiet(struct admin_hold *hold, struct admin_core *core);
/* Its requests go on. */
void admin_hold_end(struct admin_core *core, size_t group);

/* The longest that a group may be held: shorter than hold_timeout, so that no request fails for it. */
int64_t admin_hold_longest(const struct admin_core *core, size_t group);

#endif
