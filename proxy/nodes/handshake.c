/*
 * handshake: an upstream's first exchange, in two round trips. This file is the first of them.
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
 * (ROLE and INFO could differ by a promotion between them). The proxy's own
 * upstreams stay what they are after the first round trip.
 */
#include "nodes/handshake_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- replies ---- */

static bool begins(const struct buf *reply, const char *with)
{
    size_t len = strlen(with);
    return buf_len(reply) >= len && memcmp(buf_head(reply), with, len) == 0;
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

/* ---- what is asked ---- */

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
    if (!reply_is_error(reply)) {
        judge_own(h, NULL);
        return;
    }
    reply_error_line(reply, line, sizeof(line));
    refused = credential_is_refusal(line);
    from_file = h->own->owner.file != NULL;
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
             reply_error_line(reply, line, sizeof(line)));
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
    else if (reply_is_error(reply))
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
    if (reply_is_error(reply))
        upstream_cut(h->up, "RESET was refused: redisproxy needs Redis 6.2 or newer");
    else if (!is_greeted(h))
        verified(h);
}

/* Whatever the node says but this, it says to one whom it serves. */
static void ping_answered(struct handshake *h, const struct buf *reply)
{
    bool admitted = !begins(reply, "-NOAUTH ");
    if (h->busy) { /* it is asked again, behind HELLO */
        verified(h);
        return;
    }
    h->checks->on_greeted(h->up, admitted);
    if (admitted == h->up->identity->outside)
        upstream_close(h->up, admitted ? "the node asks for no password any more"
                                       : "the node asks for a password now");
    else
        verified(h);
}

static const struct step auth_step = HANDSHAKE_STEP(auth_answered);
static const struct step info_step = HANDSHAKE_STEP(info_answered);
static const struct step id_step = HANDSHAKE_STEP(id_answered);
static const struct step reset_step = HANDSHAKE_STEP(reset_answered);
static const struct step ping_step = HANDSHAKE_STEP(ping_answered);
static const struct step hello_step = HANDSHAKE_STEP(hello_answered);

static void send_auth(struct handshake *h)
{
    if (h->own) {
        struct buf command = {0};
        append_auth(&command, handshake_own_user(h), handshake_own_password(h));
        handshake_send(h, &auth_step, buf_slice(&command));
        buf_wipe(&command);
    }
}

/* Becomes a new client's connection again, and asks what such a one would hear. */
static void send_reset(struct handshake *h)
{
    if (h->up->identity->own)
        return;
    handshake_send_words(h, &reset_step, "Reset", NULL);
    if (is_greeted(h))
        handshake_send_words(h, &ping_step, "Ping", NULL);
}

/* The first exchange is over. */
static void verified(struct handshake *h)
{
    if (!h->busy) {
        handshake_enter(h);
        return;
    }
    h->busy = false;
    send_auth(h);
    handshake_send_words(h, &hello_step, "Hello", "2");
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
    handshake_send_words(h, &info_step, "Info", "replication");
    handshake_send_words(h, &id_step, "Client", "ID");
    send_reset(h);
}
