/*
 * port_owner: who sits on a port that this process cannot have.
 */
#ifndef REDISPROXY_OPS_PORT_OWNER_H
#define REDISPROXY_OPS_PORT_OWNER_H

#include "net/address.h"

#include <stddef.h>

/* Writes "redis-server (pid 123)" for the process that listens on the address's port, as far as
 * /proc shows it to this user; otherwise "another process". Returns out. */
const char *port_owner(char *out, size_t size, const struct address *address);

#endif
