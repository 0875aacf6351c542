/*
 * admin_letters: what the admin thread asks other threads: a letter that visits every worker (threads/relay.h), an errand
 * for the control plane (topology/errands.h). Both come home to the admin thread, also when nobody could read them.
 */
#ifndef REDISPROXY_OPS_ADMIN_LETTERS_H
#define REDISPROXY_OPS_ADMIN_LETTERS_H

#include "ops/admin_call.h"
#include "session/walk.h"
#include "threads/relay.h"

struct admin_letter {
    struct relay relay;
    struct mail home;
    struct admin_core *core;
    struct session_walk walk; /* for visits that go over all sessions */
    /* On the admin thread; the letter is the callee's. `lost`: the workers have ended before it was through. */
    void (*done)(struct admin_letter *letter, bool lost);
    bool lost;
};

/* `visit` runs on each worker's thread, until it returns true there. */
void admin_letter_send(struct admin_letter *letter, struct admin_core *core, relay_visit *visit,
                       void (*done)(struct admin_letter *letter, bool lost));

/* The letter whose relay this is. */
static inline struct admin_letter *admin_letter_of(struct relay *relay)
{
    return container_of(relay, struct admin_letter, relay);
}

struct admin_errand {
    struct errand errand;
    struct mail home;
    struct admin_core *core;
    void (*work)(struct admin_errand *errand, struct control *control);
    void (*done)(struct admin_errand *errand, bool lost);
    bool lost;
};

/* `work` runs on the control plane's thread, `done` on the admin's: the errand is the callee's then. */
void admin_errand_send(struct admin_errand *errand, struct admin_core *core,
                       void (*work)(struct admin_errand *errand, struct control *control),
                       void (*done)(struct admin_errand *errand, bool lost));

#endif
