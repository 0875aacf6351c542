/*
 * doctor_ask: blocking sockets with a time limit; hiredis forms the requests and reads the answers.
 */
#include "ops/doctor_ask.h"

#include "base/memory.h"
#include "net/tls_context.h"
#include "net/tls_error.h"
#include "net/tls_source.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ARGUMENTS = 12, COMMAND_SIZE = 512, READ_SIZE = 16384 };

struct asker {
    int fd;
    SSL *ssl; /* NULL: it speaks plainly */
    redisReader *reader;
};

/* ---- connecting ---- */

/* Waits until the socket is connected. Returns 0 or an errno. */
static int await_connected(int fd, int64_t timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);
    int ready = poll(&poll_fd, 1, (int)timeout_ms);
    if (ready == 0)
        return ETIMEDOUT;
    if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return errno;
    return error;
}

/* From now on each read and write waits, for at most so long. */
static void set_blocking(int fd, int64_t timeout_ms)
{
    const struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Returns the socket, or -1 with errno set. */
static int connect_one(const struct addrinfo *to, int64_t timeout_ms)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    if (fd < 0)
        return -1;
    if (connect(fd, to->ai_addr, to->ai_addrlen) < 0)
        error = errno == EINPROGRESS ? await_connected(fd, timeout_ms) : errno;
    if (error) {
        close(fd);
        errno = error;
        return -1;
    }
    set_blocking(fd, timeout_ms);
    return fd;
}

/* Tries each address of the name. */
static int connect_name(const struct asked *whom, char *why, size_t size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char port[8];
    int fd = -1;
    snprintf(port, sizeof(port), "%u", whom->endpoint.port);
    int error = getaddrinfo(whom->endpoint.host, port, &hints, &list);
    if (error) {
        snprintf(why, size, "the name does not resolve: %s", gai_strerror(error));
        return -1;
    }
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = connect_one(at, whom->timeout_ms);
    if (fd < 0)
        snprintf(why, size, "it cannot be reached: %s", strerror(errno));
    freeaddrinfo(list);
    return fd;
}

static bool shake_hands(struct asker *asker, const struct asked *whom, char *why, size_t size)
{
    struct tls_context *context = tls_source_context(whom->tls);
    char text[160];
    asker->ssl = SSL_new(tls_context_ssl(context));
    if (!asker->ssl)
        out_of_memory(0);
    tls_expect_name(context, asker->ssl, whom->endpoint.host);
    tls_context_release(context);
    SSL_set_fd(asker->ssl, asker->fd);
    ERR_clear_error();
    if (SSL_connect(asker->ssl) == 1)
        return true;
    tls_error_of(asker->ssl, text, sizeof(text));
    snprintf(why, size, "TLS: %s", text);
    return false;
}

/* ---- asking ---- */

static ssize_t receive(struct asker *asker, char *into, size_t size)
{
    if (asker->ssl)
        return SSL_read(asker->ssl, into, (int)size);
    return read(asker->fd, into, size);
}

static bool send_all(struct asker *asker, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = asker->ssl ? SSL_write(asker->ssl, bytes, (int)len)
                                  : send(asker->fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

static redisReply *await_reply(struct asker *asker)
{
    char bytes[READ_SIZE];
    void *reply = NULL;
    for (;;) {
        if (redisReaderGetReply(asker->reader, &reply) != REDIS_OK)
            return NULL;
        if (reply)
            return reply;
        ssize_t got = receive(asker, bytes, sizeof(bytes));
        if (got <= 0 || redisReaderFeed(asker->reader, bytes, (size_t)got) != REDIS_OK)
            return NULL;
    }
}

static redisReply *ask_arguments(struct asker *asker, int argc, const char **argv)
{
    char *request = NULL;
    long long len = redisFormatCommandArgv(&request, argc, argv, NULL);
    if (len < 0)
        out_of_memory(0);
    bool sent = send_all(asker, request, (size_t)len);
    explicit_bzero(request, (size_t)len); /* it may hold a password */
    redisFreeCommand(request);
    return sent ? await_reply(asker) : NULL;
}

struct redisReply *ask_now(struct asker *asker, const char *command)
{
    const char *argv[ARGUMENTS];
    char text[COMMAND_SIZE], *rest = NULL;
    int argc = 0;
    snprintf(text, sizeof(text), "%s", command);
    for (char *word = strtok_r(text, " ", &rest); word && argc < ARGUMENTS;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return ask_arguments(asker, argc, argv);
}

static bool log_in(struct asker *asker, const struct asked *whom, bool *refused, char *why,
                   size_t size)
{
    const char *argv[] = {"AUTH", whom->username ? whom->username : whom->password, whom->password};
    if (!whom->password)
        return true;
    redisReply *reply = ask_arguments(asker, whom->username ? 3 : 2, argv);
    /* Where there is no password Redis says so to AUTH, and lets everybody in. */
    bool good = reply && (reply->type != REDIS_REPLY_ERROR ||
                          strstr(reply->str, "without any password configured"));
    if (!good)
        snprintf(why, size, "%s", reply ? reply->str : "it ended the connection at AUTH");
    *refused = reply && !good;
    freeReplyObject(reply);
    return good;
}

struct asker *ask_open(const struct asked *whom, bool *refused, char *why, size_t size)
{
    struct asker *asker = calloc(1, sizeof(*asker));
    if (!asker)
        out_of_memory(sizeof(*asker));
    *refused = false;
    asker->reader = redisReaderCreate();
    if (!asker->reader)
        out_of_memory(0);
    asker->fd = connect_name(whom, why, size);
    if (asker->fd < 0 || (whom->tls && !shake_hands(asker, whom, why, size)) ||
        !log_in(asker, whom, refused, why, size)) {
        ask_close(asker);
        return NULL;
    }
    return asker;
}

void ask_close(struct asker *asker)
{
    if (!asker)
        return;
    SSL_free(asker->ssl);
    if (asker->fd >= 0)
        close(asker->fd);
    redisReaderFree(asker->reader);
    free(asker);
}
