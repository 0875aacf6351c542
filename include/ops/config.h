/*
 * config: the configuration file as the rooms' option structs. Loading it opens
 * no socket and resolves no name; it reports everything that is wrong at once.
 */
#ifndef REDISPROXY_OPS_CONFIG_H
#define REDISPROXY_OPS_CONFIG_H

#include "base/log.h"
#include "net/address.h"
#include "net/tls_source.h"
#include "nodes/options.h"
#include "ops/log_setup.h"
#include "topology/control.h"

#include <stdbool.h>
#include <stdio.h>

struct config_sections;

/* Where TLS contexts come from; NULL: none. */
struct config_tls {
    struct tls_source **sources; /* all of them */
    size_t count;
    struct tls_source *http;
    struct certificate_users **users; /* one for each listener; NULL: none */
    size_t user_count;
};

/* The admin socket; the strings are the sections'. */
struct config_admin {
    const char *path;  /* NULL: off */
    bool given;        /* the file says so; otherwise it is the default */
    const char *group; /* NULL: none */
};

/* Immutable once loaded; owns all that it points to. */
struct config {
    enum log_level log;
    struct log_setup log_setup;
    const char *history_file; /* NULL: none */
    struct address http;      /* len 0: off */
    const char *takeover;     /* NULL: off */
    struct config_admin admin;
    struct topology_options *topology; /* traffic.group_count of them, with the same indices */
    struct traffic_options traffic;
    struct config_tls tls;
    struct config_sections *sections; /* config.c's: the memory behind the pointers above */
};

/* Reads the file. Returns NULL after writing "file:line: what is wrong: how to mend it" to `errors`
 * for every error. */
struct config *config_load(const char *path, FILE *errors) __attribute__((warn_unused_result));

/* Frees everything, wiping secrets. NULL is allowed. */
void config_free(struct config *config);

#endif
