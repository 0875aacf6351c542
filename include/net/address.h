/*
 * address: where to connect to. An endpoint is what a person or a Sentinel
 * writes (a name or a number, and a port); an address is what the kernel takes.
 * Plain values, no ownership. Any thread.
 */
#ifndef REDISPROXY_NET_ADDRESS_H
#define REDISPROXY_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_HOST_MAX 256
/* "[" host "]:" port, and the NUL */
#define ENDPOINT_TEXT_MAX (ENDPOINT_HOST_MAX + 9)

struct endpoint {
    char host[ENDPOINT_HOST_MAX]; /* without brackets */
    uint16_t port;
};

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa;
    socklen_t len; /* 0: no address */
};

/* Whether the text can be a host: no blanks, no control characters, not too long. */
bool endpoint_is_host(const char *text);

/* Reads "host:port", "1.2.3.4:port" or "[::1]:port"; without ":port", `default_port` counts (0: a
 * port is required). Returns 0, or -1 when the text is neither. */
int endpoint_parse(struct endpoint *out, const char *text, uint16_t default_port)
    __attribute__((warn_unused_result));

/* Writes "host:port", an IPv6 number in brackets. Returns out. */
const char *endpoint_format(char *out, size_t size, const struct endpoint *endpoint);

/* Reads a numeric IPv4 or IPv6 host. Returns 0, or -1 when `host` is a name that must be resolved.
 */
int address_from_number(struct address *out, const char *host, uint16_t port)
    __attribute__((warn_unused_result));

/* Writes "1.2.3.4:6379" or "[::1]:6379". Returns out. */
const char *address_format(char *out, size_t size, const struct address *address);

/* Of a connected socket: its peer's, or its own. Returns 0, or -1. */
int address_of_socket(struct address *out, int fd, bool peer) __attribute__((warn_unused_result));

bool address_equal(const struct address *a, const struct address *b);

#endif
