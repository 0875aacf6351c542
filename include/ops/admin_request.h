/* admin_request: what stands in a request's line, held against the verb table. Whatever it is, it is answered. */
#ifndef REDISPROXY_OPS_ADMIN_REQUEST_H
#define REDISPROXY_OPS_ADMIN_REQUEST_H

#include "ops/admin_call.h"

/* `call` has the parsed line (NULL: it is no JSON) and whom to answer. Has its verb begin, or refuses it; the call may be
 * gone when this returns. */
void admin_request_begin(struct admin_call *call);

#endif
