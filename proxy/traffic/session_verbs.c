/*
 * session_verbs: what a session performs itself, because it is about the
 * client's connection, which no node has.
 *
 * AUTH, HELLO and SELECT change the session's identity, and Redis decides: the
 * command is sent on an upstream of the identity that it asks for. If that one
 * cannot be had, Redis' own error (WRONGPASS, DB index out of range) came back
 * from its handshake and is the answer; if it can, the command changes nothing
 * there, and its answer is Redis' own too.
 */
#include "traffic/session_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool session_verb_is_local(uint8_t verb)
{
    return verb != VERB_AUTH && verb != VERB_HELLO && verb != VERB_SELECT;
}

/* ---- identity ---- */

static struct identities *all(struct session *s)
{
    return router_identities(s->host->router);
}

static void set_adopt(struct request *r, struct identity *identity)
{
    if (r->adopt)
        identity_release(r->adopt);
    r->adopt = identity;
}

/* What HELLO's arguments ask for. */
struct hello {
    int64_t version; /* 0: as it is */
    bool auth;
    struct slice user, password, name;
};

/* Returns NULL, or the error as Redis' helloCommand words it. */
static const char *parse_hello(const struct request *r, struct hello *hello, char *text,
                               size_t size)
{
    struct slice version = session_arg(r, 1);
    memset(hello, 0, sizeof(*hello));
    if (r->argc == 1)
        return NULL;
    if (!resp_parse_integer(version, &hello->version))
        return "-ERR Protocol version is not an integer or out of range\r\n";
    if (hello->version != 2 && hello->version != 3)
        return "-NOPROTO unsupported protocol version\r\n";
    for (int i = 2; i < r->argc; i++) {
        struct slice option = session_arg(r, i);
        int left = r->argc - i - 1;
        if (slice_is(option, "auth") && left >= 2) {
            hello->auth = true;
            hello->user = session_arg(r, ++i);
            hello->password = session_arg(r, ++i);
        } else if (slice_is(option, "setname") && left >= 1) {
            hello->name = session_arg(r, ++i);
        } else {
            snprintf(text, size, "-ERR Syntax error in HELLO option '%.*s'\r\n",
                     option.len > 64 ? 64 : (int)option.len, option.data);
            return text;
        }
    }
    return NULL;
}

static bool valid_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < '!' || name.data[i] > '~')
            return false;
    return true;
}

static void set_name(char **to, struct slice name)
{
    free(*to);
    *to = name.data ? strndup(name.data, name.len) : NULL;
}

static const char bad_name[] =
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";

static struct identity *wanted_by_hello(struct session *s, const struct hello *hello)
{
    bool resp3 = hello->version ? hello->version == 3 : s->identity->resp3;
    struct identity *speaks = identity_with_protocol(all(s), s->identity, resp3), *enters;
    if (!hello->auth)
        return speaks;
    enters = identity_with_credential(all(s), speaks, hello->user, hello->password);
    identity_release(speaks);
    return enters;
}

/* The command's identity, NULL: none that could ever be (Redis will say so on the present one). */
static struct identity *wanted(struct session *s, const struct request *r,
                               const struct hello *hello)
{
    int64_t db;
    switch (r->command->verb) {
    case VERB_AUTH:
        if (r->argc == 3)
            return identity_with_credential(all(s), s->identity, session_arg(r, 1),
                                            session_arg(r, 2));
        if (r->argc == 2)
            return identity_with_credential(all(s), s->identity, (struct slice){NULL, 0},
                                            session_arg(r, 1));
        return NULL;
    case VERB_SELECT:
        if (r->argc == 2 && resp_parse_integer(session_arg(r, 1), &db) && db >= 0)
            return identity_with_db(all(s), s->identity, db);
        return NULL;
    default:
        return wanted_by_hello(s, hello);
    }
}

/* HELLO travels without SETNAME: the name is the session's, not the upstream's. */
static void rewrite_hello(struct session *s, struct request *r, const struct hello *hello)
{
    struct slice argv[5] = {{"HELLO", 5},
                            {hello->version == 3 ? "3" : "2", 1},
                            {"AUTH", 4},
                            hello->user,
                            hello->password};
    struct buf bytes = {0};
    int argc = hello->auth ? 5 : hello->version ? 2 : 1;
    resp_append_command(&bytes, argc, argv);
    session_rewrite(s, r, &bytes);
    buf_wipe(&bytes);
}

/* Returns true when it was answered here: with an error. */
static bool prepare_hello(struct session *s, struct request *r)
{
    struct hello hello;
    char text[128];
    const char *error = parse_hello(r, &hello, text, sizeof(text));
    if (!error && !valid_name(hello.name))
        error = bad_name;
    if (error) {
        session_answer(s, r, error);
        return true;
    }
    r->capture = true;
    if (hello.name.data)
        set_name(&s->hello_name, hello.name);
    set_adopt(r, wanted(s, r, &hello));
    rewrite_hello(s, r, &hello);
    return false;
}

bool session_prepare_adoption(struct session *s, struct request *r)
{
    if (session_verb_is_local(r->command->verb))
        return false;
    if (r->command->verb == VERB_HELLO)
        return prepare_hello(s, r);
    set_adopt(r, wanted(s, r, NULL));
    return false;
}

/* On a lease several may be on their way: what one changes is what the one before left. */
void session_adopted(struct session *s, struct request *r)
{
    struct hello hello = {0};
    char text[128];
    if (r->reply_type == '-' || r->in_tx) /* in a transaction: see the README's limits */
        return;
    if (r->leased &&
        (r->command->verb != VERB_HELLO || !parse_hello(r, &hello, text, sizeof(text))))
        set_adopt(r, wanted(s, r, &hello));
    identity_release(s->identity);
    s->identity = r->adopt;
    r->adopt = NULL;
}

static enum step perform_identity(struct session *s, struct request *r)
{
    enum step step;
    if (s->inflight > 0)
        return STEP_WAIT;
    if (session_prepare_adoption(s, r))
        return STEP_ON;
    r->knocks = r->adopt && r->adopt->authenticated && r->command->verb != VERB_SELECT;
    step = session_send_shared(s, r, r->adopt ? r->adopt : s->identity);
    if (step == STEP_ON)
        s->adopting = r;
    return step;
}

void session_rewrite_reply(struct session *s, struct request *r)
{
    struct buf whole = {0};
    const char *reply, *at;
    size_t len;
    if (r->read_form) { /* a node without EVAL_RO (6.2): who knows what EVAL would write */
        session_settle(s, r, "-READONLY You can't write against a read only replica.\r\n");
        return;
    }
    if (r->command->verb == VERB_CLIENT_REDIR) {
        session_rewrite_redirect(s, r);
        return;
    }
    if (r->command->verb == VERB_WAIT) {
        session_counted(s, r);
        return;
    }
    if (r->command->verb == VERB_EXEC) { /* DISCARD went instead */
        session_settle(s, r, "-EXECABORT Transaction discarded because of previous errors.\r\n");
        return;
    }
    if (s->hello_name && r->reply_type != '-') {
        free(s->name);
        s->name = s->hello_name;
        s->lease_named = false;
        s->hello_name = NULL;
    }
    /* HELLO: "id" is the client's connection, and that is ours. */
    reply = buf_head(&r->reply);
    len = buf_len(&r->reply);
    at = memmem(reply, len, "$2\r\nid\r\n:", 9);
    if (!at)
        return;
    at += 9;
    buf_append(&whole, reply, (size_t)(at - reply));
    buf_printf(&whole, "%" PRIu64, s->id);
    while (at < reply + len && *at != '\r')
        at++;
    buf_append(&whole, at, (size_t)(reply + len - at));
    buf_free(&r->reply);
    r->reply = whole;
}

/* ---- CLIENT ---- */

static void client_setname(struct session *s, struct request *r)
{
    struct slice name = session_arg(r, 2);
    if (!valid_name(name)) {
        session_answer(s, r, bad_name);
        return;
    }
    set_name(&s->name, name);
    s->lease_named = false;
    session_answer(s, r, "+OK\r\n");
}

static void client_getname(struct session *s, struct request *r)
{
    if (s->name && *s->name)
        session_answerf(s, r, "$%zu\r\n%s\r\n", strlen(s->name), s->name);
    else
        session_answer(s, r, s->identity->resp3 ? "_\r\n" : "$-1\r\n");
}

/* What follows was refused by the hold: that was to be skipped, and nothing else. */
static bool next_is_answered(const struct session *s, const struct request *r)
{
    const struct list *next = r->in_session.next;
    return next != &s->requests &&
           container_of(next, struct request, in_session)->state == REQUEST_ANSWERED;
}

static void client_reply(struct session *s, struct request *r)
{
    struct slice mode = session_arg(r, 2);
    if (slice_is(mode, "on")) {
        s->reply_off = s->reply_skip = r->silent = false;
        session_answer(s, r, "+OK\r\n");
    } else if (slice_is(mode, "off")) {
        s->reply_off = r->silent = true;
        session_answer(s, r, "+OK\r\n");
    } else if (slice_is(mode, "skip")) {
        s->reply_skip = !s->reply_off && !next_is_answered(s, r);
        r->silent = true;
        session_answer(s, r, "+OK\r\n");
    } else {
        session_answer(s, r, "-ERR syntax error\r\n");
    }
}

struct session *session_find(struct session_host *host, uint64_t id)
{
    for (struct list *it = host->sessions.next; it != &host->sessions; it = it->next) {
        struct session *s = container_of(it, struct session, in_host);
        if (s->id == id)
            return s;
    }
    return NULL;
}

/* The id of one of our clients; false: a connection at the node, or no number: Redis' business. */
static bool session_id(struct slice text, uint64_t *id)
{
    int64_t number;
    if (!resp_parse_integer(text, &number) || number < (int64_t)SESSION_ID_BASE)
        return false;
    *id = (uint64_t)number;
    return true;
}

/* The other session's command blocks on its lease: the node is asked, in this client's name. */
static enum step client_unblock(struct session *s, struct request *r)
{
    struct upstream *up = s->lease;
    struct session *other;
    struct buf bytes = {0};
    uint64_t id = 0, theirs;
    char text[24];

    if (!session_id(session_arg(r, 2), &id) && !r->retried)
        return s->lease ? session_send_on_lease(s, r) : session_send_shared(s, r, s->identity);
    other = session_find(s->host, id);
    theirs = other && other->blocked && other->lease ? router_client_id(other->lease) : 0;
    if (!up)
        up = router_shared(s->host->router, &s->place, session_wish(s, r), s->identity);
    if (!up || !router_may_send(s->host->router, up))
        return STEP_HOLD;
    if (!session_in_order(s, r, up))
        return STEP_WAIT;
    if (theirs == 0 || r->retried || !router_same_node(up, other->lease)) {
        session_answer(s, r, ":0\r\n"); /* nobody blocks there, or no longer */
        return STEP_ON;
    }
    snprintf(text, sizeof(text), "%" PRIu64, theirs);
    struct slice argv[4] = {{"CLIENT", 6}, {"UNBLOCK", 7}, {text, strlen(text)}, session_arg(r, 3)};
    resp_append_command(&bytes, r->argc, argv);
    session_rewrite(s, r, &bytes);
    buf_free(&bytes);
    session_send(s, r, up);
    return STEP_ON;
}

/* ---- NOAUTH ---- */

static void knock_told(struct session *s, struct request *r, const struct upstream *from,
                       struct slice reply)
{
    (void)from;
    if (!s->let_in)
        session_answer_bytes(s, r, reply.data, reply.len);
}

/* Redis answers NOAUTH to everything where a password is asked for, so the session may not answer
 * before it knows: it asks once. */
static enum step knock(struct session *s, struct request *r)
{
    static const char question[] = "*2\r\n$6\r\nCLIENT\r\n$7\r\nGETNAME\r\n";
    return session_ask(s, r, false, (struct slice){question, sizeof(question) - 1}, knock_told);
}

/* ---- RESET, QUIT ---- */

static enum step reset(struct session *s, struct request *r)
{
    if (s->inflight > 0)
        return STEP_WAIT;
    session_forget_subscriptions(s);
    session_forget_kept(s);
    s->monitoring = s->sticky = s->watching = s->watch_broken = s->tx_refused = false;
    s->reply_off = s->reply_skip = s->let_in = false;
    session_tx_forget(s); /* before its repetition is given up with the lease */
    session_lease_drop(s);
    s->tx = TX_NONE;
    identity_release(s->identity);
    s->identity = identity_nobody(all(s));
    set_name(&s->name, (struct slice){NULL, 0});
    r->silent = false;
    session_answer(s, r, "+RESET\r\n");
    return STEP_ON;
}

static enum step quit(struct session *s, struct request *r)
{
    if (s->inflight > 0)
        return STEP_WAIT;
    r->close_after = s->quitting = true;
    session_answer(s, r, "+OK\r\n");
    return STEP_ON;
}

static enum step perform_client(struct session *s, struct request *r)
{
    if (r->command->verb >= VERB_CLIENT_ID && r->command->verb <= VERB_CLIENT_KILL)
        return session_perform_clients(s, r); /* their own question says as much */
    if (!s->identity->authenticated && !s->let_in)
        return knock(s, r);
    switch (r->command->verb) {
    case VERB_CLIENT_GETNAME:
        client_getname(s, r);
        return STEP_ON;
    case VERB_CLIENT_SETNAME:
        client_setname(s, r);
        return STEP_ON;
    case VERB_CLIENT_SETINFO:
        session_answer(s, r, "+OK\r\n");
        return STEP_ON;
    case VERB_CLIENT_REPLY:
        client_reply(s, r);
        return STEP_ON;
    default:
        return client_unblock(s, r);
    }
}

enum step session_perform(struct session *s, struct request *r)
{
    if (!command_arity_ok(r->command, r->argc)) {
        session_answerf(s, r, "-ERR wrong number of arguments for '%s' command\r\n",
                        r->command->name);
        return STEP_ON;
    }
    switch (r->command->verb) {
    case VERB_AUTH:
    case VERB_HELLO:
    case VERB_SELECT:
        return perform_identity(s, r);
    case VERB_QUIT:
        return quit(s, r);
    case VERB_RESET:
        return reset(s, r);
    default:
        return perform_client(s, r);
    }
}
