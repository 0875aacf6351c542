/* refuse: see the header. */
#include "session/refuse.h"

#include "base/log.h"
#include "nodes/learn.h"
#include "session/hooks.h"
#include "session/life.h"
#include "session/requests.h"

#include <ctype.h>
#include <inttypes.h>

/* So much of a command's arguments Redis shows in an error. */
#define ERROR_ARGS_MAX 128

/* An argument, as Redis shows it in an error: up to a NUL, without line ends. */
static void show_argument(struct buf *out, struct slice arg, size_t most)
{
    for (size_t i = 0; i < arg.len && i < most && arg.data[i]; i++) {
        char c = arg.data[i] == '\r' || arg.data[i] == '\n' ? ' ' : arg.data[i];
        buf_append(out, &c, 1);
    }
}

/* In the words of Redis 7.0 (commandCheckExistence in server.c): tools look for them. The node itself is
 * not asked, for it may know it the next moment, and be a master. */
static void say_unknown(struct session *s, struct session_request *r)
{
    struct buf text = {0};
    struct resp_args args = resp_args(r->data, r->len);
    struct slice name = {NULL, 0}, arg;
    (void)resp_args_next(&args, &name);
    if (r->command->subs) {
        buf_append(&text, "-ERR unknown subcommand '", 25);
        show_argument(&text, session_arg(r, 1), ERROR_ARGS_MAX);
        buf_append(&text, "'. Try ", 7);
        for (size_t i = 0; i < name.len; i++)
            buf_printf(&text, "%c", toupper((unsigned char)name.data[i]));
        buf_append(&text, " HELP.\r\n", 8);
    } else {
        size_t begins;
        buf_append(&text, "-ERR unknown command '", 22);
        show_argument(&text, name, ERROR_ARGS_MAX);
        buf_append(&text, "', with args beginning with: ", 29);
        begins = buf_len(&text);
        while (buf_len(&text) - begins < ERROR_ARGS_MAX && resp_args_next(&args, &arg)) {
            size_t left = ERROR_ARGS_MAX - (buf_len(&text) - begins);
            buf_append(&text, "'", 1);
            show_argument(&text, arg, left);
            buf_append(&text, "' ", 2);
        }
        buf_append(&text, "\r\n", 2);
    }
    session_answer_bytes(s, r, buf_head(&text), buf_len(&text));
    buf_free(&text);
}

/* A write that came to the wrong port: its client takes it for the master. */
static void refuse_stray(struct session *s, struct session_request *r)
{
    session_answer(s, r, "-READONLY You can't write against a read only replica.\r\n");
    request_conclude(r, RESULT_STRAY);
}

void session_refuse_on_read_port(struct session *s, struct session_request *r)
{
    bool container = r->command->subs && r->argc > 1;
    /* Inside MULTI, as Redis does: the transaction cannot be executed any more. */
    if (s->tx.state == TX_OPEN)
        s->tx.refused = true;
    if (r->command == learn_unknown() || container)
        say_unknown(s, r);
    else if (r->command->subs)
        session_answerf(s, r, "-ERR wrong number of arguments for '%s' command\r\n",
                        r->command->name);
    else
        refuse_stray(s, r);
}

enum step session_refuse(struct session *s, struct session_request *r)
{
    if (slice_is(session_arg(r, 0), "post") || slice_is(session_arg(r, 0), "host:")) {
        /* Somebody made a browser talk to us (cross-protocol scripting): Redis hangs up, too. */
        log_event(LOG_WARN, "an HTTP request on a Redis port was cut off", "session=%" PRIu64,
                  s->id);
        session_close(s, CLOSED_PROTOCOL, "an HTTP request");
        return STEP_ON;
    }
    if (s->tx.state == TX_OPEN)
        s->tx.refused = true;
    session_answerf(s, r, "-ERR redisproxy: '%s' is not available through the proxy%s\r\n",
                    r->command->name,
                    r->verb->replicates ? " without allow_replication = yes" : "");
    return STEP_ON;
}
