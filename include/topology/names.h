/*
 * names: the control plane's memory of host names. With host names in
 * Sentinel's answers (resolve-hostnames, announce-hostnames) every answer
 * would wait for a resolver; so a lookup is answered from memory at once, and
 * refreshed behind it, at most twice a second; more often while nobody answers
 * there: a pod that comes back has another address. The loop's thread only.
 */
#ifndef REDISPROXY_TOPOLOGY_NAMES_H
#define REDISPROXY_TOPOLOGY_NAMES_H

#include "net/address.h"

#include <stdbool.h>
#include <uv.h>

struct names;

/* `changed(owner)` is called when a name has got an address that it had not. */
struct names *names_new(uv_loop_t *loop, void (*changed)(void *owner), void *owner);
/* Cancels what is being resolved; frees everything. */
void names_free(struct names *names);

/* The address of a number, or of a name that is known. Returns false (and out->len 0) when it is
 * not known yet: `changed` will come if it can be resolved. */
bool names_lookup(struct names *names, const struct endpoint *endpoint, struct address *out);

/* All addresses of a name, `max` at most: copies them to `out`, and returns how many; 0 when they are not known yet, or when
 * it is a number. */
size_t names_all(struct names *names, const struct endpoint *endpoint, struct address *out,
                 size_t max);

/* The host's name that leads to this address, of those that were looked up; NULL: none does. */
const char *names_host(const struct names *names, const struct address *address);

/* Nobody can be reached at this address: names that led there may lead elsewhere by now, and are
 * asked for again, up to ten times a second. */
void names_doubt(struct names *names, const struct address *address);

#endif
