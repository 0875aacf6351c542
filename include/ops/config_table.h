/*
 * config_table: the options that a configuration file may set. One table is
 * the single source of names, types, ranges, defaults and help: the parser
 * reads it, --help prints it, and a test holds conf/proxy.conf against it.
 */
#ifndef REDISPROXY_OPS_CONFIG_TABLE_H
#define REDISPROXY_OPS_CONFIG_TABLE_H

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum section_kind { SECTION_PROXY, SECTION_MASTER, SECTION_LISTEN, SECTION_KINDS };

/* Each type is read into one C type in the section's settings. */
enum option_type {
    OPTION_COUNT,       /* int64_t */
    OPTION_DURATION,    /* int64_t, milliseconds */
    OPTION_SIZE,        /* int64_t, bytes */
    OPTION_CHOICE,      /* int64_t, the index into choices */
    OPTION_TEXT,        /* char *, NULL when not given */
    OPTION_SECRET,      /* char *, wiped when freed */
    OPTION_SECRET_FILE, /* a path, char * at path_offset; the file's content goes into the secret */
    OPTION_ADDRESS,     /* struct address; len 0: off */
    OPTION_ENDPOINTS,   /* struct endpoints */
};

struct endpoints {
    struct endpoint *items;
    size_t count;
};

/* What the sections hold once read. */
struct proxy_settings {
    struct address http;
    int64_t log, workers, max_clients, drain_timeout, drain_delay, request_max, request_memory,
        output_high;
    char *admin, *admin_group;
    int64_t page, page_streams;
    int64_t output_limit, output_memory;
    int64_t tcp_keepalive, tcp_user_timeout;
    int64_t log_format, log_target, syslog_facility, slowlog_threshold;
    char *syslog_socket, *history_file;
    int64_t handshake_timeout, tls_min_version;
    char *tls_ciphers, *tls_ciphersuites, *tls_groups;
    char *takeover;
    char *http_tls_cert, *http_tls_key, *http_tls_ca;
};

struct master_settings {
    struct endpoints sentinels;
    char *sentinel_username, *sentinel_password, *sentinel_password_file;
    char *username, *password, *password_file;
    int64_t hold_timeout, hold_memory, settle_timeout, stale_reads, connect_timeout;
    int64_t inflight_writes;
    int64_t replica_lag, promotion, reconfigure_assist, lose_quorum, quorum_timeout;
    int64_t failover_assist, assist_owner, fence, demote;
    int64_t tls, sentinel_tls;
    char *tls_ca, *tls_cert, *tls_key, *tls_server_name;
};

struct listen_settings {
    char *master;
    int64_t route, multiplexing, allow_replication;
    int64_t tls, tls_verify_clients, tls_user_from;
    char *tls_cert, *tls_key, *tls_ca, *tls_users_password_file;
};

union settings {
    struct proxy_settings proxy;
    struct master_settings master;
    struct listen_settings listen;
};

/* When a changed setting takes effect. Each row of the table says so. */
enum option_reload {
    RELOAD_UNSAID,
    RELOAD_AT_ONCE,         /* a reload applies it to all that there is */
    RELOAD_NEW_CONNECTIONS, /* to what is opened from then on; what stands keeps what it has */
    RELOAD_RESTART,         /* not before the next start: a reload says so, and applies the rest */
};

struct config_option {
    const char *name;
    const char *help;
    const char *standard;       /* the default as text; NULL: not set */
    const char *word;           /* accepted besides the type's own form, NULL: none; */
    int64_t word_value;         /* then this is stored */
    int64_t min, max;           /* for counts, durations (ms) and sizes (bytes) */
    const char *const *choices; /* ends with NULL */
    size_t offset;              /* in union settings */
    size_t path_offset;         /* the same, OPTION_SECRET_FILE's path */
    enum section_kind section;
    enum option_type type;
    enum option_reload reload;
    uint16_t port; /* OPTION_ENDPOINTS: where none is given */
    bool required;
};

#define OPTIONS_MAX 80

const struct config_option *config_table(size_t *count);

/* "proxy", "master", "listen". */
const char *section_kind_name(enum section_kind kind);

/* Writes a number in the option's largest fitting unit: "20s", "64mb". Returns out. */
const char *option_format_number(char *out, size_t size, const struct config_option *option,
                                 int64_t n);

/* What is said of a setting that a reload does not apply at once: "new connections", "restart"; otherwise "". */
const char *option_reload_name(enum option_reload reload);

/* The reference: every section and option with its default, range and help. */
void config_print_reference(FILE *out);

#endif
