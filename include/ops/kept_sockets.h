/*
 * kept_sockets: copies of the listening sockets, for the process that takes over: the workers and the web server have their
 * own, and close them when they please. Any thread.
 */
#ifndef REDISPROXY_OPS_KEPT_SOCKETS_H
#define REDISPROXY_OPS_KEPT_SOCKETS_H

#include "ops/config.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct kept_sockets {
    pthread_mutex_t mutex; /* over the next two */
    int *fds;              /* the last one is the web server's; -1: there is none */
    size_t count;
};

/* Makes copies of these; -1: there is none. */
void kept_sockets_init(struct kept_sockets *sockets, const int *listen_fds, size_t listener_count,
                       int http_fd);
/* A reload has other listeners: new ones on these descriptors, of which copies are made; -1 where one stays, or is gone. */
void kept_sockets_follow(struct kept_sockets *sockets, const struct config *config,
                         const int *listen_fds, int http_fd);
/* Calls it with each that there is, and its address; the descriptor stays ours. Ends, and returns false, when it does. */
bool kept_sockets_each(struct kept_sockets *sockets,
                       bool (*give)(void *arg, const char *address, int fd), void *arg);
/* A copy of the web server's, the caller's; -1: there is none. */
int kept_sockets_http(struct kept_sockets *sockets);
void kept_sockets_close(struct kept_sockets *sockets);

#endif
