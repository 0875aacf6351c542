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

struct config_names;
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

/* Immutable once loaded; owns all that it points to, but for what it has in common with the one that it replaces:
 * sources of TLS, users' passwords and the names, which are counted. */
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
    struct config_names
        *names; /* of all groups, and addresses of all listeners, that there ever were */
    struct config_sections *sections; /* the memory behind the pointers above */
};

/* Reads the file (NULL: there is none), and the environment (config_environment.h). Returns NULL after writing "file:line: what is wrong: how to mend it" to `errors`
 * for every error. */
struct config *config_load(const char *path, FILE *errors) __attribute__((warn_unused_result));

/* The same, to replace `running` (NULL: none) while the process runs: groups have the indices that they have there, one that
 * is not there any more stays as `gone`, and certificates and passwords that are set as they were are the same objects.
 * There may be CONFIG_GROUPS_SPARE groups, and CONFIG_LISTENERS_SPARE listeners at other addresses, more than there were at the
 * start, ever. The thread that reloads only. */
#define CONFIG_GROUPS_SPARE 64
#define CONFIG_LISTENERS_SPARE 32
struct config *config_load_next(const char *path, const struct config *running, FILE *errors)
    __attribute__((warn_unused_result));

/* Where the web server is, as far as this can be read: whatever else is wrong with the configuration does not count. */
struct config_http {
    struct address address; /* len 0: off */
    bool tls;
};
/* Returns 0, or -1 (errno is set) when there is no such file. */
int config_read_http(const char *path, struct config_http *out) __attribute__((warn_unused_result));

/* How a configuration is called in messages: its file, or "environment". */
static inline const char *config_name(const char *path)
{
    return path ? path : "environment";
}

/* Frees everything, wiping secrets. NULL is allowed. */
void config_free(struct config *config);
/* The same of one that was loaded to replace `running`, and will not. */
void config_discard(struct config *config, const struct config *running);

#endif
