/*
 * handshake_state: what the files of a handshake know of each other. Nobody else includes this.
 *
 *     handshake.c             as the proxy: is this the right node?
 *        `-- handshake_enter.c     as the client: AUTH, SELECT, HELLO
 *               `-- handshake_command.c   one command and its reply
 *
 * Each calls only those below it.
 */
#ifndef REDISPROXY_NODES_HANDSHAKE_STATE_H
#define REDISPROXY_NODES_HANDSHAKE_STATE_H

#include "nodes/handshake.h"

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

/* ---- handshake_command.c ---- */

/* Of every step. */
void handshake_on_reply(struct request *request, const char *data, size_t len, bool first,
                        bool last);
void handshake_on_failed(struct request *request, enum request_failure why, const char *text);

#define HANDSHAKE_STEP(answered)                                                                   \
    {                                                                                              \
        {handshake_on_reply, handshake_on_failed, NULL}, (answered)                                \
    }

/* Sends one command, given as bytes or as one or two words (the second may be NULL). */
void handshake_send(struct handshake *h, const struct step *step, struct slice bytes);
void handshake_send_words(struct handshake *h, const struct step *step, const char *one,
                          const char *two);

static inline bool reply_is_error(const struct buf *reply)
{
    return buf_len(reply) == 0 || buf_head(reply)[0] == '-';
}

/* The reply's first line, without '-' and line end. */
const char *reply_error_line(const struct buf *reply, char *out, size_t size);

/* The proxy's own name and password; there must be one. */
static inline struct slice handshake_own_user(const struct handshake *h)
{
    const char *name = h->own->username;
    return (struct slice){name, name ? strlen(name) : 0};
}

static inline struct slice handshake_own_password(const struct handshake *h)
{
    return (struct slice){h->own->password, h->own->password_len};
}

/* ---- handshake_enter.c ---- */

/* The node is the right one: becomes the client. */
void handshake_enter(struct handshake *h);

#endif
