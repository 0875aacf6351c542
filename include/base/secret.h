/*
 * secret: memory for a credential. It is locked (never swapped), left out of
 * core dumps, and overwritten before it is given back. One page each: there
 * are as many as there are credentials in use, not as many as connections.
 * Any thread, one at a time per secret.
 */
#ifndef REDISPROXY_BASE_SECRET_H
#define REDISPROXY_BASE_SECRET_H

#include <stddef.h>

/* A locked copy of `len` bytes, with a NUL behind them. When the system's limit on locked memory
 * (RLIMIT_MEMLOCK) is reached the copy is not locked, and one warning says so. */
char *secret_new(const char *bytes, size_t len);

/* Overwrites and frees what secret_new() returned for the same `len`; NULL is fine. */
void secret_free(char *secret, size_t len);

/* A secret that stands in a file, without the line end behind it. Returns NULL and writes what is wrong
 * with the file, and how to mend it, to `why`: "is empty: ...". */
char *secret_from_file(const char *path, size_t *len, char *why, size_t size);

#endif
