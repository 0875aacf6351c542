/* kept_sockets: see the header. */
#include "ops/kept_sockets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int copy_of(int fd)
{
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int *new_fds(size_t count)
{
    int *fds = calloc(count, sizeof(int));
    if (!fds)
        abort();
    return fds;
}

static void close_all(struct kept_sockets *k)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->fds[i] >= 0)
            close(k->fds[i]);
    free(k->fds);
}

void kept_sockets_init(struct kept_sockets *k, const int *listen_fds, size_t listener_count,
                       int http_fd)
{
    pthread_mutex_init(&k->mutex, NULL);
    k->count = listener_count + 1;
    k->fds = new_fds(k->count);
    for (size_t i = 0; i < listener_count; i++)
        k->fds[i] = copy_of(listen_fds[i]);
    k->fds[listener_count] = copy_of(http_fd);
}

/* The listener's, which is not closed with the others then. */
static int take(struct kept_sockets *k, const struct address *address)
{
    struct address at;
    for (size_t i = 0; i + 1 < k->count; i++) {
        int fd = k->fds[i];
        if (fd < 0 || address_of_socket(&at, fd, false) != 0 || !address_equal(&at, address))
            continue;
        k->fds[i] = -1;
        return fd;
    }
    return -1;
}

static int next_http(struct kept_sockets *k, const struct config *config, int http_fd)
{
    int *old = &k->fds[k->count - 1], fd = *old;
    if (http_fd >= 0 || !config->http.len)
        return copy_of(http_fd);
    *old = -1;
    return fd;
}

void kept_sockets_follow(struct kept_sockets *k, const struct config *config, const int *listen_fds,
                         int http_fd)
{
    const struct traffic_options *options = &config->traffic;
    size_t count = options->listener_count + 1;
    int *fds = new_fds(count);
    pthread_mutex_lock(&k->mutex);
    for (size_t i = 0; i + 1 < count; i++)
        fds[i] =
            listen_fds[i] >= 0 ? copy_of(listen_fds[i]) : take(k, &options->listeners[i].address);
    fds[count - 1] = next_http(k, config, http_fd);
    close_all(k);
    k->fds = fds;
    k->count = count;
    pthread_mutex_unlock(&k->mutex);
}

bool kept_sockets_each(struct kept_sockets *k, bool (*give)(void *arg, const char *address, int fd),
                       void *arg)
{
    char text[ENDPOINT_TEXT_MAX];
    struct address at;
    bool good = true;
    pthread_mutex_lock(&k->mutex);
    for (size_t i = 0; i < k->count && good; i++)
        if (k->fds[i] >= 0 && address_of_socket(&at, k->fds[i], false) == 0)
            good = give(arg, address_format(text, sizeof(text), &at), k->fds[i]);
    pthread_mutex_unlock(&k->mutex);
    return good;
}

int kept_sockets_http(struct kept_sockets *k)
{
    pthread_mutex_lock(&k->mutex);
    int fd = copy_of(k->fds[k->count - 1]);
    pthread_mutex_unlock(&k->mutex);
    return fd;
}

void kept_sockets_close(struct kept_sockets *k)
{
    close_all(k);
    pthread_mutex_destroy(&k->mutex);
}
