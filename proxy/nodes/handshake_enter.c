/*
 * handshake_enter: the second round trip, as the client: AUTH, SELECT, HELLO, as far as its identity has a use for them.
 * It is left out for one that has for none.
 */
#include "nodes/handshake_state.h"

#include <stdio.h>
#include <stdlib.h>

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
        append_auth(&commands, handshake_own_user(h), handshake_own_password(h));
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
    if (reply_is_error(reply))
        setup_refused(h, reply_error_line(reply, line, sizeof(line)));
    else if (h->setup_left == 0)
        upstream_enter(h->up, UPSTREAM_READY);
}

static const struct step setup_step = HANDSHAKE_STEP(setup_answered);

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
        handshake_send(h, &setup_step, (struct slice){buf_head(commands) + at, parse.pos});
    }
    buf_wipe(commands);
}

void handshake_enter(struct handshake *h)
{
    struct buf commands = {0};
    int count = identity_append_setup(h->up->identity, &commands);
    upstream_enter(h->up, UPSTREAM_ENTERING);
    if (count == 0)
        upstream_enter(h->up, UPSTREAM_READY);
    else
        send_setup(h, &commands, count);
}
