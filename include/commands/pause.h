/* pause: CLIENT PAUSE and UNPAUSE. */
#ifndef REDISPROXY_COMMANDS_PAUSE_H
#define REDISPROXY_COMMANDS_PAUSE_H

#include "session/state.h"

/* CLIENT PAUSE is about to be sent on the lease: what comes behind it shall not be caught. */
enum step pause_prepare(struct session *s, struct request *r);
/* It, CLIENT UNPAUSE, or the EXEC behind it was answered there. */
void pause_answered(struct session *s, struct request *r, const struct upstream *from);

#endif
