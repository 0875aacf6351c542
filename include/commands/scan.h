/* scan: SCAN, HSCAN, SSCAN and ZSCAN, whose cursors mean something to one Redis process only. */
#ifndef REDISPROXY_COMMANDS_SCAN_H
#define REDISPROXY_COMMANDS_SCAN_H

#include "session/state.h"

/* Their hooks of the same names. */
void scan_seen(struct session *s, struct session_request *r);
enum step scan_route(struct session *s, struct session_request *r);
void scan_sending(struct session *s, struct session_request *r, struct upstream *to);
void scan_begins(struct session *s, struct session_request *r, const struct upstream *from);
/* EXEC of a transaction with some of them was answered: the cursors in its answer are rewritten. */
void scan_executed(struct session *s, struct session_request *exec, const struct upstream *from);

#endif
