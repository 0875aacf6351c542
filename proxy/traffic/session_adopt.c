/*
 * session_adopt: AUTH, HELLO and SELECT change the session's identity, and Redis decides: the command
 * is sent on an upstream of the identity that it asks for. If that one cannot be had, Redis' own error
 * (WRONGPASS, DB index out of range) came back from its handshake and is the answer; if it can, the
 * command changes nothing there, and its answer is Redis' own too.
 *
 * On a lease that the session keeps they are sent as they are. Inside MULTI they are queued, and change
 * what they change when EXEC says so (session_exec.c).
 */
#include "traffic/session_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct identities *all(struct session *s)
{
    return router_identities(s->host->router);
}

static void set_adopt(struct request *r, struct identity *identity)
{
    if (r->login)
        identity_release(r->login);
    r->login = identity;
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
    struct resp_args args = resp_args(r->data, r->len);
    struct slice version, option;
    memset(hello, 0, sizeof(*hello));
    (void)resp_args_next(&args, &option);
    if (!resp_args_next(&args, &version))
        return NULL;
    if (!resp_parse_integer(version, &hello->version))
        return "-ERR Protocol version is not an integer or out of range\r\n";
    if (hello->version != 2 && hello->version != 3)
        return "-NOPROTO unsupported protocol version\r\n";
    while (resp_args_next(&args, &option)) {
        if (slice_is(option, "auth") && args.left >= 2) {
            hello->auth = true;
            (void)resp_args_next(&args, &hello->user);
            (void)resp_args_next(&args, &hello->password);
        } else if (slice_is(option, "setname") && args.left >= 1) {
            (void)resp_args_next(&args, &hello->name);
        } else {
            snprintf(text, size, "-ERR Syntax error in HELLO option '%.*s'\r\n",
                     option.len > 64 ? 64 : (int)option.len, option.data);
            return text;
        }
    }
    return NULL;
}

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
    if (!error)
        error = session_bad_name(hello.name);
    if (error) {
        session_answer(s, r, error);
        return true;
    }
    r->capture = true;
    if (!r->login) { /* the first look at it: what is sent has no name */
        free(s->hello_name);
        s->hello_name = hello.name.data ? strndup(hello.name.data, hello.name.len) : NULL;
    }
    set_adopt(r, wanted(s, r, &hello));
    rewrite_hello(s, r, &hello);
    return false;
}

bool session_prepare_adoption(struct session *s, struct request *r)
{
    if (s->tx == TX_OPEN)
        session_queue_performed(s, r);
    if (s->tx == TX_OPEN || session_verb_is_local(r->command->verb) ||
        (session_subscribed(s) &&
         !s->identity->resp3)) /* its node has to say what it thinks of it */
        return false;
    if (r->command->verb == VERB_HELLO)
        return prepare_hello(s, r);
    set_adopt(r, wanted(s, r, &(struct hello){0}));
    return false;
}

/* The session is what the command asked for, from now on. */
static void adopt(struct session *s, struct request *r)
{
    if (!identity_same_credential(s->identity, r->login))
        router_entered(&s->place, NULL);
    identity_release(s->identity);
    s->identity = r->login;
    r->login = NULL;
}

void session_adopt_in_turn(struct session *s, struct request *r)
{
    struct hello hello = {0};
    char text[128];
    if (r->command->verb != VERB_HELLO || !parse_hello(r, &hello, text, sizeof(text)))
        set_adopt(r, wanted(s, r, &hello));
    if (r->login)
        adopt(s, r);
    if (hello.name.data)
        session_set_name(s, hello.name);
}

bool session_proves(const struct request *r)
{
    return r->command->verb == VERB_AUTH || (r->command->verb == VERB_HELLO && r->argc > 2);
}

void session_adopted(struct session *s, struct request *r, const struct upstream *by)
{
    bool spoke_resp3 = s->identity->resp3, proves = session_proves(r);
    if (r->reply_type == '-' && proves)
        router_rights_refused(s->host->router, s->place.group);
    if (r->reply_type == '-' || r->in_tx) /* queued only: EXEC will tell */
        return;
    if (!r->leased) {
        adopt(s, r);
        if (proves)
            router_entered(&s->place, by);
        return;
    }
    session_adopt_in_turn(s, r);
    if (proves)
        router_entered(&s->place, by);
    /* No node takes CLIENT TRACKING in RESP2: one that is new since then was told in vain. */
    if (session_tracks(s) && s->identity->resp3 && !spoke_resp3)
        session_restore_kept(s);
}

void session_change_sides(struct session *s)
{
    struct identity *other = identity_standing(all(s), s->identity, !s->identity->outside);
    identity_release(s->identity);
    s->identity = other;
    s->auth_not_needed = false;
    router_entered(&s->place, NULL);
}

enum step session_perform_adoption(struct session *s, struct request *r)
{
    enum step step;
    if (s->inflight > 0)
        return STEP_WAIT;
    if (session_prepare_adoption(s, r))
        return STEP_ON;
    r->authenticates = r->login && r->login->authenticated && r->command->verb != VERB_SELECT;
    step = session_send_shared(s, r, r->login ? r->login : s->identity);
    if (step == STEP_ON)
        s->adopting = r;
    return step;
}

/* ---- HELLO's answer ---- */

static void take_hello_name(struct session *s)
{
    if (!s->hello_name)
        return;
    session_set_name(s, (struct slice){s->hello_name, strlen(s->hello_name)});
    free(s->hello_name);
    s->hello_name = NULL;
}

void session_hello_answered(struct session *s, struct request *r)
{
    const char *at;
    if (r->in_tx || r->reply_type == '-')
        return;
    take_hello_name(s);
    /* "id" is the client's connection, and that is ours. */
    at = memmem(buf_head(&r->reply), buf_len(&r->reply), "$2\r\nid\r\n:", 9);
    if (at)
        session_rewrite_number(r, at + 9, s->id);
}
