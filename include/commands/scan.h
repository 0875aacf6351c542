/* scan: SCAN and kin, whose cursors are of one process. */
#ifndef REDISPROXY_COMMANDS_SCAN_H
#define REDISPROXY_COMMANDS_SCAN_H

#include "session/state.h"

/* Their hooks. */
void scan_seen(struct session *s, struct request *r);
enum step scan_route(struct session *s, struct request *r);
void scan_sending(struct session *s, struct request *r, struct upstream *to);
void scan_begins(struct session *s, struct request *r, const struct upstream *from);
/* The answer of an EXEC with some of them in its transaction is whole. */
void scan_executed(struct session *s, struct request *exec, const struct upstream *from);

#endif
