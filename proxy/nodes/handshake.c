/*
 * handshake: an upstream's first exchange, in two round trips.
 *
 *     as the proxy:  AUTH, INFO replication, CLIENT ID, RESET    is this the right node?
 *     as nobody:     PING                                        with RESET: is a password needed?
 *     as the client: AUTH, SELECT                                only then its credential is shown
 *
 * RESET ends what the proxy's own credential may do, so that it never carries a client's command (decision 7), and
 * no client's credential goes to a wrong node.
 *
 * A node that is busy with a script answers neither INFO nor CLIENT ID, and those who come to end the
 * script must get in: it is asked again with HELLO, which it does answer.
 *
 * INFO replication says both the role and the replication ids in one answer
 * (ROLE and INFO could differ by a promotion between them). The second part is
 * left out for an identity that needs no setting up, and the proxy's own
 * upstreams stay what they are after the first.
 *
 * Each command is a request with a step: the step's answered() gets the whole reply. The handshake is freed behind
 * the last of them: so no step may send nothing and leave the upstream neither READY nor CLOSED.
 */
#include "nodes/handshake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct handshake {
    struct upstream *up;
    const struct handshake_checks *checks;
    struct credential *own; /* the proxy's, as long as it may be needed; NULL: none */
    unsigned unanswered;    /* of its commands */
    int setup_left;         /* ENTERING: of the client's */
    bool busy;              /* VERIFYING: the node runs a script, and is asked in another way */
    bool select_first;      /* ENTERING: the second way, for users who may not SELECT */
    char refusal[160];      /* with select_first: what the client hears when that fails, too */
};

/* One of its commands, by what is done with the reply. */
struct step {
    struct request_owner owner;
    void (*answered)(struct handshake *h, const struct buf *reply);
};

/* ---- one command ---- */

static void command_ended(struct handshake *h)
{
    if (--h->unanswered > 0)
        return;
    credential_release(h->own);
    free(h);
}

static void on_reply(struct request *request, const char *data, size_t len, bool first, bool last)
{
    struct handshake *h = request->owner_data;
    const struct step *step = container_of(request->owner, struct step, owner);
    struct buf reply;
    (void)first;
    buf_append(&request->reply, data, len);
    if (!last)
        return;
    reply = request->reply;
    request->reply = (struct buf){0};
    request_free(&h->up->turn->requests, request);
    step->answered(h, &reply);
    buf_free(&reply);
    command_ended(h);
}

static void on_failed(struct request *request, enum request_failure why, const char *text)
{
    struct handshake *h = request->owner_data;
    (void)why;
    (void)text;
    request_free(&h->up->turn->requests, request);
    command_ended(h);
}

static void send_bytes(struct handshake *h, const struct step *step, struct slice bytes)
{
    struct request *request = request_own(&h->up->turn->requests, bytes, &step->owner, h);
    request->secret = true;
    h->unanswered++;
    upstream_send_own(h->up, request);
}

static void send_words(struct handshake *h, const struct step *step, const char *one,
                       const char *two)
{
    struct slice argv[2] = {{one, strlen(one)}, {two, two ? strlen(two) : 0}};
    struct buf command = {0};
    resp_append_command(&command, two ? 2 : 1, argv);
    send_bytes(h, step, buf_slice(&command));
    buf_free(&command);
}

/* ---- replies ---- */

static bool begins(const struct buf *reply, const char *with)
{
    size_t len = strlen(with);
    return buf_len(reply) >= len && memcmp(buf_head(reply), with, len) == 0;
}

static bool is_error(const struct buf *reply)
{
    return buf_len(reply) == 0 || buf_head(reply)[0] == '-';
}

/* The reply's first line, without '-' and line end. */
static const char *error_line(const struct buf *reply, char *out, size_t size)
{
    const char *line = buf_head(reply) + 1;
    size_t len = strcspn(line, "\r\n");
    snprintf(out, size, "%.*s", (int)len, line);
    return out;
}

static const char *find(const struct buf *reply, const char *text)
{
    return memmem(buf_head(reply), buf_len(reply), text, strlen(text));
}

/* Copies the value of "field:" in an INFO text. */
static bool info_field(const char *info, size_t len, const char *field, char *out, size_t size)
{
    size_t field_len = strlen(field);
    const char *end = info + len, *line = info;
    while (line < end) {
        const char *eol = memchr(line, '\n', (size_t)(end - line));
        if (!eol)
            eol = end;
        if ((size_t)(eol - line) > field_len && memcmp(line, field, field_len) == 0) {
            const char *value = line + field_len;
            size_t value_len = (size_t)(eol - value);
            if (value_len > 0 && value[value_len - 1] == '\r')
                value_len--;
            snprintf(out, size, "%.*s", (int)value_len, value);
            return true;
        }
        line = eol + 1;
    }
    return false;
}

/* ---- as the client ---- */

static struct slice own_user(const struct handshake *h)
{
    const char *name = h->own->username;
    return (struct slice){name, name ? strlen(name) : 0};
}

static struct slice own_password(const struct handshake *h)
{
    return (struct slice){h->own->password, h->own->password_len};
}

static void send_setup(struct handshake *h, struct buf *commands, int count);

/* The user may not SELECT, and is in this database all the same: it was chosen before the user was (AUTH
 * keeps it). So it is done in that order here, too. When that cannot be done either, `refusal` stands. */
static void select_first(struct handshake *h, const char *refusal)
{
    static const struct slice reset = {"Reset", 5};
    const struct identity *identity = h->up->identity;
    struct buf commands = {0};
    int count = 3;
    h->select_first = true;
    snprintf(h->refusal, sizeof(h->refusal), "%.*s", (int)sizeof(h->refusal) - 1, refusal);
    resp_append_command(&commands, 1, &reset);
    if (h->own) {
        append_auth(&commands, own_user(h), own_password(h));
        count++;
    }
    identity_append_select(identity, &commands);
    append_auth(&commands, (struct slice){identity->user, identity->user_len},
                (struct slice){identity->password, identity->password_len});
    if (identity->resp3) {
        identity_append_hello(&commands);
        count++;
    }
    send_setup(h, &commands, count);
}

/* Whether a command of the second way that only the proxy is to blame for was just answered: with a refusal of that
 * the client, who knows nothing of it, can do nothing. Those of the client come last: AUTH, and HELLO. */
static bool is_before_user(const struct handshake *h)
{
    return h->select_first && h->setup_left > h->up->identity->resp3;
}

static void setup_refused(struct handshake *h, const char *line)
{
    const struct identity *identity = h->up->identity;
    if (h->setup_left == 0 && identity->db && identity->authenticated && !h->select_first &&
        strncmp(line, "NOPERM ", 7) == 0)
        select_first(h, line);
    else
        upstream_refused(h->up, is_before_user(h) ? h->refusal : line);
}

static void setup_answered(struct handshake *h, const struct buf *reply)
{
    char line[ERROR_LINE_MAX];
    h->setup_left--;
    if (is_error(reply))
        setup_refused(h, error_line(reply, line, sizeof(line)));
    else if (h->setup_left == 0)
        upstream_enter(h->up, UPSTREAM_READY);
}

static const struct step setup_step = {{on_reply, on_failed}, setup_answered};

/* One request for each of the commands, of which there are `count`: each is answered on its own. Wipes them. */
static void send_setup(struct handshake *h, struct buf *commands, int count)
{
    struct resp_request parse;
    h->setup_left = count;
    for (size_t at = 0; count > 0; count--, at += parse.pos) {
        memset(&parse, 0, sizeof(parse));
        if (resp_request_parse(&parse, buf_head(commands) + at, buf_len(commands) - at) !=
            RESP_DONE)
            abort(); /* we wrote it */
        send_bytes(h, &setup_step, (struct slice){buf_head(commands) + at, parse.pos});
    }
    buf_wipe(commands);
}

static void enter(struct handshake *h)
{
    struct buf commands = {0};
    int count = identity_append_setup(h->up->identity, &commands);
    upstream_enter(h->up, UPSTREAM_ENTERING);
    if (count == 0)
        upstream_enter(h->up, UPSTREAM_READY);
    else
        send_setup(h, &commands, count);
}

/* ---- as the proxy ---- */

static void verified(struct handshake *h);

/* Whether the node is asked if it serves the identity without a password. */
static bool is_greeted(const struct handshake *h)
{
    const struct identity *identity = h->up->identity;
    return !identity->authenticated && !identity->own && !identity->asks;
}

/* What the node thinks of the credential. From here on nobody needs it any more, but select_first(). */
static void judge_own(struct handshake *h, const char *error)
{
    struct credential *own = h->own;
    if (!error)
        credential_accept(own);
    else if (credential_is_refusal(error))
        credential_refuse(own, h->up->name, error);
    if (error || !h->up->identity->authenticated || !h->up->identity->db) {
        h->own = NULL;
        credential_release(own);
    }
}

/* A node without a password refuses AUTH, and needs none. */
static void auth_answered(struct handshake *h, const struct buf *reply)
{
    char line[120] = "", why[160];
    bool refused, from_file;
    if (!is_error(reply)) {
        judge_own(h, NULL);
        return;
    }
    error_line(reply, line, sizeof(line));
    refused = credential_is_refusal(line);
    from_file = h->own->owner->file != NULL;
    judge_own(h, line);
    if (credential_is_needless(line))
        return;
    snprintf(why, sizeof(why), "%s: %s",
             refused ? "the proxy's own password was refused" : "AUTH was refused", line);
    upstream_cut_refused(h->up, why, refused && from_file);
}

static void info_refused(struct handshake *h, const struct buf *reply)
{
    char line[120], why[160];
    snprintf(why, sizeof(why), "INFO replication was refused: %s",
             error_line(reply, line, sizeof(line)));
    upstream_cut_refused(h->up, why, false);
}

static void info_verified(struct handshake *h, const char *info, size_t len)
{
    struct node_claim node = {0};
    char role[16] = "";
    info_field(info, len, "role:", role, sizeof(role));
    info_field(info, len, "master_replid:", node.replid[0], REPLID_SIZE);
    info_field(info, len, "master_replid2:", node.replid[1], REPLID_SIZE);
    node.master = strcmp(role, "master") == 0;
    node.replica = strcmp(role, "slave") == 0;
    const char *why = h->checks->verify(h->up, &node);
    if (why)
        upstream_cut(h->up, why);
}

static void info_answered(struct handshake *h, const struct buf *reply)
{
    if (begins(reply, "-BUSY "))
        h->busy = true;
    else if (is_error(reply))
        info_refused(h, reply);
    else
        info_verified(h, buf_head(reply), buf_len(reply));
}

/* The replication ids stay unknown: the topology's word, which is about this address, has to do. */
static void hello_answered(struct handshake *h, const struct buf *reply)
{
    static const char id_key[] = "$2\r\nid\r\n:";
    struct node_claim node = {.busy = true};
    const char *id = find(reply, id_key);
    if (id)
        h->up->client_id = strtoull(id + sizeof(id_key) - 1, NULL, 10);
    node.master = find(reply, "$4\r\nrole\r\n$6\r\nmaster\r\n") != NULL;
    node.replica = find(reply, "$4\r\nrole\r\n$7\r\nreplica\r\n") != NULL;
    const char *why = h->checks->verify(h->up, &node);
    if (why)
        upstream_cut(h->up, why);
    else if (h->up->identity->own)
        verified(h);
}

/* An error is no reason to give up: it only means that blocked commands cannot be taken back. */
static void id_answered(struct handshake *h, const struct buf *reply)
{
    if (buf_head(reply)[0] == ':')
        h->up->client_id = strtoull(buf_head(reply) + 1, NULL, 10);
    if (h->up->identity->own)
        verified(h);
}

static void reset_answered(struct handshake *h, const struct buf *reply)
{
    if (is_error(reply))
        upstream_cut(h->up, "RESET was refused: redisproxy needs Redis 6.2 or newer");
    else if (!is_greeted(h))
        verified(h);
}

/* Whatever the node says but this, it says to one whom it serves. */
static void ping_answered(struct handshake *h, const struct buf *reply)
{
    bool let_in = !begins(reply, "-NOAUTH ");
    if (h->busy) { /* it is asked again, behind HELLO */
        verified(h);
        return;
    }
    h->checks->on_greeted(h->up, let_in);
    if (let_in == h->up->identity->outside)
        upstream_close(h->up, let_in ? "the node asks for no password any more"
                                     : "the node asks for a password now");
    else
        verified(h);
}

static const struct step auth_step = {{on_reply, on_failed}, auth_answered};
static const struct step info_step = {{on_reply, on_failed}, info_answered};
static const struct step id_step = {{on_reply, on_failed}, id_answered};
static const struct step reset_step = {{on_reply, on_failed}, reset_answered};
static const struct step ping_step = {{on_reply, on_failed}, ping_answered};
static const struct step hello_step = {{on_reply, on_failed}, hello_answered};

static void send_auth(struct handshake *h)
{
    if (h->own) {
        struct buf command = {0};
        append_auth(&command, own_user(h), own_password(h));
        send_bytes(h, &auth_step, buf_slice(&command));
        buf_wipe(&command);
    }
}

/* Becomes a new client's connection again, and asks what such a one would hear. */
static void send_reset(struct handshake *h)
{
    if (h->up->identity->own)
        return;
    send_words(h, &reset_step, "Reset", NULL);
    if (is_greeted(h))
        send_words(h, &ping_step, "Ping", NULL);
}

/* The first exchange is over. */
static void verified(struct handshake *h)
{
    if (!h->busy) {
        enter(h);
        return;
    }
    h->busy = false;
    send_auth(h);
    send_words(h, &hello_step, "Hello", "2");
    send_reset(h);
}

void handshake_begin(struct upstream *up, struct credential *own,
                     const struct handshake_checks *checks)
{
    struct handshake *h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    *h = (struct handshake){.up = up, .checks = checks, .own = credential_retain(own)};
    upstream_enter(up, UPSTREAM_VERIFYING);
    send_auth(h);
    send_words(h, &info_step, "Info", "replication");
    send_words(h, &id_step, "Client", "ID");
    send_reset(h);
}
