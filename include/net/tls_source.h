/*
 * tls_source: where the connections of one listener, of a group's nodes, of its Sentinels get their TLS context from.
 * When the files change (tls_watch.h looks), the next connection gets a context of the new ones, and those that
 * stand keep the one that they have. Files that are not good, or do not belong together, change nothing; they are looked
 * at again until they do.
 *
 * Any thread, but for what stands under "for the thread that watches".
 */
#ifndef REDISPROXY_NET_TLS_SOURCE_H
#define REDISPROXY_NET_TLS_SOURCE_H

#include "net/tls_context.h"

struct tls_source;

/* Reads the files. `name` is for the log and the metrics: "listener 0.0.0.0:6379". Name and settings are copied.
 * Returns NULL and says in `error` what is wrong. */
struct tls_source *tls_source_new(const char *name, const struct tls_settings *settings,
                                  char *error, size_t size) __attribute__((warn_unused_result));
/* It is counted: who keeps it retains it, the last one's release frees it. Contexts of it may live on. NULL is allowed. */
struct tls_source *tls_source_retain(struct tls_source *source);
void tls_source_release(struct tls_source *source);

/* The newest; to be released. */
struct tls_context *tls_source_context(struct tls_source *source)
    __attribute__((warn_unused_result));

const char *tls_source_name(const struct tls_source *source);
const struct tls_settings *tls_source_settings(const struct tls_source *source);

/* How often the files were read anew, with and without success. */
struct tls_source_counts {
    unsigned long long loaded, refused;
};
struct tls_source_counts tls_source_counts(struct tls_source *source);

/* ---- for the thread that watches ---- */

/* Reads the files anew if they are others than those that are in use. Files that are not good are told in the log when they
 * have been so for a second: a key may come a moment after its certificate. Returns whether they are to be
 * looked at again soon. */
bool tls_source_refresh(struct tls_source *source, int64_t now_ms);

/* Tells in the log that a certificate will end in 30, 7, 1 days, or has ended, each once. `now_s`: since 1970. */
void tls_source_warn(struct tls_source *source, int64_t now_s);

#endif
