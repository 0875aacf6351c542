/*
 * capa: CLIENT CAPA. A node would send a client that can be REDIRECTed to the master: here nobody has to go
 * anywhere. It says OK to what it has never heard of, if it knows the command.
 */
#ifndef REDISPROXY_COMMANDS_CAPA_H
#define REDISPROXY_COMMANDS_CAPA_H

#include "session/state.h"

void client_capa_seen(struct session *s, struct request *r);

#endif
