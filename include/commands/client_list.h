/* client_list: CLIENT LIST, INFO and ID. */
#ifndef REDISPROXY_COMMANDS_CLIENT_LIST_H
#define REDISPROXY_COMMANDS_CLIENT_LIST_H

#include "session/state.h"

/* The hooks `perform` of VERB_CLIENT_LIST, VERB_CLIENT_INFO and VERB_CLIENT_ID. */
enum step client_list_perform(struct session *s, struct session_request *r);
enum step client_info_perform(struct session *s, struct session_request *r);
enum step client_id_perform(struct session *s, struct session_request *r);

#endif
