/* boundary: see the header. */
#include "session/boundary.h"

#include "session/client.h"

bool session_at_boundary(const struct session *s)
{
    return session_is_finished(s) && !session_has_begun(s) && !session_listens(s) &&
           !stream_has_input(&s->client.stream);
}
