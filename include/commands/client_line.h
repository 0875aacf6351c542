/* client_line: a session's line in CLIENT LIST. */
#ifndef REDISPROXY_COMMANDS_CLIENT_LINE_H
#define REDISPROXY_COMMANDS_CLIENT_LINE_H

#include "base/buf.h"
#include "session/state.h"

/* Appends it: `own`, that of its own connection, or `form`, somebody else's, with
 * what the session knows better. `asks`: it is who asks. */
void client_line_append(struct buf *out, const struct session *s, struct slice own,
                        struct slice form, bool asks);

#endif
