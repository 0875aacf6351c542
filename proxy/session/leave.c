/* leave: see the header. */
#include "session/leave.h"

#include "session/boundary.h"
#include "session/client.h"
#include "session/interest.h"
#include "session/life.h"

void session_leave(struct session *s, const char *why)
{
    life_advance(&s->life, LIFE_LEAVING);
    if (session_listens(s) ? session_is_finished(s) : session_at_boundary(s))
        session_close(s, CLOSED_DRAINED, why);
    else
        session_update_interest(s);
}

bool session_is_amid(const struct session *s)
{
    return s->tx.state != TX_NONE || s->tx.watching || barrier_of(&s->barrier, BARRIER_BLOCKED);
}
