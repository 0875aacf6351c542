/* capa: see the header. */
#include "commands/capa.h"

#include "session/requests.h"

/* A node would send a client that can be REDIRECTed to the master: here nobody has to go anywhere. It
 * says OK to what it has never heard of, if it knows the command. */
void client_capa_seen(struct session *s, struct request *r)
{
    static const struct slice argv[3] = {{"CLIENT", 6}, {"CAPA", 4}, {"none", 4}};
    struct buf whole = {0};
    if (!command_arity_ok(r->command, r->argc))
        return;
    resp_append_command(&whole, 3, argv);
    session_rewrite(s, r, &whole);
    buf_free(&whole);
}
