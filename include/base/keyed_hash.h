/*
 * keyed_hash: uthash, with a hash that nobody outside of this process can reckon. uthash's own is known and without a
 * key: whoever chooses what a table is asked for (channels, scripts, names of commands) could choose keys that all
 * have one hash, and each look-up would walk all of them. Here it is SipHash, of libsodium, with a key that is drawn
 * at random when the process starts.
 *
 * Every file that keeps a table includes this, and not <uthash.h>: "make lint" says so.
 */
#ifndef REDISPROXY_BASE_KEYED_HASH_H
#define REDISPROXY_BASE_KEYED_HASH_H

#include <stddef.h>

/* The hash of these bytes, the same as long as the process lives. Any thread. */
unsigned keyed_hash(const void *key, size_t len);

#undef HASH_FUNCTION
#define HASH_FUNCTION(key, len, hash) ((hash) = keyed_hash((key), (len)))
#include <uthash.h>

#endif
