/* session_request: see the header. */
#include "session/session_request.h"

#include "nodes/identity.h"

void session_request_forget_login(struct session_request *r)
{
    identity_release(r->login);
    r->login = NULL;
}
