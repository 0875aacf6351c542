/*
 * link: see link.h.
 */
#include "harness/link.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FDS = 256 };

static int open_process(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int borrow(int process, int fd)
{
    return (int)syscall(SYS_pidfd_getfd, process, fd, 0);
}

static bool set_filter(int fd, bool stalled)
{
    struct sock_filter drop = {.code = BPF_RET | BPF_K, .k = 0};
    struct sock_fprog filter = {.len = 1, .filter = &drop};
    int none = 0;
    if (stalled)
        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0;
    return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) == 0;
}

static bool leads_to(int fd, const char *host, int port)
{
    struct sockaddr_in peer = {.sin_family = AF_UNSPEC};
    socklen_t len = sizeof(peer);
    return getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
           ntohs(peer.sin_port) == port && peer.sin_addr.s_addr == inet_addr(host);
}

int link_stall(pid_t child, const char *host, int port, bool stalled)
{
    int done = 0, failed = 0, process = open_process(child);
    for (int i = 0; process >= 0 && i < FDS; i++) {
        int fd = borrow(process, i);
        if (fd < 0)
            continue;
        if (leads_to(fd, host, port))
            *(set_filter(fd, stalled) ? &done : &failed) += 1;
        close(fd);
    }
    close(process);
    return done == 1 && !failed ? 0 : -1;
}

/* Tried on a child of its own, which has a socket and waits. */
const char *link_refused(void)
{
    int ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), process = -1, fd = -1;
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    if (child > 0)
        process = open_process(child);
    if (process >= 0)
        fd = borrow(process, ours);
    bool allowed = fd >= 0 && set_filter(fd, true);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    close(fd);
    close(process);
    close(ours);
    return allowed ? NULL : "this machine does not let a process stall another one's connection";
}
