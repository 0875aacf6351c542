/* protocol_error: see the header. */
#include "session/protocol_error.h"

#include "session/held.h"
#include "session/life.h"
#include "session/replies.h"
#include "session/requests.h"

#include <stdio.h>

void session_protocol_error(struct session *s, const char *error)
{
    struct session_request *r = session_request_new(session_pool(s), 0);
    char reply[320];
    if (s->special.tunnel) { /* an answer would be a part of what it replicates */
        session_request_free(session_pool(s), r);
        session_close(s, CLOSED_PROTOCOL, error);
        return;
    }
    snprintf(reply, sizeof(reply), "-ERR %s\r\n", error);
    r->close_after = true;
    session_add(s, r);
    if (life_closing(&s->life))
        return;
    if (r->state == REQUEST_WAITING) /* a full hold has answered it otherwise */
        session_answer(s, r, reply);
    life_advance(&s->life, LIFE_LAST_WORDS);
    session_deliver(s);
}
