/*
 * logins: how many connections are opened to find out whether clients are who they say they are. A login whose identity
 * no node has let in yet needs one of its own; guessers of passwords would open thousands a second.
 *
 *     each client             after some failures, longer and longer from one try to the next
 *     each client's address   so many tries at once that have not succeeded, and so many a second
 *     each group of nodes     the same: those whose address has failures, and those whose has none, are counted apart
 *
 * A try is paid back when it succeeds: so what is right costs nothing, however often it comes. What is over is not
 * refused, it waits its turn, first come, first served. One who leaves meanwhile is forgotten.
 *
 * One worker's thread only: each worker has its own.
 */
#ifndef REDISPROXY_NODES_LOGINS_H
#define REDISPROXY_NODES_LOGINS_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tries that are not paid back: at once, and for each second. */
#define LOGINS_ADDRESS_BURST 64
#define LOGINS_ADDRESS_RATE 50
#define LOGINS_SUSPECT_BURST 64
#define LOGINS_SUSPECT_RATE 50
#define LOGINS_CLEAN_BURST 256
#define LOGINS_CLEAN_RATE 200
/* A client's failures that cost it nothing; the pause after the next one, which doubles up to the longest. */
#define LOGINS_FREE_FAILURES 4
#define LOGINS_PAUSE_MS 100
#define LOGINS_PAUSE_MAX_MS 3200

/* An address without a failure for so long is one that has none. */
#define LOGINS_FORGIVE_MS 10000

struct logins;

/* One client's; all zero at first. */
struct login {
    struct list in_waiting; /* it waits its turn */
    size_t group;
    unsigned address; /* a hash of its address */
    unsigned failures;
    int64_t not_before_ms;
    bool granted; /* its turn has come, and it has not tried yet */
    bool trying;  /* a try is under way, */
    bool clean;   /* counted among those whose address has no failures */
};

/* `on_turn`: this one, which waited, may try now. */
struct logins *logins_new(size_t groups, void (*on_turn)(void *data, struct login *login),
                          void *data);
void logins_free(struct logins *logins);

void login_init(struct login *login, size_t group);

/* Whether it may try now; if not, it waits for its turn. */
bool logins_try(struct logins *logins, struct login *login, int64_t now_ms);
/* Its try is over; nothing when there was none. */
void logins_ended(struct logins *logins, struct login *login, bool admitted, int64_t now_ms);
/* It leaves. */
void logins_forget(struct login *login);

/* Ten times a second: whose turn it is. */
void logins_tick(struct logins *logins, int64_t now_ms);

/* Whether it waits for its turn. */
static inline bool login_waits(const struct login *login)
{
    return list_linked(&login->in_waiting);
}

#endif
