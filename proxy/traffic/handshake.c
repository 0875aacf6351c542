/*
 * handshake: an upstream's first exchange, in two round trips.
 *
 *     as the proxy:  AUTH, INFO replication, CLIENT ID, RESET    is this the right node?
 *     as nobody:     PING                                        with RESET: is a password needed?
 *     as the client: AUTH, SELECT                                only then its credential is shown
 *
 * A node that is busy with a script answers neither INFO nor CLIENT ID, and those who come to end the
 * script must get in: it is asked again with HELLO, which it does answer.
 *
 * INFO replication says both the role and the replication ids in one answer
 * (ROLE and INFO could differ by a promotion between them). The second part is
 * left out for an identity that needs no setting up, and the proxy's own
 * upstreams stay what they are after the first.
 */
#include "traffic/upstream.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void verified(struct upstream *up);

/* Collects a reply; true when it is whole. */
static bool whole(struct request *request, const char *data, size_t len, bool last)
{
    buf_append(&request->reply, data, len);
    return last;
}

static bool is_error(const struct request *request)
{
    return buf_len(&request->reply) == 0 || buf_head(&request->reply)[0] == '-';
}

/* Whether the node is asked if it lets its identity in without a password. */
static bool is_greeted(const struct upstream *up)
{
    return !up->identity->authenticated && !up->identity->own && !up->identity->asks;
}

static bool is_busy(const struct request *request)
{
    static const char busy[] = "-BUSY ";
    return buf_len(&request->reply) >= sizeof(busy) - 1 &&
           memcmp(buf_head(&request->reply), busy, sizeof(busy) - 1) == 0;
}

/* The reply's first line, without '-' and line end. */
static const char *error_line(const struct request *request, char *out, size_t size)
{
    const char *line = buf_head(&request->reply) + 1;
    size_t len = strcspn(line, "\r\n");
    snprintf(out, size, "%.*s", (int)len, line);
    return out;
}

static void done(struct request *request)
{
    struct upstream *up = request->owner_data;
    request_free(&up->turn->requests, request);
}

static void on_failed(struct request *request, enum request_failure why, const char *text)
{
    (void)why;
    (void)text;
    done(request);
}

static void send_step(struct upstream *up, const struct request_owner *step,
                      const struct buf *commands)
{
    struct request *request = request_new(&up->turn->requests, buf_len(commands));
    request->owner = step;
    request->owner_data = up;
    request->secret = true;
    request_set_bytes(request, buf_head(commands), buf_len(commands));
    upstream_send_own(up, request);
}

static void send_words(struct upstream *up, const struct request_owner *step, const char *one,
                       const char *two)
{
    struct slice argv[2] = {{one, strlen(one)}, {two, two ? strlen(two) : 0}};
    struct buf command = {0};
    resp_append_command(&command, two ? 2 : 1, argv);
    send_step(up, step, &command);
    buf_free(&command);
}

static struct slice own_user(const struct upstream *up)
{
    const char *name = up->own->username;
    return (struct slice){name, name ? strlen(name) : 0};
}

static struct slice own_password(const struct upstream *up)
{
    return (struct slice){up->own->password, up->own->password_len};
}

/* ---- as the client ---- */

static void send_setup(struct upstream *up, struct buf *commands, int count);

/* The user may not SELECT, and is in this database all the same: it was chosen before the user was (AUTH
 * keeps it). So it is done in that order here, too. When that cannot be done either, `refusal` stands. */
static void select_first(struct upstream *up, const char *refusal)
{
    static const struct slice reset = {"Reset", 5};
    struct identity *identity = up->identity;
    struct buf commands = {0};
    int count = 3;
    up->select_first = true;
    snprintf(up->why, sizeof(up->why), "%.*s", (int)sizeof(up->why) - 1, refusal);
    resp_append_command(&commands, 1, &reset);
    if (up->own) {
        append_auth(&commands, own_user(up), own_password(up));
        count++;
    }
    identity_append_select(identity, &commands);
    append_auth(&commands, (struct slice){identity->user, identity->user_len},
                (struct slice){identity->password, identity->password_len});
    if (identity->resp3) {
        identity_append_hello(&commands);
        count++;
    }
    send_setup(up, &commands, count);
}

static void on_setup(struct request *request, const char *data, size_t len, bool first, bool last)
{
    struct upstream *up = request->owner_data;
    const struct identity *identity = up->identity;
    char line[ERROR_LINE_MAX];
    (void)first;
    if (!whole(request, data, len, last))
        return;
    bool refused = is_error(request);
    if (refused)
        error_line(request, line, sizeof(line));
    bool final = request->argc == 1;
    bool before_user = up->select_first && request->argc > 1 + identity->resp3;
    done(request);
    if (up->state != UPSTREAM_ENTERING)
        return;
    if (refused && final && identity->db && identity->authenticated && !up->select_first &&
        strncmp(line, "NOPERM ", 7) == 0)
        select_first(up, line);
    else if (refused && before_user) /* not the user's own refusal */
        upstream_refused(up, up->why);
    else if (refused)
        upstream_refused(up, line);
    else if (final)
        upstream_entered(up);
}

static const struct request_owner setup_step = {on_setup, on_failed};

/* One request a command: each is answered on its own, and argc marks the last. Wipes `commands`. */
static void send_setup(struct upstream *up, struct buf *commands, int count)
{
    struct resp_request parse;
    for (size_t at = 0; count > 0; count--) {
        struct request *request;
        memset(&parse, 0, sizeof(parse));
        if (resp_request_parse(&parse, buf_head(commands) + at, buf_len(commands) - at) !=
            RESP_DONE)
            abort(); /* we wrote it */
        request = request_new(&up->turn->requests, parse.pos);
        request->owner = &setup_step;
        request->owner_data = up;
        request->secret = true;
        request->argc = count;
        request_set_bytes(request, buf_head(commands) + at, parse.pos);
        upstream_send_own(up, request);
        at += parse.pos;
    }
    buf_wipe(commands);
}

static void enter(struct upstream *up)
{
    struct buf commands = {0};
    int count = identity_append_setup(up->identity, &commands);
    up->state = UPSTREAM_ENTERING;
    if (count == 0)
        upstream_entered(up);
    else
        send_setup(up, &commands, count);
}

/* ---- as the proxy ---- */

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

/* The node lets the proxy not in, whatever connection it is. */
static void cut_refused(struct upstream *up, const char *why)
{
    up->refused = true;
    upstream_cut(up, why);
}

/* What the node thinks of the credential. From here on nobody needs it any more, but select_first(). A node without
 * a password refuses AUTH, and needs none. Returns whether the node may be used. */
static bool own_auth_answered(struct upstream *up, const char *error)
{
    struct credential *own = up->own;
    up->waits = error && credential_is_refusal(error) && own->owner->file;
    if (!error)
        credential_accept(own);
    else if (credential_is_refusal(error))
        credential_refuse(own, up->name, error);
    if (error || !up->identity->authenticated || !up->identity->db) {
        up->own = NULL;
        credential_release(own);
    }
    return !error || credential_is_needless(error);
}

static void on_own_auth(struct request *request, const char *data, size_t len, bool first,
                        bool last)
{
    struct upstream *up = request->owner_data;
    char line[120] = "", why[160];
    (void)first;
    if (!whole(request, data, len, last))
        return;
    bool refused = is_error(request);
    if (refused)
        error_line(request, line, sizeof(line));
    done(request);
    if (own_auth_answered(up, refused ? line : NULL))
        return;
    snprintf(why, sizeof(why), "%s: %s",
             credential_is_refusal(line) ? "the proxy's own password was refused"
                                         : "AUTH was refused",
             line);
    cut_refused(up, why);
}

static void on_info(struct request *request, const char *data, size_t len, bool first, bool last)
{
    struct upstream *up = request->owner_data;
    struct node_claim node = {0};
    char role[16] = "", line[120], text[160];
    const char *why = NULL;
    bool refused = false;
    (void)first;
    if (!whole(request, data, len, last))
        return;
    if (is_busy(request)) {
        up->busy = true;
    } else if (is_error(request)) {
        snprintf(text, sizeof(text), "INFO replication was refused: %s",
                 error_line(request, line, sizeof(line)));
        why = text;
        refused = true;
    } else {
        const char *info = buf_head(&request->reply);
        size_t info_len = buf_len(&request->reply);
        info_field(info, info_len, "role:", role, sizeof(role));
        info_field(info, info_len, "master_replid:", node.replid[0], REPLID_SIZE);
        info_field(info, info_len, "master_replid2:", node.replid[1], REPLID_SIZE);
        node.master = strcmp(role, "master") == 0;
        node.replica = strcmp(role, "slave") == 0;
        why = up->owner->verify(up, &node);
    }
    done(request);
    if (refused)
        cut_refused(up, why);
    else if (why)
        upstream_cut(up, why);
}

static const char *find(const struct request *request, const char *text)
{
    return memmem(buf_head(&request->reply), buf_len(&request->reply), text, strlen(text));
}

/* The replication ids stay unknown: the topology's word, which is about this address, has to do. */
static void on_hello(struct request *request, const char *data, size_t len, bool first, bool last)
{
    static const char id_key[] = "$2\r\nid\r\n:";
    struct upstream *up = request->owner_data;
    struct node_claim node = {.busy = true};
    (void)first;
    if (!whole(request, data, len, last))
        return;
    const char *id = find(request, id_key);
    if (id)
        up->client_id = strtoull(id + sizeof(id_key) - 1, NULL, 10);
    node.master = find(request, "$4\r\nrole\r\n$6\r\nmaster\r\n") != NULL;
    node.replica = find(request, "$4\r\nrole\r\n$7\r\nreplica\r\n") != NULL;
    const char *why = up->owner->verify(up, &node);
    bool final = up->identity->own;
    done(request);
    if (why)
        upstream_cut(up, why);
    else if (final)
        verified(up);
}

static void on_id(struct request *request, const char *data, size_t len, bool first, bool last)
{
    struct upstream *up = request->owner_data;
    (void)first;
    if (!whole(request, data, len, last))
        return;
    /* An error is no reason to give up: it only means that blocked commands cannot be taken back.
     */
    if (buf_head(&request->reply)[0] == ':')
        up->client_id = strtoull(buf_head(&request->reply) + 1, NULL, 10);
    done(request);
    if (up->identity->own)
        verified(up);
}

static void on_reset(struct request *request, const char *data, size_t len, bool first, bool last)
{
    struct upstream *up = request->owner_data;
    (void)first;
    if (!whole(request, data, len, last))
        return;
    bool refused = is_error(request);
    done(request);
    if (refused)
        upstream_cut(up, "RESET was refused: redisproxy needs Redis 6.2 or newer");
    else if (!is_greeted(up))
        verified(up);
}

/* Whatever it says but this, it says to one whom it has let in. */
static void on_ping(struct request *request, const char *data, size_t len, bool first, bool last)
{
    static const char noauth[] = "-NOAUTH ";
    struct upstream *up = request->owner_data;
    (void)first;
    if (!whole(request, data, len, last))
        return;
    bool let_in = buf_len(&request->reply) < sizeof(noauth) - 1 ||
                  memcmp(buf_head(&request->reply), noauth, sizeof(noauth) - 1) != 0;
    done(request);
    if (up->busy) { /* it is asked again, behind HELLO */
        verified(up);
        return;
    }
    up->owner->on_greeted(up, let_in);
    if (let_in == up->identity->outside)
        upstream_close(up, let_in ? "the node asks for no password any more"
                                  : "the node asks for a password now");
    else
        verified(up);
}

static const struct request_owner auth_step = {on_own_auth, on_failed};
static const struct request_owner info_step = {on_info, on_failed};
static const struct request_owner id_step = {on_id, on_failed};
static const struct request_owner reset_step = {on_reset, on_failed};
static const struct request_owner ping_step = {on_ping, on_failed};
static const struct request_owner hello_step = {on_hello, on_failed};

static void send_auth(struct upstream *up)
{
    if (up->own) {
        struct buf command = {0};
        append_auth(&command, own_user(up), own_password(up));
        send_step(up, &auth_step, &command);
        buf_wipe(&command);
    }
}

/* Becomes a new client's connection again, and asks what such a one would hear. */
static void send_reset(struct upstream *up)
{
    if (up->identity->own)
        return;
    send_words(up, &reset_step, "Reset", NULL);
    if (is_greeted(up))
        send_words(up, &ping_step, "Ping", NULL);
}

/* The first exchange is over. */
static void verified(struct upstream *up)
{
    if (up->state != UPSTREAM_VERIFYING)
        return;
    if (!up->busy) {
        enter(up);
        return;
    }
    up->busy = false;
    send_auth(up);
    send_words(up, &hello_step, "Hello", "2");
    send_reset(up);
}

void upstream_handshake(struct upstream *up)
{
    send_auth(up);
    send_words(up, &info_step, "Info", "replication");
    send_words(up, &id_step, "Client", "ID");
    send_reset(up);
}
