/* pause: CLIENT PAUSE and UNPAUSE. */
#ifndef REDISPROXY_COMMANDS_PAUSE_H
#define REDISPROXY_COMMANDS_PAUSE_H

#include "session/state.h"

/* CLIENT PAUSE's hook `prepare`: it is about to be sent on the lease, and all workers are told. */
enum step pause_prepare(struct session *s, struct request *r);
/* The hook `answered` of CLIENT PAUSE and UNPAUSE; also called when the EXEC of a transaction with a CLIENT PAUSE is
 * answered. */
void pause_answered(struct session *s, struct request *r, const struct upstream *from);

#endif
