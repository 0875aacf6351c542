/*
 * admin: a Unix socket on which a running proxy is asked and told, by "redisproxy ctl" or by anybody who speaks the
 * protocol (admin_call.h): one line of request, one line of answer, the end. On a thread of its own: it answers while the
 * proxy drains, holds, or has as many clients as it may.
 *
 * Who may is a matter of the socket's mode: 0600, or 0660 for a group; and it is asked of the kernel once more for each
 * connection (SO_PEERCRED). There is a bounded number of connections, each with a deadline.
 */
#ifndef REDISPROXY_OPS_ADMIN_H
#define REDISPROXY_OPS_ADMIN_H

#include "ops/admin_call.h"

/* Where it listens. */
struct admin_socket {
    int fd;         /* -1: there is none */
    char path[108]; /* as long as the kernel takes them */
    unsigned long long device,
        inode;   /* of the file, which is removed in the end if it is still that one */
    gid_t group; /* who may besides the proxy's user and root; (gid_t)-1: nobody */
};

/* Binds what the configuration says, before there are threads: mode and group are right from the first moment. A file that
 * a dead process left behind is replaced; one that is listened to is not. A process that takes over from another one
 * (`replaces`) listens beside that one's path until admin_replace(). Returns 0 (the path may be "off", or a default
 * that cannot be used: then there is no socket), or -1 after logging what is wrong and how to mend it. */
int admin_bind(struct admin_socket *socket, const struct config *config, bool replaces)
    __attribute__((warn_unused_result));
/* The other process has gone, or has nothing left: the socket takes its path, where there is one at every moment. Any
 * thread. */
void admin_replace(const struct config *config);
/* Closes it, and removes the file. */
void admin_unbind(struct admin_socket *socket);

/* Whether this peer may: the socket's mode has let it in, but a file's mode is easily changed by mistake. Any thread. */
struct ucred;
bool admin_socket_admits(const struct admin_socket *socket, int fd, const struct ucred *peer);

struct admin;

/* Starts the thread, which has the socket from now on, until admin_stop(). Returns NULL after logging why. */
struct admin *admin_start(struct admin_socket *socket, const struct admin_sources *sources)
    __attribute__((warn_unused_result));
/* Another configuration, with the groups at the indices that they had; from when admin_follows() says so the one before is
 * not needed any more. Any thread but the admin's, one at a time. Without an admin thread it is followed at once. */
void admin_follow(struct admin *admin, const struct config *config);
bool admin_follows(const struct admin *admin, const struct config *config);
/* The proxy drains: asked for that again, it says so. Any thread. NULL is allowed, here and below. */
void admin_draining(struct admin *admin);
/* Ends what goes on, closes every connection and joins the thread. The workers and the control plane still run. */
void admin_stop(struct admin *admin);
/* When they have ended, too. */
void admin_free(struct admin *admin);

#endif
