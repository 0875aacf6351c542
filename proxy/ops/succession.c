/* succession: the old process, from which another one takes over. See ops/takeover.h. */
#include "ops/takeover.h"

#include "base/log.h"
#include "net/channel.h"
#include "ops/kept_sockets.h"
#include "worker/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The new process has so long until it serves. */
#define STARTING_MS 60000
#define TEXT_MAX_LEN 128
/* The new process opens its own door at the same path before the old one ends. */
#define FAREWELL_S 2

extern char **environ;

/* What the thread is told: a channel to a process that was started, a door, or, -1, the end. */
struct letter {
    bool is_door;
    int fd;
};

struct succession {
    struct succession_options options;
    struct workers *workers;
    char program[4096]; /* our own path, as it was at the start: a new version may be there now */
    struct kept_sockets sockets;
    int door;    /* where new processes come, the thread's; -1: there is none */
    int mail[2]; /* from other threads: struct letter */
    pthread_t thread;
    bool started;
    atomic_bool open; /* before that it is the one who takes over */
    atomic_int state; /* enum succession_state */
    atomic_int pid, child;
    pthread_mutex_t mutex;            /* over the next one, */
    struct handover_channel *channel; /* with whom the thread speaks; NULL: with nobody */
    atomic_bool stopping;
};

static bool say(const struct handover_channel *channel, const char *text, const int *fd)
{
    return channel_send(channel->fd, text, strlen(text), fd, fd ? 1 : 0, true) == 0;
}

/* Returns false when the other side has gone, or says nothing. */
static bool hear(const struct handover_channel *channel, char *text, size_t size)
{
    int fds[CHANNEL_FDS_MAX], fd_count;
    ssize_t n = channel_receive(channel->fd, text, size - 1, fds, &fd_count);
    while (fd_count > 0)
        close(fds[--fd_count]);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* ---- the conversation ---- */

static bool greet(const struct handover_channel *channel)
{
    char text[TEXT_MAX_LEN];
    int version;
    if (!hear(channel, text, sizeof(text)))
        return false;
    if (sscanf(text, "hello %d", &version) == 1 && version == TAKEOVER_VERSION)
        return true;
    log_event(LOG_WARN, "who wants to take over speaks another version", "");
    (void)say(channel, "no it speaks another version of the takeover: stop the old one", NULL);
    return false;
}

static bool give_one(void *channel, const char *address, int fd)
{
    char text[TEXT_MAX_LEN];
    snprintf(text, sizeof(text), "listener %.100s", address);
    return say(channel, text, &fd);
}

static bool give_sockets(struct succession *s, struct handover_channel *channel)
{
    char text[TEXT_MAX_LEN];
    if (!kept_sockets_each(&s->sockets, give_one, channel))
        return false;
    snprintf(text, sizeof(text), "go %" PRIu64, workers_accepted(s->workers));
    return say(channel, text, NULL);
}

static void enter(struct succession *s, enum succession_state state)
{
    atomic_store(&s->state, (int)state);
    kill(getpid(), SUCCESSION_SIGNAL);
}

static void hand_over(struct succession *s, struct handover_channel *channel)
{
    char text[TEXT_MAX_LEN];
    uint64_t id;
    log_event(LOG_INFO, "another process takes over", "pid=%d", atomic_load(&s->pid));
    enter(s, SUCCESSION_GOING);
    workers_hand_over(s->workers, channel);
    while (hear(channel, text, sizeof(text))) {
        if (sscanf(text, "taken %" SCNu64, &id) == 1)
            workers_handed(s->workers, id, true);
        else if (sscanf(text, "refused %" SCNu64, &id) == 1)
            workers_handed(s->workers, id, false);
    }
    if (atomic_load(&s->stopping))
        return;
    log_event(LOG_ERROR, "who took over has gone: what is here stays here, and is accepted again",
              "pid=%d", atomic_load(&s->pid));
    workers_keep(s->workers);
    enter(s, SUCCESSION_NONE);
}

static void converse(struct succession *s, struct handover_channel *channel)
{
    char text[TEXT_MAX_LEN];
    channel_set_patience(channel->fd, STARTING_MS);
    if (!greet(channel) || !give_sockets(s, channel))
        return;
    if (!hear(channel, text, sizeof(text)) || strcmp(text, "serving") != 0) {
        if (!atomic_load(&s->stopping))
            log_event(LOG_ERROR,
                      "who wanted to take over has gone before it served: all goes on here", "");
        return;
    }
    channel_set_patience(channel->fd, 0);
    hand_over(s, channel);
}

/* ---- the thread ---- */

static void set_channel(struct succession *s, struct handover_channel *channel)
{
    pthread_mutex_lock(&s->mutex);
    s->channel = channel;
    if (channel && atomic_load(&s->stopping))
        shutdown(channel->fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->mutex);
}

static void speak_with(struct succession *s, int fd, pid_t pid)
{
    struct handover_channel *channel = handover_channel_new(fd);
    atomic_store(&s->pid, pid);
    set_channel(s, channel);
    converse(s, channel);
    set_channel(s, NULL);
    handover_channel_leave(channel);
    if (atomic_load(&s->child) > 0 && waitpid(atomic_load(&s->child), NULL, WNOHANG) > 0)
        atomic_store(&s->child, 0);
}

static void let_in(struct succession *s)
{
    pid_t pid = 0;
    int fd = accept4(s->door, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (channel_peer_is_ours(fd, &pid)) {
        speak_with(s, fd, pid);
        return;
    }
    log_event(LOG_WARN, "another user wanted to take over", "pid=%d", (int)pid);
    close(fd);
}

/* Returns false for the end. */
static bool read_letter(struct succession *s)
{
    struct letter letter;
    if (read(s->mail[0], &letter, sizeof(letter)) != sizeof(letter) || letter.fd < 0)
        return false;
    if (letter.is_door)
        s->door = letter.fd;
    else
        speak_with(s, letter.fd, atomic_load(&s->child));
    return true;
}

static void *run(void *arg)
{
    struct succession *s = arg;
    while (!atomic_load(&s->stopping)) {
        struct pollfd fds[] = {{.fd = s->mail[0], .events = POLLIN},
                               {.fd = s->door, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents && !read_letter(s))
            return NULL;
        if (!fds[0].revents && fds[1].revents)
            let_in(s);
    }
    return NULL;
}

static bool post(struct succession *s, bool is_door, int fd)
{
    struct letter letter;
    memset(&letter, 0, sizeof(letter));
    letter.is_door = is_door;
    letter.fd = fd;
    return write(s->mail[1], &letter, sizeof(letter)) == sizeof(letter);
}

/* ---- its life ---- */

void succession_follow(struct succession *s, const struct config *config, const int *listen_fds,
                       int http_fd)
{
    if (s)
        kept_sockets_follow(&s->sockets, config, listen_fds, http_fd);
}

struct succession *succession_new(const struct succession_options *options)
{
    struct succession *s = calloc(1, sizeof(*s));
    ssize_t len;
    if (!s)
        abort();
    s->options = *options;
    s->options.takeover = options->takeover ? strdup(options->takeover) : NULL;
    pthread_mutex_init(&s->mutex, NULL);
    kept_sockets_init(&s->sockets, options->listen_fds, options->listener_count, options->http_fd);
    len = readlink("/proc/self/exe", s->program, sizeof(s->program) - 1);
    s->program[len > 0 ? len : 0] = '\0';
    s->door = s->mail[0] = s->mail[1] = -1;
    return s;
}

void succession_start(struct succession *s, struct workers *workers)
{
    s->workers = workers;
    s->started = pipe2(s->mail, O_CLOEXEC) == 0 && pthread_create(&s->thread, NULL, run, s) == 0;
    if (!s->started)
        log_event(LOG_ERROR, "no descriptors, or no thread: nobody can take over", "");
}

void succession_open(struct succession *s, bool replace)
{
    const char *path = s->options.takeover;
    int fd = path && s->started ? channel_listen(path, replace) : -1;
    if (path && fd < 0)
        log_event(LOG_ERROR, "nobody can take over there: choose a path that can be written",
                  "takeover=%s error=\"%s\"", path, strerror(-fd));
    atomic_store(&s->open, true);
    if (fd >= 0 && !post(s, true, fd))
        close(fd);
}

/* Our own arguments; the channel is told by the environment. */
static int spawn(struct succession *s, int channel, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char number[16];
    sigset_t none;
    int error;
    sigemptyset(&none);
    snprintf(number, sizeof(number), "%d", channel);
    if (setenv("REDISPROXY_SUCCEEDS", number, 1) != 0 ||
        unsetenv("WATCHDOG_PID") != 0) /* the watchdog that this one feeds is that one's then */
        return errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, channel, channel); /* not closed on exec there */
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    error = posix_spawn(pid, s->program, &actions, &attributes, s->options.argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    unsetenv("REDISPROXY_SUCCEEDS");
    return error;
}

void succession_spawn(struct succession *s)
{
    int pair[2], error;
    pid_t pid = 0;
    if (!s || !s->started || !atomic_load(&s->open) || succession_state(s) == SUCCESSION_GOING)
        return;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        log_event(LOG_ERROR, "the new process cannot be started", "error=\"%s\"", strerror(errno));
        return;
    }
    error = spawn(s, pair[1], &pid);
    close(pair[1]);
    if (error) {
        log_event(LOG_ERROR, "the new process cannot be started: all goes on here",
                  "program=%s error=\"%s\"", s->program, strerror(error));
        close(pair[0]);
        return;
    }
    log_event(LOG_INFO, "a new process is started to take over", "program=%s pid=%d", s->program,
              (int)pid);
    atomic_store(&s->child, pid);
    if (!post(s, false, pair[0]))
        close(pair[0]);
}

enum succession_state succession_state(const struct succession *s)
{
    return (enum succession_state)atomic_load(&s->state);
}

pid_t succession_pid(const struct succession *s)
{
    return atomic_load(&s->pid);
}

int succession_http_socket(struct succession *s)
{
    return kept_sockets_http(&s->sockets);
}

/* The other side opens its own door, and closes. */
static bool has_said_farewell(struct succession *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FAREWELL_S;
    return pthread_timedjoin_np(s->thread, NULL, &until) == 0;
}

static void end_conversation(struct succession *s, bool done)
{
    pthread_mutex_lock(&s->mutex);
    atomic_store(&s->stopping, true);
    if (s->channel && done)
        (void)say(s->channel, "done", NULL);
    if (s->channel)
        shutdown(s->channel->fd, done ? SHUT_WR : SHUT_RDWR);
    pthread_mutex_unlock(&s->mutex);
    (void)post(s, false, -1);
}

static void stop_thread(struct succession *s, bool done)
{
    end_conversation(s, done);
    if (done && has_said_farewell(s))
        return;
    if (done)
        end_conversation(s, false);
    pthread_join(s->thread, NULL);
}

void succession_stop(struct succession *s, bool done)
{
    if (!s)
        return;
    if (s->started)
        stop_thread(s, done);
    kept_sockets_close(&s->sockets);
    if (s->door >= 0)
        close(s->door);
    if (s->door >= 0 && !done)
        (void)unlink(s->options.takeover);
    for (int i = 0; i < 2; i++)
        if (s->mail[i] >= 0)
            close(s->mail[i]);
    pthread_mutex_destroy(&s->mutex);
    free((char *)s->options.takeover);
    free(s);
}
