/*
 * balancer: see balancer.h. One thread accepts; each connection has a thread that copies both ways.
 */
#include "harness/balancer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS_MAX = 512 };

struct pair {
    struct balancer *balancer;
    pthread_t thread;
    int fd[2]; /* the client's, the target's; -1: closed */
    bool used, over;
};

struct balancer {
    pthread_t thread;
    pthread_mutex_t lock;
    int door;
    struct balancer_target target[BALANCER_TARGETS_MAX];
    bool use[BALANCER_TARGETS_MAX];
    long passed[BALANCER_TARGETS_MAX], failures;
    int count, next;
    struct pair pair[PAIRS_MAX];
};

static int open_to(const char *host, int port, bool listens)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, host, &at.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    int error = listens ? bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 512)
                        : connect(fd, (struct sockaddr *)&at, sizeof(at));
    if (!error)
        return fd;
    close(fd);
    return -1;
}

static bool send_all(int fd, const char *bytes, ssize_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, (size_t)len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

/* Copies what is there. Returns whether this side goes on. */
static bool copy(int from, int to)
{
    char bytes[16384];
    ssize_t n = recv(from, bytes, sizeof(bytes), 0);
    if (n > 0)
        return send_all(to, bytes, n);
    shutdown(to, SHUT_WR);
    return false;
}

static void *run_pair(void *arg)
{
    struct pair *pair = arg;
    struct pollfd at[2] = {{.fd = pair->fd[0], .events = POLLIN},
                           {.fd = pair->fd[1], .events = POLLIN}};
    while (at[0].fd >= 0 || at[1].fd >= 0) {
        if (poll(at, 2, -1) < 0)
            continue;
        for (int i = 0; i < 2; i++)
            if (at[i].fd >= 0 && at[i].revents && !copy(pair->fd[i], pair->fd[1 - i]))
                at[i].fd = -1;
    }
    pthread_mutex_lock(&pair->balancer->lock);
    close(pair->fd[0]);
    close(pair->fd[1]);
    pair->fd[0] = pair->fd[1] = -1;
    pair->over = true;
    pthread_mutex_unlock(&pair->balancer->lock);
    return NULL;
}

/* The lock is held. */
static struct pair *free_pair(struct balancer *b)
{
    for (int i = 0; i < PAIRS_MAX; i++) {
        struct pair *pair = &b->pair[i];
        if (pair->used && !pair->over)
            continue;
        if (pair->used)
            pthread_join(pair->thread, NULL); /* it has nothing more to do */
        *pair = (struct pair){.balancer = b};
        return pair;
    }
    return NULL;
}

/* The lock is held. Tries each target once. Returns the descriptor, or -1. */
static int choose(struct balancer *b)
{
    for (int tried = 0; tried < b->count; tried++) {
        int i = b->next++ % b->count;
        if (!b->use[i])
            continue;
        int fd = open_to(b->target[i].host, b->target[i].port, false);
        b->passed[i] += fd >= 0;
        b->failures += fd < 0;
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static void *run_door(void *arg)
{
    struct balancer *b = arg;
    int fd, yes = 1;
    while ((fd = accept4(b->door, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        pthread_mutex_lock(&b->lock);
        int target = choose(b);
        struct pair *pair = target >= 0 ? free_pair(b) : NULL;
        if (pair) {
            pair->used = true;
            pair->fd[0] = fd;
            pair->fd[1] = target;
            pthread_create(&pair->thread, NULL, run_pair, pair);
        } else {
            close(fd);
            if (target >= 0)
                close(target);
        }
        pthread_mutex_unlock(&b->lock);
    }
    return NULL;
}

struct balancer *balancer_start(const char *host, int port, const struct balancer_target *targets,
                                int count)
{
    struct balancer *b = calloc(1, sizeof(*b));
    b->door = open_to(host, port, true);
    if (b->door < 0) {
        perror("balancer");
        free(b);
        return NULL;
    }
    pthread_mutex_init(&b->lock, NULL);
    b->count = count;
    for (int i = 0; i < count; i++) {
        b->target[i] = targets[i];
        b->use[i] = true;
    }
    pthread_create(&b->thread, NULL, run_door, b);
    return b;
}

void balancer_use(struct balancer *b, int target, bool use)
{
    pthread_mutex_lock(&b->lock);
    b->use[target] = use;
    pthread_mutex_unlock(&b->lock);
}

long balancer_count(struct balancer *b, int target)
{
    pthread_mutex_lock(&b->lock);
    long count = b->passed[target];
    pthread_mutex_unlock(&b->lock);
    return count;
}

long balancer_failures(struct balancer *b)
{
    pthread_mutex_lock(&b->lock);
    long failures = b->failures;
    pthread_mutex_unlock(&b->lock);
    return failures;
}

void balancer_cut(struct balancer *b)
{
    pthread_mutex_lock(&b->lock);
    for (int i = 0; i < PAIRS_MAX; i++)
        for (int side = 0; side < 2; side++)
            if (b->pair[i].used && b->pair[i].fd[side] >= 0)
                shutdown(b->pair[i].fd[side], SHUT_RDWR);
    pthread_mutex_unlock(&b->lock);
}

void balancer_stop(struct balancer *b)
{
    shutdown(b->door, SHUT_RDWR);
    pthread_join(b->thread, NULL);
    balancer_cut(b);
    for (int i = 0; i < PAIRS_MAX; i++)
        if (b->pair[i].used)
            pthread_join(b->pair[i].thread, NULL);
    close(b->door);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
