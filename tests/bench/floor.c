/*
 * What the sockets alone cost, beside the proxies of the benchmark:   floor HOST PORT
 *
 * One thread, one epoll, one recv() and one send() for all that a client has sent at once, and nothing else: no Redis
 * behind it, no routing, no order to keep, only the ends of requests are looked for. GET is answered with the value that
 * was last SET, everything else with OK. A proxy's CPU per request cannot be less than this on the same machine, kernel
 * and load; what it costs above it is its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX 65536
#define EVENTS 1024
#define VALUE_MAX 16384

struct client {
    int fd;
    size_t len; /* of a request whose end is still to come */
    char in[];
};

static char value[VALUE_MAX] = "$-1\r\n";
static size_t value_len = 5;
static char out[READ_MAX * 8];

static void fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The digits of "*3\r\n", and what is behind the line. NULL: its end is not there yet. */
static const char *line(const char *at, const char *end, size_t *number)
{
    const char *eol = memchr(at, '\n', (size_t)(end - at));
    if (!eol)
        return NULL;
    *number = strtoul(at + 1, NULL, 10);
    return eol + 1;
}

struct asked {
    char name;        /* its first letter */
    const char *last; /* argument */
    size_t last_len;
};

/* The end of the request that begins at `at`, or NULL. */
static const char *request(const char *at, const char *end, struct asked *asked)
{
    size_t count = 0;
    at = line(at, end, &count);
    for (size_t i = 0; at && i < count; i++) {
        at = at < end ? line(at, end, &asked->last_len) : NULL;
        if (!at || (size_t)(end - at) < asked->last_len + 2)
            return NULL;
        if (i == 0)
            asked->name = (char)(*at & ~0x20); /* upper case */
        asked->last = at;
        at += asked->last_len + 2;
    }
    return at;
}

static void keep_value(const char *text, size_t len)
{
    if (len < VALUE_MAX - 40)
        value_len = (size_t)snprintf(value, sizeof(value), "$%zu\r\n%.*s\r\n", len, (int)len, text);
}

static void answer(struct client *c)
{
    const char *at = c->in, *end = c->in + c->len, *next;
    struct asked asked = {.name = 0};
    size_t filled = 0;
    while (at < end && (next = request(at, end, &asked))) {
        bool get = asked.name == 'G';
        if (asked.name == 'S')
            keep_value(asked.last, asked.last_len);
        memcpy(out + filled, get ? value : "+OK\r\n", get ? value_len : 5);
        filled += get ? value_len : 5;
        at = next;
        if (filled + VALUE_MAX > sizeof(out))
            break;
    }
    c->len = (size_t)(end - at);
    memmove(c->in, at, c->len);
    /* The benchmark reads all of it before it asks again: it always fits. */
    if (filled > 0 && send(c->fd, out, filled, MSG_NOSIGNAL) != (ssize_t)filled)
        fail("send");
}

static void serve(struct client *c)
{
    ssize_t n = recv(c->fd, c->in + c->len, READ_MAX - c->len, 0);
    if (n > 0) {
        c->len += (size_t)n;
        answer(c);
        return;
    }
    close(c->fd);
    free(c);
}

static void welcome(int epoll, int door)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct client *c = calloc(1, sizeof(*c) + READ_MAX);
    int one = 1;
    if (!c || (c->fd = accept(door, NULL, NULL)) < 0)
        fail("accept");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    event.data.ptr = c;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("epoll_ctl");
}

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN}};
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC);
    int one = 1;

    if (argc != 3 || inet_pton(AF_INET, argv[1], &here.sin_addr) != 1) {
        fprintf(stderr, "usage: floor HOST PORT\n");
        return 2;
    }
    here.sin_port = htons((uint16_t)atoi(argv[2]));
    (void)setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(door, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(door, 4096) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, door, &events[0]) != 0)
        fail(argv[1]);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                serve(events[i].data.ptr);
            else
                welcome(epoll, door);
        }
    }
}
