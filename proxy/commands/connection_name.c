/*
 * connection_name: CLIENT GETNAME, SETNAME, SETINFO and REPLY. Redis keeps a connection's name and its reply mode
 * with the connection. Behind the proxy these belong to the session, which may share its connection with others; so
 * the session performs the commands itself.
 *
 * Whether its user may, only the node knows (ACL). So the node is first sent, in the user's name, a command of the
 * same kind that changes nothing. Its permission counts for RIGHT_MS for all sessions of the identity: client
 * libraries name every connection that they open. A refusal is the client's answer, and is asked for again each time.
 */
#include "commands/connection_name.h"

#include "session/question.h"
#include "session/requests.h"

#include <stdlib.h>
#include <string.h>

/* So long a permission of the node counts, and a right that was taken away may still be used. */
#define RIGHT_MS 1000

const char *connection_name_error(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < '!' || name.data[i] > '~')
            return "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
    return NULL;
}

void connection_name_set(struct session *s, struct slice name)
{
    free(s->client.name);
    s->client.name = name.data ? strndup(name.data, name.len) : NULL;
    s->lease.named = false;
}

static void client_setname(struct session *s, struct session_request *r)
{
    struct slice name = session_arg(r, 2);
    const char *error = connection_name_error(name);
    if (error) {
        session_answer(s, r, error);
        return;
    }
    connection_name_set(s, name);
    session_answer(s, r, "+OK\r\n");
}

/* For who looks at the proxy's clients; nodes are not told, for connections are shared. Libraries send the name first, and then
 * the version. */
static void client_setinfo(struct session *s, struct session_request *r)
{
    struct slice what = session_arg(r, 2), value = session_arg(r, 3);
    char **library = s->client.library;
    int at = slice_is(what, "lib-name") ? 0 : slice_is(what, "lib-ver") ? 1 : -1;
    if (at >= 0) {
        free(library[at]);
        library[at] =
            strndup(value.data, value.len < CLIENT_LIB_SIZE ? value.len : CLIENT_LIB_SIZE);
    }
    if (at == 1 && library[0] && library[1])
        counters_note_lib(s->host->counters, library[0], library[1]);
    session_answer(s, r, "+OK\r\n");
}

static void client_getname(struct session *s, struct session_request *r)
{
    if (s->client.name && *s->client.name)
        session_answerf(s, r, "$%zu\r\n%s\r\n", strlen(s->client.name), s->client.name);
    else
        session_answer(s, r, s->identity->resp3 ? "_\r\n" : "$-1\r\n");
}

static void client_reply(struct session *s, struct session_request *r)
{
    struct slice mode = session_arg(r, 2);
    if (slice_is(mode, "on")) {
        s->client.reply_off = s->client.reply_skip = r->silent = false;
        session_answer(s, r, "+OK\r\n");
    } else if (slice_is(mode, "off")) {
        s->client.reply_off = r->silent = true;
        session_answer(s, r, "+OK\r\n");
    } else if (slice_is(mode, "skip")) {
        s->client.reply_skip = !s->client.reply_off;
        r->silent = true;
        session_answer(s, r, "+OK\r\n");
    } else {
        session_answer(s, r, "-ERR syntax error\r\n");
    }
}

static void perform(struct session *s, struct session_request *r)
{
    switch (r->command->verb) {
    case VERB_CLIENT_GETNAME:
        client_getname(s, r);
        break;
    case VERB_CLIENT_SETNAME:
        client_setname(s, r);
        break;
    case VERB_CLIENT_REPLY:
        client_reply(s, r);
        break;
    default:
        client_setinfo(s, r);
    }
}

/* ---- may the user do that? ---- */

/* The four verbs stand together in enum command_verb. */
static size_t index_of(const struct session_request *r)
{
    return (size_t)(r->command->verb - VERB_CLIENT_GETNAME);
}

/* The command that the node is sent. It changes nothing: a space is no name, no option and no mode. */
static struct slice question_of(const struct session_request *r)
{
#define QUESTION(text)                                                                             \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct slice questions[IDENTITY_RIGHTS] = {
        QUESTION("*2\r\n$6\r\nCLIENT\r\n$7\r\nGETNAME\r\n"),
        QUESTION("*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\n \r\n"),
        QUESTION("*4\r\n$6\r\nCLIENT\r\n$7\r\nSETINFO\r\n$1\r\n \r\n$1\r\n \r\n"),
        QUESTION("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$1\r\n \r\n"),
    };
    return questions[index_of(r)];
#undef QUESTION
}

static bool is_not_allowed(struct slice reply)
{
    static const char *const words[] = {"-NOPERM ", "-NOAUTH "};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (resp_starts(reply.data, reply.len, words[i]))
            return true;
    return false;
}

static void right_answered(struct session *s, struct session_request *r,
                           const struct upstream *from, struct slice reply)
{
    (void)from;
    if (is_not_allowed(reply)) {
        session_answer_bytes(s, r, reply.data, reply.len);
        return;
    }
    s->identity->right_until_ms[index_of(r)] = turn_now(s->host->turn) + RIGHT_MS;
    perform(s, r);
}

enum step connection_name_perform(struct session *s, struct session_request *r)
{
    enum step step;
    if (s->identity->right_until_ms[index_of(r)] < turn_now(s->host->turn)) {
        step = session_ask(s, r, false, question_of(r), right_answered);
        /* Without a node to ask, the command is performed all the same, if the session is known to be let in. */
        if (step != STEP_HOLD || (!s->identity->authenticated && !s->auth_not_needed))
            return step;
    }
    perform(s, r);
    return STEP_ON;
}

/* ---- CLIENT REPLY inside MULTI ---- */

/* CLIENT REPLY OFF and SKIP would stop the replies on the lease, where every request needs one. So CLIENT REPLY ON
 * is queued at the node instead, and the request remembers what was meant, for EXEC (exec.c). */
static void queue_reply_on(struct session *s, struct session_request *r)
{
    static const struct slice argv[3] = {{"CLIENT", 6}, {"REPLY", 5}, {"ON", 2}};
    struct buf bytes = {0};
    if (slice_is(session_arg(r, 2), "off"))
        r->replies_off = true;
    else if (slice_is(session_arg(r, 2), "skip"))
        r->replies_skip = true;
    else
        return;
    resp_append_command(&bytes, 3, argv);
    session_rewrite(s, r, &bytes);
    buf_free(&bytes);
}

enum step client_reply_prepare(struct session *s, struct session_request *r)
{
    if (s->tx.state == TX_OPEN && command_arity_ok(r->command, r->argc))
        queue_reply_on(s, r);
    return STEP_ON;
}
