/*
 * raw: see raw.h. Every read has a deadline; nothing here interprets what it carries.
 */
#include "harness/raw.h"

#include "harness/secure.h"

#include "harness/wait.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_MARK "that-was-all"

enum { OPEN_MS = 10000 };

int raw_open(const char *host, int port)
{
    return secure_at(host, port) ? secure_open(host, port, OPEN_MS) : raw_open_plain(host, port);
}

int raw_open_plain(const char *host, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return -1;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

bool raw_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool raw_send_text(int fd, const char *text)
{
    return raw_send(fd, text, strlen(text));
}

static bool readable(int fd, int64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t left = deadline - now_ms();
    return poll(&p, 1, left > 0 ? (int)left : 0) > 0;
}

size_t raw_read(int fd, char *into, size_t wanted, int ms)
{
    int64_t deadline = now_ms() + ms;
    size_t have = 0;
    while (have < wanted && readable(fd, deadline)) {
        ssize_t n = recv(fd, into + have, wanted - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    into[have] = '\0';
    return have;
}

const char *raw_show(const char *bytes, size_t len)
{
    static __thread char *shown[4];
    static __thread unsigned turn;
    char **text = &shown[turn++ % 4];
    size_t size;
    free(*text);
    FILE *out = open_memstream(text, &size);
    for (size_t i = 0; i < len && i < 2000; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\r')
            fputs("\\r", out);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < 32 || c > 126 || c == '\\')
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fclose(out);
    return *text;
}

bool raw_expect(int fd, const char *text)
{
    size_t len = strlen(text);
    char *got = malloc(len + 1);
    size_t n = raw_read(fd, got, len, 5000);
    bool same = n == len && memcmp(got, text, len) == 0;
    if (!same)
        fprintf(stderr, "got    %s\nwanted %s\n", raw_show(got, n), raw_show(text, len));
    free(got);
    return same;
}

bool raw_closed(int fd, int ms)
{
    char byte;
    return readable(fd, now_ms() + ms) && recv(fd, &byte, 1, 0) <= 0;
}

bool raw_ended(int fd, int ms)
{
    char forgotten[4096];
    int64_t deadline = now_ms() + ms;
    while (readable(fd, deadline))
        if (recv(fd, forgotten, sizeof(forgotten), 0) <= 0)
            return true;
    return false;
}

bool raw_silent(int fd, int ms)
{
    return !readable(fd, now_ms() + ms);
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len >= n && memcmp(text + len - n, end, n) == 0;
}

/* Reads up to the end mark or the end; returns NULL when neither comes. */
static char *read_to_mark(int fd)
{
    char *text = NULL, chunk[16384];
    size_t len;
    int64_t deadline = now_ms() + 10000;
    bool closed = false;
    FILE *out = open_memstream(&text, &len);
    for (;;) {
        fflush(out);
        if (ends_with(text, len, END_MARK "\r\n"))
            break;
        if (!readable(fd, deadline)) {
            fprintf(stderr, "no end after %s\n", raw_show(text, len));
            fclose(out);
            free(text);
            return NULL;
        }
        ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
        if (n <= 0) {
            closed = true;
            break;
        }
        fwrite(chunk, 1, (size_t)n, out);
    }
    if (closed)
        fputs("<closed>", out);
    fclose(out);
    return text;
}

char *raw_transcript(const char *host, int port, const char *bytes, size_t len, size_t step,
                     bool closes)
{
    int fd = raw_open(host, port);
    if (fd < 0)
        return NULL;
    bool open = true;
    for (size_t at = 0; at < len && open; at += step ? step : len)
        open = raw_send(fd, bytes + at, step && len - at > step ? step : len - at);
    if (open && !closes)
        raw_send_text(fd, "PING " END_MARK "\r\n");
    char *text = read_to_mark(fd);
    close(fd);
    return text;
}

char *http_get_whole(const char *host, int port, const char *path, const char *headers)
{
    const size_t most = (size_t)4 << 20;
    char request[512], *answer = calloc(1, most);
    int fd = raw_open_plain(host, port);
    if (fd < 0 || !answer) {
        free(answer);
        return NULL;
    }
    snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\n%s\r\n", path, host,
             headers);
    raw_send_text(fd, request);
    raw_read(fd, answer, most - 1, 5000);
    close(fd);
    return answer;
}

int http_get(const char *host, int port, const char *path, char *body, size_t size)
{
    int status = 0;
    char *answer = http_get_whole(host, port, path, "");
    const char *rest = answer ? strstr(answer, "\r\n\r\n") : NULL;
    if (!rest || sscanf(answer, "HTTP/1.%*d %d", &status) != 1)
        status = 0;
    else
        snprintf(body, size, "%s", rest + 4);
    free(answer);
    return status;
}
