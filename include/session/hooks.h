/*
 * hooks: what special commands add to a session, in two tables that commands/table.c fills. The session looks
 * into them and knows no command: a new one is a file in commands/ and a row.
 *
 *     read -> classified: seen -> perform                                    the session does it itself
 *                              -> route                                      its own way to a node
 *                              -> prepare -> sending -> sent                 on the lease
 *                              -> sending -> sent                            on a shared connection
 *     node -> begins (each piece of the reply, until it is known) -> answered
 *
 * All on the thread of the session's worker. A hook that is NULL has nothing to do.
 */
#ifndef REDISPROXY_SESSION_HOOKS_H
#define REDISPROXY_SESSION_HOOKS_H

#include "session/state.h"

/* One for each enum command_verb. */
struct verb {
    /* Its turn has come for the first time: it may be rewritten (session_rewrite()). */
    void (*seen)(struct session *s, struct session_request *r);
    /* The session performs it, with the right number of arguments: answers it, sends it, or waits. Only
     * commands of WAY_SESSION; inside MULTI, and on a lease, they are sent like others. */
    enum step (*perform)(struct session *s, struct session_request *r);
    /* Sends it, instead of the usual way: on the lease if there is one, shared otherwise. */
    enum step (*route)(struct session *s, struct session_request *r);
    /* It goes on the session's lease next, which stands. STEP_ON: it may, unless it was answered here. */
    enum step (*prepare)(struct session *s, struct session_request *r);
    /* It is about to be written to `to`. */
    void (*sending)(struct session *s, struct session_request *r, struct upstream *to);
    /* It was. */
    void (*sent)(struct session *s, struct session_request *r);
    /* The beginning of its reply has come (request->reply), or more of it; called until it clears
     * request->page_begins. Not for an error. */
    void (*begins)(struct session *s, struct session_request *r, const struct upstream *from);
    /* The whole reply has come: it is in request->reply if request->capture was set, and may be replaced. */
    void (*answered)(struct session *s, struct session_request *r, const struct upstream *from);
    /* Whether it changes something, although its flags say that it reads. */
    bool (*changes)(const struct session_request *r);
    bool node_decides; /* AUTH and kin: performed only where the session has no lease */
    bool with_exec;    /* inside MULTI it takes effect here when EXEC has executed it */
    bool repeatable;   /* executed twice, or behind what followed it, it does no harm */
    bool replicates;   /* SYNC and kin: it passes where the listener allows replication */
};

/* What a session carries to a fresh connection, in the order in which that is told of it. */
struct carried {
    /* Whether all is known that a fresh lease is to be told. If not, the session will be woken. */
    bool (*ready)(struct session *s);
    /* The lease is granted: whether it can be told already. If not, it was parked, and is asked for again. */
    bool (*granted)(struct session *s);
    /* Tells it. */
    void (*tell)(struct session *s);
    /* The lease was cut, by a switch or by its node (ended.h). */
    void (*lost)(struct session *s);
    /* The session has no lease any more, and nobody doubts it. */
    void (*dropped)(struct session *s);
    /* The session ends, or is RESET. May be called again. */
    void (*forget)(struct session *s);
    /* The session has begun to wait in the hold. */
    void (*held)(struct session *s);
    /* Replies were delivered, and its subscriptions were not confirmed yet (session->special.unrenewed). */
    void (*delivered)(struct session *s);
    /* The session is handed over to another process (move.h): what it carries, as commands of one's own choice. */
    void (*pack)(const struct session *s, struct buf *out);
    /* And there: whether the command is one of these. It is whole, and has at least two words, which may be anything. */
    bool (*unpack)(struct session *s, struct slice command);
    /* There, if its lease came along: it is what it was, and need not be told anything. */
    void (*adopted)(struct session *s);
};

struct session_hooks {
    const struct verb *verbs;             /* by enum command_verb */
    const struct carried *const *carried; /* in the order of their hooks */
    size_t carried_count;
    /* A request of a user who uses scripts goes to a master: if that one is new, it is told them before. */
    void (*new_master)(struct session *s, const struct session_request *r, struct upstream *to);
};

/* Calls one of the hooks of all that the session carries. */
#define each_carried(s, hook)                                                                      \
    do {                                                                                           \
        const struct session_hooks *hooks_ = (s)->host->hooks;                                     \
        for (size_t i_ = 0; i_ < hooks_->carried_count; i_++)                                      \
            if (hooks_->carried[i_]->hook)                                                         \
                hooks_->carried[i_]->hook(s);                                                      \
    } while (0)

/* Whether this hook of all that the session carries says yes. Who has none does not mind; behind the first no, nobody is
 * asked. */
#define all_carried(s, hook)                                                                       \
    ({                                                                                             \
        const struct session_hooks *hooks_ = (s)->host->hooks;                                     \
        size_t i_ = 0;                                                                             \
        while (i_ < hooks_->carried_count &&                                                       \
               (!hooks_->carried[i_]->hook || hooks_->carried[i_]->hook(s)))                       \
            i_++;                                                                                  \
        i_ == hooks_->carried_count;                                                               \
    })

#endif
