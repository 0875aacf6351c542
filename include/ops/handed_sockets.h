/*
 * handed_sockets: listening sockets that systemd bound, and hands in (LISTEN_FDS: socket activation): they outlive the
 * process, so that nobody is refused while it is restarted. Each belongs to the configured address that it is bound to;
 * one whose name (FileDescriptorName=) is a use, as "http", belongs to that, wherever it is bound. What is not handed in is
 * bound as without systemd. The main thread only.
 */
#ifndef REDISPROXY_OPS_HANDED_SOCKETS_H
#define REDISPROXY_OPS_HANDED_SOCKETS_H

#include "net/address.h"

struct handed_sockets;

/* Takes them from the environment, which is emptied of that. Says in the log what is no listening socket. Never NULL. */
struct handed_sockets *handed_sockets_new(void) __attribute__((warn_unused_result));

/* The socket with this name, or else (there is none, or `name` is NULL) the one that is bound to this address. It is non-blocking, close-on-exec, and the caller's. Returns -1: it was not handed in. */
int handed_sockets_take(struct handed_sockets *handed, const struct address *address,
                        const char *name);

/* The same for a Unix socket: with this name, or else with this path. */
int handed_sockets_take_path(struct handed_sockets *handed, const char *path, const char *name);

/* Says in the log, one line each, which ones nobody took, closes these, and frees everything. NULL is allowed. */
void handed_sockets_free(struct handed_sockets *handed);

#endif
