/* takeover: the new process. See the header. */
#include "ops/takeover.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/channel.h"
#include "ops/admin.h"
#include "session/move.h"
#include "topology/topology.h"
#include "worker/handover.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The old process answers at once; it may be busy. */
#define ANSWER_MS 10000
/* Without a master for so long, it takes over nevertheless: the old one has none either. */
#define SERVING_MS 10000
#define LOOK_MS 5
/* Numbers that the old process may still give to clients until it accepts nobody any more. */
#define NUMBERS_LEFT ((uint64_t)1 << 20)

struct taken_socket {
    struct address address;
    int fd; /* -1: used */
};

struct takeover {
    const struct config *config;
    struct handover_channel *channel;
    struct taken_socket *sockets;
    size_t socket_count;
    uint64_t clients;
    struct workers *workers;
    struct board *board;
    struct succession *succession;
    pthread_t thread;
    bool started;
    atomic_bool going, stopping;
    char message[SESSION_PACKED_MAX + 1];
};

/* ---- the old process' sockets ---- */

static int channel_of(const struct config *config, bool wanted)
{
    const char *inherited = getenv("REDISPROXY_SUCCEEDS");
    char *end;
    if (inherited) {
        long fd = strtol(inherited, &end, 10);
        bool good = *inherited && !*end && fd > 2 && fd < 1 << 20;
        (void)unsetenv("REDISPROXY_SUCCEEDS");
        return good ? (int)fd : -EBADF;
    }
    if (!wanted)
        return -ENOENT;
    return config->takeover ? channel_connect(config->takeover) : -EINVAL;
}

static void keep_socket(struct takeover *t, const char *text, int fd)
{
    struct taken_socket one = {.fd = fd};
    if (address_of_socket(&one.address, fd, false) != 0) {
        close(fd);
        return;
    }
    log_event(LOG_DEBUG, "a listening socket was handed over", "address=%s", text);
    t->sockets = reallocarray(t->sockets, t->socket_count + 1, sizeof(one));
    if (!t->sockets)
        abort();
    t->sockets[t->socket_count++] = one;
}

/* A message that is text. Returns its length, or what channel_receive() returns. */
static ssize_t hear(struct takeover *t, int *fds, int *fd_count)
{
    ssize_t n = channel_receive(t->channel->fd, t->message, sizeof(t->message) - 1, fds, fd_count);
    t->message[n > 0 ? n : 0] = '\0';
    return n;
}

static bool say(const struct takeover *t, const char *text)
{
    return channel_send(t->channel->fd, text, strlen(text), NULL, 0, true) == 0;
}

static void close_all(const int *fds, int fd_count)
{
    for (int i = 0; i < fd_count; i++)
        close(fds[i]);
}

/* Returns NULL, or what went wrong. */
static const char *get_sockets(struct takeover *t)
{
    char hello[32];
    int fds[CHANNEL_FDS_MAX], fd_count;
    snprintf(hello, sizeof(hello), "hello %d", TAKEOVER_VERSION);
    if (!say(t, hello))
        return "the old process has gone";
    for (;;) {
        ssize_t n = hear(t, fds, &fd_count);
        if (n <= 0)
            return n == 0 ? "the old process has gone" : strerror((int)-n);
        if (strncmp(t->message, "listener ", 9) == 0 && fd_count == 1) {
            keep_socket(t, t->message + 9, fds[0]);
            continue;
        }
        close_all(fds, fd_count);
        if (sscanf(t->message, "go %" SCNu64, &t->clients) == 1)
            return NULL;
        return strncmp(t->message, "no ", 3) == 0 ? t->message + 3
                                                  : "the old process says what is not understood";
    }
}

int takeover_begin(struct takeover **out, const struct config *config, bool wanted)
{
    int fd = channel_of(config, wanted);
    struct takeover *t;
    const char *why;
    char quoted[300];
    *out = NULL;
    if (fd == -ENOENT || fd == -ECONNREFUSED) {
        if (wanted)
            log_event(LOG_INFO, "there is no process to take over from", "socket=%s",
                      config->takeover ? config->takeover : "-");
        return 0;
    }
    if (fd < 0) {
        log_event(LOG_ERROR,
                  fd == -EINVAL ? "--takeover: set takeover = PATH in [proxy], in the old process' "
                                  "configuration, too; or send that one SIGUSR2"
                                : "the old process cannot be reached",
                  "error=\"%s\"", strerror(-fd));
        return -1;
    }
    t = calloc(1, sizeof(*t));
    if (!t)
        abort();
    t->config = config;
    t->channel = handover_channel_new(fd);
    channel_set_patience(fd, ANSWER_MS);
    why = get_sockets(t);
    if (!why) {
        log_event(LOG_INFO, "takes over from another process", "sockets=%zu", t->socket_count);
        *out = t;
        return 0;
    }
    log_event(LOG_ERROR, "the old process cannot be taken over from, and goes on", "reason=%s",
              log_quote(quoted, sizeof(quoted), why));
    takeover_free(t);
    return -1;
}

int takeover_socket(struct takeover *t, const struct address *address)
{
    for (size_t i = 0; t && i < t->socket_count; i++) {
        struct taken_socket *one = &t->sockets[i];
        int fd = one->fd;
        if (fd < 0 || one->address.sa.any.sa_family != address->sa.any.sa_family ||
            !address_equal(&one->address, address))
            continue;
        one->fd = -1;
        return fd;
    }
    return -1;
}

uint64_t takeover_clients_before(const struct takeover *t)
{
    return t ? t->clients + NUMBERS_LEFT : 0;
}

/* ---- its sessions ---- */

static bool every_group_has_a_master(struct board *board)
{
    struct topology *topology = board_acquire(board);
    bool all = topology != NULL;
    for (size_t i = 0; topology && i < topology->group_count; i++)
        all &= topology->groups[i].master >= 0 && topology->groups[i].writable;
    if (topology)
        topology_release(topology);
    return all;
}

static void wait_until_serving(struct takeover *t)
{
    int64_t until = clock_ms() + SERVING_MS;
    while (
        clock_ms() < until && !atomic_load(&t->stopping) &&
        (!every_group_has_a_master(t->board) || workers_adopted(t->workers) < board_seq(t->board)))
        usleep(LOOK_MS * 1000);
}

static const struct traffic_listener_options *find_listener(const struct takeover *t,
                                                            const struct address *address)
{
    const struct traffic_options *options = &t->config->traffic;
    for (size_t i = 0; i < options->listener_count; i++)
        if (address_equal(&options->listeners[i].address, address))
            return &options->listeners[i];
    return NULL;
}

static void take(struct takeover *t, size_t len, const int *fds, int fd_count)
{
    const struct traffic_listener_options *listener;
    struct session_head head;
    if (!session_read_head((struct slice){t->message, len}, &head) || fd_count < 1 ||
        fd_count > 2) {
        log_event(LOG_WARN, "what the old process sends is no session", "");
        close_all(fds, fd_count);
        return;
    }
    listener = find_listener(t, &head.listener);
    if (listener) {
        workers_take(t->workers, t->channel, listener, head.id, t->message, len, fds, fd_count);
        return;
    }
    close_all(fds, fd_count);
    (void)handover_tell(t->channel, head.id, false);
}

static void *serve(void *arg)
{
    struct takeover *t = arg;
    int fds[CHANNEL_FDS_MAX], fd_count;
    bool done = false;
    ssize_t n;
    wait_until_serving(t);
    channel_set_patience(t->channel->fd, 0);
    if (!say(t, "serving"))
        log_event(LOG_WARN, "the old process has gone", "");
    while ((n = hear(t, fds, &fd_count)) > 0 || n == -EMSGSIZE) {
        if (n > 0 && t->message[0] == '*')
            take(t, (size_t)n, fds, fd_count);
        else if (n > 0)
            close_all(fds, fd_count);
        done |= n > 0 && strcmp(t->message, "done") == 0;
        explicit_bzero(t->message, n > 0 ? (size_t)n : 0);
    }
    log_event(done ? LOG_INFO : LOG_WARN,
              done ? "all sessions are taken over" : "the old process has gone",
              "taken=%zu refused=%zu", atomic_load(&t->channel->taken),
              atomic_load(&t->channel->refused));
    if (!atomic_load(&t->stopping)) {
        admin_replace(t->config);
        succession_open(t->succession, true);
    }
    shutdown(t->channel->fd, SHUT_RDWR); /* the old process waits for that */
    atomic_store(&t->going, false);
    return NULL;
}

void takeover_serve(struct takeover *t, struct workers *workers, struct board *board,
                    struct succession *succession)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->socket_count; i++)
        if (t->sockets[i].fd >= 0)
            close(t->sockets[i].fd); /* nothing is configured there any more */
    t->socket_count = 0;
    t->workers = workers;
    t->board = board;
    t->succession = succession;
    atomic_store(&t->going, true);
    t->started = pthread_create(&t->thread, NULL, serve, t) == 0;
    if (!t->started)
        log_event(LOG_ERROR, "no thread for taking over: the old process goes on", "");
}

bool takeover_goes_on(const struct takeover *t)
{
    return t && t->started && atomic_load(&t->going);
}

void takeover_stop(struct takeover *t)
{
    if (!t || !t->started)
        return;
    atomic_store(&t->stopping, true);
    handover_channel_abandon(t->channel);
    pthread_join(t->thread, NULL);
    t->started = false;
}

void takeover_free(struct takeover *t)
{
    if (!t)
        return;
    takeover_stop(t);
    for (size_t i = 0; i < t->socket_count; i++)
        if (t->sockets[i].fd >= 0)
            close(t->sockets[i].fd);
    handover_channel_leave(t->channel);
    free(t->sockets);
    free(t);
}
