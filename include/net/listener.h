/*
 * listener: a listening socket. It accepts in batches and hands over plain
 * descriptors; what a connection is for is the owner's business.
 * All functions: on the loop's thread only.
 */
#ifndef REDISPROXY_NET_LISTENER_H
#define REDISPROXY_NET_LISTENER_H

#include "net/address.h"

#include <stdbool.h>
#include <uv.h>

struct listener;

/* A client connected: the descriptor is non-blocking, close-on-exec, and the callee's. */
typedef void listener_on_accept(void *owner, int fd);

/* Binds and listens without a loop, so that a taken port is known before any thread starts. Returns
 * the descriptor, or a negative errno. */
int listener_bind(const struct address *address, int backlog) __attribute__((warn_unused_result));

/* Starts accepting on a bound descriptor, which the listener owns from now on. Returns NULL when
 * libuv refuses. */
struct listener *listener_open(uv_loop_t *loop, int fd, listener_on_accept *on_accept, void *owner)
    __attribute__((warn_unused_result));

/* Accepts nobody until it is told to go on: who comes waits in the kernel, or is accepted by another process that has the
 * socket, too. */
void listener_hold(struct listener *listener, bool hold);

/* Accepts who waits now, for the last time: closing the socket would reset them. */
void listener_accept_rest(struct listener *listener);

/* Stops accepting, closes the socket; the memory goes on a later loop turn. */
void listener_close(struct listener *listener);

#endif
