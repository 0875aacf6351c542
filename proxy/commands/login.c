/*
 * login: AUTH, HELLO and SELECT. In Redis they change the user, the protocol or the database of their connection.
 * Behind the proxy a connection may be shared by many sessions, and must never change so; what changes is the
 * session's identity (nodes/identity.h), and with it which connections it may use.
 *
 * Redis decides whether it may: the command is sent on a connection that has the identity that it asks for. If there
 * is no such connection, one is opened, whose handshake logs in as this identity. If the node refuses that, its own
 * error (WRONGPASS, DB index is out of range) is the client's answer. If not, the command changes nothing on that
 * connection, and its answer is the node's own, too. Only then does the session take the identity on.
 *
 * A session that keeps a lease sends them there as they are. Inside MULTI they are queued, and take effect with EXEC
 * (exec.c).
 */
#include "commands/login.h"

#include "base/keyed_hash.h"
#include "commands/connection_name.h"
#include "commands/tracking.h"
#include "net/address.h"
#include "nodes/router.h"
#include "session/client.h"
#include "session/requests.h"
#include "session/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct identities *identities_of(struct session *s)
{
    return router_identities(s->host->router);
}

static void set_login(struct session_request *r, struct identity *identity)
{
    if (r->login)
        identity_release(r->login);
    r->login = identity;
}

/* What HELLO's arguments ask for. */
struct hello {
    int64_t version; /* of the protocol; 0: it stays as it is */
    bool auth;
    struct slice user, password, name;
};

/* Returns NULL, or the error as Redis' helloCommand words it. */
static const char *parse_hello(const struct session_request *r, struct hello *hello, char *text,
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

static struct identity *identity_for_hello(struct session *s, const struct hello *hello)
{
    bool resp3 = hello->version ? hello->version == 3 : s->identity->resp3;
    struct identity *speaks = identity_with_protocol(identities_of(s), s->identity, resp3), *enters;
    if (!hello->auth)
        return speaks;
    enters = identity_with_credential(identities_of(s), speaks, hello->user, hello->password);
    identity_release(speaks);
    return enters;
}

/* The identity that the command asks for. NULL: its arguments name none that could exist; then it is sent with the
 * present identity, and Redis will say what is wrong. */
static struct identity *requested_identity(struct session *s, const struct session_request *r,
                                           const struct hello *hello)
{
    int64_t db;
    switch (r->command->verb) {
    case VERB_AUTH:
        if (r->argc == 3)
            return identity_with_credential(identities_of(s), s->identity, session_arg(r, 1),
                                            session_arg(r, 2));
        if (r->argc == 2)
            return identity_with_credential(identities_of(s), s->identity, (struct slice){NULL, 0},
                                            session_arg(r, 1));
        return NULL;
    case VERB_SELECT:
        if (r->argc == 2 && resp_parse_integer(session_arg(r, 1), &db) && db >= 0)
            return identity_with_db(identities_of(s), s->identity, db);
        return NULL;
    default:
        return identity_for_hello(s, hello);
    }
}

/* HELLO is sent without SETNAME: the name belongs to the session, not to the connection. */
static void rewrite_hello(struct session *s, struct session_request *r, const struct hello *hello)
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

/* Returns true when HELLO was answered here, with an error. */
static bool prepare_hello(struct session *s, struct session_request *r)
{
    struct hello hello;
    char text[128];
    const char *error = parse_hello(r, &hello, text, sizeof(text));
    if (!error)
        error = connection_name_error(hello.name);
    if (error) {
        session_answer(s, r, error);
        return true;
    }
    r->capture = true;
    if (!r->login) { /* it comes by for the first time: the second time its name has been taken out */
        free(s->client.hello_name);
        s->client.hello_name = hello.name.data ? strndup(hello.name.data, hello.name.len) : NULL;
    }
    set_login(r, requested_identity(s, r, &hello));
    rewrite_hello(s, r, &hello);
    return false;
}

/* Finds out which identity the command asks for. Returns true when it was answered here, with an error. */
static bool prepare(struct session *s, struct session_request *r)
{
    if (s->tx.state == TX_OPEN || (session_subscribed(s) && !s->identity->resp3))
        return false; /* the node has to answer: QUEUED, or that it is not allowed here */
    if (r->command->verb == VERB_HELLO)
        return prepare_hello(s, r);
    set_login(r, requested_identity(s, r, &(struct hello){0}));
    return false;
}

enum step login_prepare(struct session *s, struct session_request *r)
{
    if (s->tx.state != TX_OPEN && s->queue.inflight > 0 && r->command->verb != VERB_SELECT)
        return STEP_WAIT; /* nothing may be unanswered on its connection: see pool_auth_upstream() */
    (void)prepare(s, r);
    return STEP_ON;
}

/* From now on the session has the identity that the command asked for. */
static void log_in(struct session *s, struct session_request *r)
{
    if (!identity_same_credential(s->identity, r->login))
        router_entered(&s->place, NULL);
    identity_release(s->identity);
    s->identity = r->login;
    r->login = NULL;
}

void login_take_effect(struct session *s, struct session_request *r)
{
    struct hello hello = {0};
    char text[128];
    if (r->command->verb != VERB_HELLO || !parse_hello(r, &hello, text, sizeof(text)))
        set_login(r, requested_identity(s, r, &hello));
    if (r->login)
        log_in(s, r);
    if (hello.name.data)
        connection_name_set(s, hello.name);
}

void login_answered(struct session *s, struct session_request *r, const struct upstream *by)
{
    bool spoke_resp3 = s->identity->resp3, proves = session_proves(r);
    if (!r->login)
        return;
    router_login_ended(s->host->router, &s->place, r->reply_type != '-');
    if (r->reply_type == '-' && proves)
        router_rights_refused(s->host->router, s->place.group);
    if (r->reply_type == '-' || r->in_tx) /* inside MULTI it was only queued: EXEC will tell */
        return;
    if (!r->leased) {
        log_in(s, r);
        if (proves)
            router_entered(&s->place, by);
        return;
    }
    login_take_effect(s, r);
    if (proves)
        router_entered(&s->place, by);
    /* A node may refuse CLIENT TRACKING in RESP2: a lease that was taken while the session spoke that is told
     * again. */
    if (lease_kept_for(&s->lease, LEASE_TRACKS) && s->identity->resp3 && !spoke_resp3)
        tracking_tell_again(s);
}

/* Tries are counted for each address; of IPv6 for each network. */
static void know_address(struct session *s)
{
    struct login *login = &s->place.login;
    struct address peer;
    if (login->address || address_of_socket(&peer, s->client.stream.fd, true) != 0)
        return;
    login->address = peer.sa.any.sa_family == AF_INET6
                         ? keyed_hash(&peer.sa.v6.sin6_addr, sizeof(peer.sa.v6.sin6_addr) / 2)
                         : keyed_hash(&peer.sa.v4.sin_addr, sizeof(peer.sa.v4.sin_addr));
    login->address |= 1; /* 0: not known yet */
}

enum step login_perform(struct session *s, struct session_request *r)
{
    enum step step;
    if (s->queue.inflight > 0)
        return STEP_WAIT;
    if (prepare(s, r))
        return STEP_ON;
    if (r->login)
        know_address(s);
    r->authenticates = r->login && r->login->authenticated && r->command->verb != VERB_SELECT;
    step = session_send_shared(s, r, r->login ? r->login : s->identity);
    if (step == STEP_ON)
        barrier_raise(&s->barrier, BARRIER_LOGIN, r);
    return step;
}

/* ---- HELLO's answer ---- */

static void take_hello_name(struct session *s)
{
    if (!s->client.hello_name)
        return;
    connection_name_set(s, (struct slice){s->client.hello_name, strlen(s->client.hello_name)});
    free(s->client.hello_name);
    s->client.hello_name = NULL;
}

static void rewrite_hello_answer(struct session *s, struct session_request *r)
{
    const char *at;
    if (r->in_tx || r->reply_type == '-')
        return;
    take_hello_name(s);
    /* "id" is the id of the client's connection: the session's. */
    at = memmem(buf_head(&r->reply), buf_len(&r->reply), "$2\r\nid\r\n:", 9);
    if (at)
        session_rewrite_number(r, at + 9, s->id);
}

void hello_answered(struct session *s, struct session_request *r, const struct upstream *from)
{
    login_answered(s, r, from);
    if (r->capture)
        rewrite_hello_answer(s, r);
}
