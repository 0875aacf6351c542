/* perform: see the header. */
#include "session/perform.h"

#include "session/hooks.h"
#include "session/requests.h"

enum step session_perform(struct session *s, struct session_request *r)
{
    if (command_arity_ok(r->command, r->argc))
        return r->verb->perform(s, r);
    session_answerf(s, r, "-ERR wrong number of arguments for '%s' command\r\n", r->command->name);
    return STEP_ON;
}
