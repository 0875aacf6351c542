/*
 * check: one request of HTTP/1.0, to where `http` of [proxy] says. Of the configuration nothing else counts: a proxy goes on
 * with what it has read, and a mistake in the newest file must not take it out of its Service. With TLS nothing is verified:
 * it is asked for no secret, and asked nothing that it could betray.
 */
#include "ops/check.h"

#include "ops/config.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Less than what Kubernetes and Docker wait by default for two of them. */
#define PATIENCE_S 2
#define ANSWER_MAX ((size_t)256 * 1024)

enum { WELL = 0, UNWELL = 1 };

struct line {
    int fd;
    SSL_CTX *context; /* NULL: plain */
    SSL *tls;
};

static void hang_up(struct line *line)
{
    SSL_free(line->tls);
    SSL_CTX_free(line->context);
    if (line->fd >= 0)
        close(line->fd);
}

/* Where a socket listens everywhere it is asked at home. */
static struct address reachable(struct address address)
{
    if (address.sa.any.sa_family == AF_INET && address.sa.v4.sin_addr.s_addr == INADDR_ANY)
        address.sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address.sa.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address.sa.v6.sin6_addr))
        address.sa.v6.sin6_addr = in6addr_loopback;
    return address;
}

static int call(struct line *line, const struct config_http *http)
{
    const struct timeval limit = {.tv_sec = PATIENCE_S};
    struct address to = reachable(http->address);
    line->fd = socket(to.sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line->fd < 0)
        return -1;
    setsockopt(line->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(line->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(line->fd, &to.sa.any, to.len) != 0)
        return -1;
    if (!http->tls)
        return 0;
    errno = EPROTO;
    line->context = SSL_CTX_new(TLS_client_method());
    line->tls = line->context ? SSL_new(line->context) : NULL;
    if (!line->tls || SSL_set_fd(line->tls, line->fd) != 1)
        return -1;
    return SSL_connect(line->tls) == 1 ? 0 : -1;
}

static ssize_t put(struct line *line, const char *text)
{
    size_t len = strlen(text);
    return line->tls ? SSL_write(line->tls, text, (int)len)
                     : send(line->fd, text, len, MSG_NOSIGNAL);
}

static ssize_t take(struct line *line, char *into, size_t size)
{
    return line->tls ? SSL_read(line->tls, into, (int)size) : recv(line->fd, into, size, 0);
}

/* The whole answer, ended by a NUL, to be freed; NULL: none came. */
static char *ask(struct line *line, const char *what)
{
    char request[64], *answer = calloc(1, ANSWER_MAX + 1);
    size_t len = 0;
    ssize_t n;
    if (!answer)
        abort();
    snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", what);
    if (put(line, request) == (ssize_t)strlen(request))
        while (len < ANSWER_MAX && (n = take(line, answer + len, ANSWER_MAX - len)) > 0)
            len += (size_t)n;
    if (len > 0)
        return answer;
    free(answer);
    return NULL;
}

/* What the answer says, in one line. Returns the exit status. */
static int tell(const char *answer)
{
    int status = 0;
    const char *body = strstr(answer, "\r\n\r\n");
    cJSON *json = body ? cJSON_Parse(body) : NULL;
    const char *word = cJSON_GetStringValue(cJSON_GetObjectItem(json, "status"));
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(json, "reason"));
    if (sscanf(answer, "HTTP/%*s %d", &status) != 1 || !word)
        printf("this is no redisproxy: another program answers there\n");
    else
        printf("%s%s%s\n", word, reason ? ": " : "", reason ? reason : "");
    cJSON_Delete(json);
    return status == 200 && word ? WELL : UNWELL;
}

int check_main(const char *path, bool alive)
{
    struct config_http http;
    struct line line = {.fd = -1};
    char text[ENDPOINT_TEXT_MAX];
    int result = UNWELL;
    if (config_read_http(path, &http) < 0) {
        printf("%s cannot be opened (%s): check the path after -c\n", path, strerror(errno));
        return UNWELL;
    }
    if (!http.address.len) {
        printf("http = off: there is nothing to ask; give http an address\n");
        return UNWELL;
    }
    char *answer = call(&line, &http) == 0 ? ask(&line, alive ? "/healthz" : "/readyz") : NULL;
    if (answer)
        result = tell(answer);
    else
        printf("no answer from %s (%s): is the proxy running, with this configuration?\n",
               address_format(text, sizeof(text), &http.address),
               errno == EAGAIN || errno == EINPROGRESS ? "it takes too long" : strerror(errno));
    free(answer);
    hang_up(&line);
    return result;
}
