/* handed_sockets: see the header. */
#include "ops/handed_sockets.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

struct handed_socket {
    int fd; /* -1: taken */
    char *name;
};

struct handed_sockets {
    size_t count;
    struct handed_socket each[];
};

/* Where it is bound, for people. */
static const char *place_of(char *out, size_t size, int fd)
{
    struct sockaddr_un path = {0};
    struct address address;
    socklen_t len = sizeof(path);

    if (getsockname(fd, (struct sockaddr *)&path, &len) != 0)
        snprintf(out, size, "no socket");
    else if (path.sun_family == AF_UNIX)
        snprintf(out, size, "%.*s", (int)sizeof(path.sun_path), path.sun_path);
    else if (address_of_socket(&address, fd, false) == 0 &&
             (address.sa.any.sa_family == AF_INET || address.sa.any.sa_family == AF_INET6))
        address_format(out, size, &address);
    else
        snprintf(out, size, "family %d", path.sun_family);
    return out;
}

static void complain(const struct handed_socket *socket, const char *what)
{
    char place[sizeof(struct sockaddr_un)], quoted[2 * sizeof(place)], name[300];

    log_event(LOG_ERROR, what, "descriptor=%d name=%s bound=%s", socket->fd,
              log_quote(name, sizeof(name), socket->name),
              log_quote(quoted, sizeof(quoted), place_of(place, sizeof(place), socket->fd)));
}

static bool listens(int fd)
{
    return sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
}

static void set_up(struct handed_socket *socket)
{
    int flags = fcntl(socket->fd, F_GETFL);

    if (listens(socket->fd) && flags >= 0 && fcntl(socket->fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
        fcntl(socket->fd, F_SETFD, FD_CLOEXEC) == 0)
        return;
    complain(socket, "what was handed in is no listening stream socket: ListenStream= makes one");
    close(socket->fd);
    socket->fd = -1;
}

struct handed_sockets *handed_sockets_new(void)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    size_t some = count > 0 ? (size_t)count : 0;
    struct handed_sockets *handed = calloc(1, sizeof(*handed) + some * sizeof(handed->each[0]));

    if (!handed)
        abort();
    if (count < 0)
        log_event(LOG_ERROR, "LISTEN_FDS cannot be read: all addresses are bound here",
                  "error=\"%s\"", strerror(-count));
    handed->count = some;
    for (size_t i = 0; i < some; i++) {
        handed->each[i] =
            (struct handed_socket){.fd = SD_LISTEN_FDS_START + (int)i, .name = names[i]};
        set_up(&handed->each[i]);
    }
    free(names); /* the names themselves are kept */
    return handed;
}

/* ---- whose is it? ---- */

typedef bool belongs(int fd, const void *wanted);

static bool is_bound_to(int fd, const void *wanted)
{
    struct address address;

    return address_of_socket(&address, fd, false) == 0 &&
           address.sa.any.sa_family == ((const struct address *)wanted)->sa.any.sa_family &&
           address_equal(&address, wanted);
}

static bool is_at_path(int fd, const void *wanted)
{
    return sd_is_socket_unix(fd, SOCK_STREAM, 1, wanted, 0) > 0;
}

static bool is_internet(int fd)
{
    return sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0;
}

/* A name is good for a socket of the right family only. */
static struct handed_socket *find(struct handed_sockets *handed, bool internet, belongs *bound_to,
                                  const void *wanted, const char *name)
{
    struct handed_socket *found = NULL;

    for (size_t i = 0; i < handed->count; i++) {
        struct handed_socket *one = &handed->each[i];
        if (one->fd < 0 || is_internet(one->fd) != internet)
            continue;
        if (name && strcmp(one->name, name) == 0)
            return one;
        if (!found && bound_to(one->fd, wanted))
            found = one;
    }
    return found;
}

static int give(struct handed_socket *socket)
{
    int fd = socket ? socket->fd : -1;
    char place[sizeof(struct sockaddr_un)];

    if (!socket)
        return -1;
    log_event(LOG_INFO, "a listening socket was handed in", "address=%s name=%s",
              place_of(place, sizeof(place), fd), socket->name);
    socket->fd = -1;
    return fd;
}

int handed_sockets_take(struct handed_sockets *handed, const struct address *address,
                        const char *name)
{
    return give(find(handed, true, is_bound_to, address, name));
}

int handed_sockets_take_path(struct handed_sockets *handed, const char *path, const char *name)
{
    return give(find(handed, false, is_at_path, path, name));
}

void handed_sockets_free(struct handed_sockets *handed)
{
    if (!handed)
        return;
    for (size_t i = 0; i < handed->count; i++) {
        if (handed->each[i].fd >= 0) {
            complain(&handed->each[i], "a socket was handed in that no line of the configuration "
                                       "names: add [listen], or take it out of the .socket unit");
            close(handed->each[i].fd);
        }
        free(handed->each[i].name);
    }
    free(handed);
}
