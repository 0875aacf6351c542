/*
 * capa: CLIENT CAPA (Valkey 8). With "CLIENT CAPA redirect" a client says that it understands the error -REDIRECT,
 * and a replica may then answer its commands with the master's address instead of executing them.
 *
 * Behind the proxy no client has to go anywhere: the proxy knows where the master is. So the node is sent a
 * capability that does not exist, "none". A node that knows CLIENT CAPA answers +OK to capabilities that it does not
 * know; an older one answers that it has no such command, and that is the client's answer.
 */
#include "commands/capa.h"

#include "session/requests.h"

void client_capa_seen(struct session *s, struct session_request *r)
{
    static const struct slice argv[3] = {{"CLIENT", 6}, {"CAPA", 4}, {"none", 4}};
    struct buf whole = {0};
    if (!command_arity_ok(r->command, r->argc))
        return;
    resp_append_command(&whole, 3, argv);
    session_rewrite(s, r, &whole);
    buf_free(&whole);
}
