/* client_line: a session's line in CLIENT LIST. */
#ifndef REDISPROXY_COMMANDS_CLIENT_LINE_H
#define REDISPROXY_COMMANDS_CLIENT_LINE_H

#include "base/buf.h"
#include "session/state.h"

/* Appends the session's line to `out`. `own` is the line that the node gave for the session's lease; without data
 * when it has none there. Then `form` is used, the line of another connection to the same node, for the fields
 * that there are and their order. `asks`: this session sent the command. */
void client_line_append(struct buf *out, const struct session *s, struct slice own,
                        struct slice form, bool asks);

#endif
