/*
 * address: endpoints and socket addresses to text and back.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Reads a whole text as a port, 1 to 65535. Returns 0 when it is none. */
static uint16_t parse_port(const char *text)
{
    unsigned long port = 0;

    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        port = port * 10 + (unsigned long)(*text - '0');
        if (port > 65535)
            return 0;
    }
    return (uint16_t)port;
}

static bool host_char(char c)
{
    return c > ' ' && c != 0x7f && !strchr("[],;\"'", c);
}

static bool is_host(const char *host, size_t len)
{
    if (!len || len >= sizeof(((struct endpoint *)0)->host))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!host_char(host[i]))
            return false;
    return true;
}

bool endpoint_is_host(const char *text)
{
    return is_host(text, strlen(text));
}

/* Takes the host's `len` bytes over. Returns -1 when they cannot be a host. */
static int take_host(struct endpoint *out, const char *host, size_t len)
{
    if (!is_host(host, len))
        return -1;
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    return 0;
}

/* Reads what follows the host: nothing, or ":port". */
static int take_port(struct endpoint *out, const char *rest, uint16_t default_port)
{
    out->port = *rest == ':' ? parse_port(rest + 1) : default_port;
    return (*rest == ':' || !*rest) && out->port ? 0 : -1;
}

int endpoint_parse(struct endpoint *out, const char *text, uint16_t default_port)
{
    struct in6_addr number;

    if (*text == '[') {
        const char *end = strchr(text, ']');
        if (!end || take_host(out, text + 1, (size_t)(end - text - 1)) < 0)
            return -1;
        if (inet_pton(AF_INET6, out->host, &number) != 1)
            return -1;
        return take_port(out, end + 1, default_port);
    }
    const char *colon = strchr(text, ':');
    if (!colon)
        colon = text + strlen(text);
    else if (strchr(colon + 1, ':'))
        return -1; /* an IPv6 number without brackets: nobody knows where its port begins */
    if (take_host(out, text, (size_t)(colon - text)) < 0)
        return -1;
    return take_port(out, colon, default_port);
}

const char *endpoint_format(char *out, size_t size, const struct endpoint *endpoint)
{
    bool v6 = strchr(endpoint->host, ':') != NULL;

    snprintf(out, size, v6 ? "[%s]:%u" : "%s:%u", endpoint->host, (unsigned)endpoint->port);
    return out;
}

int address_from_number(struct address *out, const char *host, uint16_t port)
{
    *out = (struct address){0};
    if (inet_pton(AF_INET, host, &out->sa.v4.sin_addr) == 1) {
        out->sa.v4.sin_family = AF_INET;
        out->sa.v4.sin_port = htons(port);
        out->len = sizeof(out->sa.v4);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &out->sa.v6.sin6_addr) == 1) {
        out->sa.v6.sin6_family = AF_INET6;
        out->sa.v6.sin6_port = htons(port);
        out->len = sizeof(out->sa.v6);
        return 0;
    }
    return -1;
}

const char *address_format(char *out, size_t size, const struct address *address)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (!address->len) {
        snprintf(out, size, "none");
    } else if (address->sa.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->sa.v6.sin6_addr, host, sizeof(host));
        snprintf(out, size, "[%s]:%u", host, (unsigned)ntohs(address->sa.v6.sin6_port));
    } else {
        assert(address->sa.any.sa_family == AF_INET);
        inet_ntop(AF_INET, &address->sa.v4.sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, (unsigned)ntohs(address->sa.v4.sin_port));
    }
    return out;
}

int address_of_socket(struct address *out, int fd, bool peer)
{
    memset(out, 0, sizeof(*out));
    out->len = sizeof(out->sa);
    return peer ? getpeername(fd, &out->sa.any, &out->len)
                : getsockname(fd, &out->sa.any, &out->len);
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->len != b->len || !a->len)
        return a->len == b->len;
    if (a->sa.any.sa_family != b->sa.any.sa_family)
        return false;
    if (a->sa.any.sa_family == AF_INET)
        return a->sa.v4.sin_port == b->sa.v4.sin_port &&
               a->sa.v4.sin_addr.s_addr == b->sa.v4.sin_addr.s_addr;
    return a->sa.v6.sin6_port == b->sa.v6.sin6_port &&
           a->sa.v6.sin6_scope_id == b->sa.v6.sin6_scope_id &&
           memcmp(&a->sa.v6.sin6_addr, &b->sa.v6.sin6_addr, sizeof(a->sa.v6.sin6_addr)) == 0;
}
