/*
 * takeover: a new process of the proxy takes the place of the old one without a client noticing: it gets the listening
 * sockets, and the sessions, each at its next boundary (session/mover.h).
 *
 *     the new one                              the old one
 *     hello 1                              ->
 *                                          <-  listener 10.0.0.5:6379 (its socket), one for each; go 4711 (clients so far)
 *     (it starts: workers, control plane)
 *     serving                              ->
 *                                          <-  sessions, packed (session/move.h), while nobody is accepted here any more
 *     taken ID, or refused ID              ->
 *                                          <-  done (all are gone, or drained), and it ends
 *
 * Until "serving" the old one goes on as if nothing were. If the new one dies later, the old one keeps what it still has,
 * and accepts again; if the old one dies, the new one has what was sent. Only the same user may speak here.
 *
 * They find each other by a Unix socket (`takeover` in the configuration; redisproxy --takeover), or the old one starts the
 * new one itself (SIGUSR2), which then finds the socket in its environment.
 */
#ifndef REDISPROXY_OPS_TAKEOVER_H
#define REDISPROXY_OPS_TAKEOVER_H

#include "ops/config.h"
#include "worker/workers.h"

#include <stdbool.h>
#include <sys/types.h>

/* Of the conversation. Who speaks another one is refused, and starts without taking over anything. */
#define TAKEOVER_VERSION 1

/* ---- the new process: on the main thread ---- */

struct takeover;
struct succession;

/* Asks the old process for its sockets. *out is NULL when there is nobody, or it is not wanted (neither `wanted`, by
 * --takeover, nor started by the old one). Returns 0, or -1 after logging what is wrong and how to mend it. */
int takeover_begin(struct takeover **out, const struct config *config, bool wanted)
    __attribute__((warn_unused_result));
/* The old process' socket that is bound to this address: the caller's. -1: it has none. NULL is allowed. */
int takeover_socket(struct takeover *takeover, const struct address *address);
/* How many clients the old process has numbered, at most. */
uint64_t takeover_clients_before(const struct takeover *takeover);
/* Everything runs: says so to the old process when the workers serve, and takes its sessions, on a thread of its own. When
 * that one has gone, the next process may come (succession_open()). NULL is allowed. */
void takeover_serve(struct takeover *takeover, struct workers *workers, struct board *board,
                    struct succession *succession);
/* Whether sessions still come; so long the configuration must stay. Any thread. NULL is allowed. */
bool takeover_goes_on(const struct takeover *takeover);
/* When the process ends, and before the workers do. NULL is allowed, here and below. */
void takeover_stop(struct takeover *takeover);
void takeover_free(struct takeover *takeover);

/* ---- the old process ---- */

/* What is told to the main thread by this signal, which it has blocked: look at succession_state(). */
#define SUCCESSION_SIGNAL SIGRTMIN

enum succession_state {
    SUCCESSION_NONE,  /* nobody takes over, or nobody has said yet that it serves */
    SUCCESSION_GOING, /* sessions are handed over */
};

struct succession_options {
    const char *takeover; /* a path; NULL: none. It is copied */
    size_t listener_count;
    const int *listen_fds; /* one for each listener, and */
    int http_fd;           /* -1: none: copies are made */
    char **argv;           /* with which a new process is started */
};

struct succession *succession_new(const struct succession_options *options);
/* A reload has other listeners: new ones on these descriptors, -1 where a listener stays; the web server's too, if it moves.
 * Copies are made. Any thread. */
void succession_follow(struct succession *succession, const struct config *config,
                       const int *listen_fds, int http_fd);
/* Speaks with new processes, on a thread of its own. */
void succession_start(struct succession *succession, struct workers *workers);
/* Lets them come by `takeover`'s path; that it cannot be used is logged. `replace`: the process before this one listens
 * there, and ends. Once; any thread. */
void succession_open(struct succession *succession, bool replace);
/* SIGUSR2: starts the new process; not before succession_open(), nor while one takes over. NULL is allowed: this one ends. */
void succession_spawn(struct succession *succession);
enum succession_state succession_state(const struct succession *succession);
/* The process that takes over. */
pid_t succession_pid(const struct succession *succession);
/* A copy of the web server's listening socket, for when it is to be started again; -1: there is none. */
int succession_http_socket(struct succession *succession);
/* Everything is handed over, or the process ends otherwise: the other side is told which, and the thread ends. Before the
 * sockets are closed elsewhere: the copies are closed here. NULL is allowed. */
void succession_stop(struct succession *succession, bool done);

#endif
