/* capa: CLIENT CAPA, with which a client tells what it can do. */
#ifndef REDISPROXY_COMMANDS_CAPA_H
#define REDISPROXY_COMMANDS_CAPA_H

#include "session/state.h"

/* VERB_CLIENT_CAPA's hook `seen`: the command is rewritten, so that the node hears of no capability. */
void client_capa_seen(struct session *s, struct session_request *r);

#endif
