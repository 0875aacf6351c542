/* channel: see the header. */
#include "net/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int new_socket(struct sockaddr_un *at, const char *path)
{
    int fd;
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(at->sun_path))
        return -ENAMETOOLONG;
    memcpy(at->sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int closed(int fd, int error)
{
    close(fd);
    return -error;
}

int channel_connect(const char *path)
{
    struct sockaddr_un at;
    int fd = new_socket(&at, path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        return closed(fd, errno);
    return fd;
}

/* Makes room for a socket at this path, unless something else is there. */
static int clear_path(const char *path, bool replace)
{
    struct stat there;
    int fd;
    if (lstat(path, &there) != 0)
        return 0;
    if (!S_ISSOCK(there.st_mode))
        return -EEXIST;
    fd = replace ? -1 : channel_connect(path);
    if (fd >= 0)
        return closed(fd, EADDRINUSE);
    return unlink(path) == 0 ? 0 : -errno;
}

int channel_listen(const char *path, bool replace)
{
    struct sockaddr_un at;
    mode_t mask;
    int status, error = clear_path(path, replace);
    int fd = error ? error : new_socket(&at, path);
    if (fd < 0)
        return fd;
    mask = umask(0177);
    status = bind(fd, (struct sockaddr *)&at, sizeof(at));
    error = errno;
    umask(mask);
    if (status != 0)
        return closed(fd, error);
    if (listen(fd, 4) != 0)
        return closed(fd, errno);
    return fd;
}

bool channel_peer_is_ours(int channel, pid_t *pid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    *pid = peer.pid;
    return peer.uid == geteuid() || peer.uid == 0;
}

void channel_set_patience(int channel, int ms)
{
    struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};

int channel_send(int channel, const void *bytes, size_t len, const int *fds, int fd_count,
                 bool wait)
{
    struct iovec part = {(void *)bytes, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control = {0};
    if (fd_count > 0) {
        size_t size = (size_t)fd_count * sizeof(int);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(head), fds, size);
    }
    while (sendmsg(channel, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static void take_fds(struct msghdr *message, int *fds, int *fd_count)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= head->cmsg_len; at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + at, sizeof(fd));
            if (*fd_count < CHANNEL_FDS_MAX)
                fds[(*fd_count)++] = fd;
            else
                close(fd);
        }
    }
}

ssize_t channel_receive(int channel, void *into, size_t size, int *fds, int *fd_count)
{
    struct iovec part = {into, size};
    union control control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t n;
    *fd_count = 0;
    do
        n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET)); /* said once, before what it sent */
    if (n < 0)
        return -errno;
    take_fds(&message, fds, fd_count);
    if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return n;
    while (*fd_count > 0)
        close(fds[--*fd_count]);
    return -EMSGSIZE;
}
