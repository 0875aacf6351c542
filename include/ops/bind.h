/* bind: listening sockets, and why one cannot be had. */
#ifndef REDISPROXY_OPS_BIND_H
#define REDISPROXY_OPS_BIND_H

#include "net/address.h"

#include <stddef.h>

/* Enough for bind_address()'s `why`. */
#define BIND_TEXT_MAX 512

/* `use` says what for: "clients", "http". Returns a listening descriptor, or -1 after logging why; the same stands in
 * `why`, as a sentence. */
int bind_address(const struct address *address, const char *use, char *why, size_t size)
    __attribute__((warn_unused_result));

#endif
