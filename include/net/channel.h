/*
 * channel: messages, with descriptors, between two processes of one machine: a Unix socket of the kind that keeps messages
 * apart (SOCK_SEQPACKET). A message comes whole or not at all; any thread may send.
 */
#ifndef REDISPROXY_NET_CHANNEL_H
#define REDISPROXY_NET_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHANNEL_FDS_MAX 4

/* Binds a socket at this path and listens. A file that a dead process left behind is replaced; with `replace` also one that
 * is listened to, whose clients are the caller's from now on. Returns the descriptor, or a negative errno. */
int channel_listen(const char *path, bool replace) __attribute__((warn_unused_result));
/* Returns a connected descriptor, or a negative errno. */
int channel_connect(const char *path) __attribute__((warn_unused_result));

/* Whether the other side is this process' user, or root. *pid is its process. */
bool channel_peer_is_ours(int channel, pid_t *pid);

/* The other side has so long for each answer. */
void channel_set_patience(int channel, int ms);

/* Sends a message. `wait`: until there is room. Returns 0, or a negative errno (-EAGAIN: there is no room now). */
int channel_send(int channel, const void *bytes, size_t len, const int *fds, int fd_count,
                 bool wait) __attribute__((warn_unused_result));

/* Receives one, of at most `size` bytes; its descriptors are close-on-exec and the caller's. Returns its length, 0: the other
 * side has closed, or a negative errno (-EMSGSIZE: it was longer, or had more descriptors; these are closed). */
ssize_t channel_receive(int channel, void *into, size_t size, int *fds, int *fd_count)
    __attribute__((warn_unused_result));

#endif
