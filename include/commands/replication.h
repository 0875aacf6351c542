/* replication: SYNC and PSYNC, on listeners with allow_replication = yes. */
#ifndef REDISPROXY_COMMANDS_REPLICATION_H
#define REDISPROXY_COMMANDS_REPLICATION_H

#include "session/state.h"

/* The hook `route` of SYNC, PSYNC and REPLCONF. */
enum step replication_route(struct session *s, struct session_request *r);

#endif
