/* replay: an open transaction is sent again, on a fresh lease, before anything else goes there. */
#ifndef REDISPROXY_SESSION_REPLAY_H
#define REDISPROXY_SESSION_REPLAY_H

#include "session/state.h"

void session_tx_replay(struct session *s);

#endif
