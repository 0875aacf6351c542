/*
 * config_table: the options that a configuration file may set. To add one, add
 * a row here, which says when a reload applies it, its field in the settings, and its lines in conf/proxy.conf.
 */
#include "ops/config_table.h"

#include "base/log.h"
#include "net/tls_context.h"
#include "nodes/options.h"
#include "ops/log_setup.h"
#include "topology/control.h"

#include <inttypes.h>

#define SECONDS 1000LL
#define MINUTES (60 * SECONDS)
#define KB 1024LL
#define MB (1024 * KB)
#define GB (1024 * MB)

#define PROXY(field) .section = SECTION_PROXY, .offset = offsetof(union settings, proxy.field)
#define MASTER(field) .section = SECTION_MASTER, .offset = offsetof(union settings, master.field)
#define MASTER_PATH(field) .path_offset = offsetof(union settings, master.field)
#define LISTEN(field) .section = SECTION_LISTEN, .offset = offsetof(union settings, listen.field)

/* When a reload applies it: see enum option_reload. */
#define AT_ONCE .reload = RELOAD_AT_ONCE
#define NEW_CONNECTIONS .reload = RELOAD_NEW_CONNECTIONS
#define RESTART .reload = RELOAD_RESTART

static const char *const levels[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL};
static const char *const log_formats[] = {[LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json", NULL};
static const char *const log_targets[] = {
    [LOG_TO_STDERR] = "stderr", [LOG_TO_SYSLOG] = "syslog", NULL};
static const char *const facilities[] = {"daemon", "user",   "local0", "local1", "local2", "local3",
                                         "local4", "local5", "local6", "local7", NULL};
static const char *const inflight_choices[] = {
    [INFLIGHT_ERROR] = "error", [INFLIGHT_CLOSE] = "close", NULL};
static const char *const routes[] = {
    [ROUTE_MASTER] = "master", [ROUTE_REPLICA] = "replica", [ROUTE_SPLIT] = "split", NULL};

static const char *const promotions[] = {
    [PROMOTION_CONFIRMED] = "confirmed", [PROMOTION_EAGER] = "eager", NULL};
static const char *const fences[] = {"no", "write", "full", NULL};
static const char *const lose_quorums[] = {
    [LOSE_QUORUM_SERVE] = "serve", [LOSE_QUORUM_HOLD] = "hold", NULL};
static const char *const yes_no[] = {"no", "yes", NULL};
static const char *const multiplexing_choices[] = {
    [MULTIPLEXING_YES] = "yes", [MULTIPLEXING_NO] = "no", NULL};

static const char *const tls_versions[] = {[TLS_1_2] = "1.2", [TLS_1_3] = "1.3", NULL};
static const char *const tls_modes[] = {[TLS_DISABLE] = "disable",
                                        [TLS_REQUIRE] = "require",
                                        [TLS_VERIFY_AUTHORITY] = "verify-ca",
                                        [TLS_VERIFY_FULL] = "verify-full",
                                        [TLS_YES] = "yes",
                                        NULL};
static const char *const client_verifications[] = {[TLS_VERIFY_NONE] = "no",
                                                   [TLS_VERIFY_OPTIONAL] = "optional",
                                                   [TLS_VERIFY_CA] = "required",
                                                   NULL};

static const char *const users_from[] = {
    [USER_FROM_NOTHING] = "no", [USER_FROM_CN] = "cn", [USER_FROM_URI] = "uri", NULL};

/* clang-format off */
static const struct config_option table[] = {
    {.name = "http", PROXY(http), AT_ONCE, .type = OPTION_ADDRESS, .standard = "0.0.0.0:8888", .word = "off",
     .help = "where /healthz, /readyz, /metrics and the page are answered"},
    {.name = "page", PROXY(page), AT_ONCE, .type = OPTION_CHOICE, .standard = "yes", .choices = yes_no,
     .help = "yes: there is a page at / that shows how the proxy is, and /status, the same as JSON; no: neither"},
    {.name = "page_streams", PROXY(page_streams), AT_ONCE, .type = OPTION_COUNT, .standard = "16", .min = 0, .max = 1000,
     .help = "so many pages are told at once what happens, and half of the web server's connections at most; "
             "further ones ask every few seconds"},
    {.name = "admin", PROXY(admin), RESTART, .type = OPTION_TEXT, .standard = "/run/redisproxy/admin.sock",
     .help = "the Unix socket for \"redisproxy ctl\", or off; the default is not used where its folder is not there"},
    {.name = "admin_group", PROXY(admin_group), RESTART, .type = OPTION_TEXT,
     .help = "a group whose members may use it, besides root and the proxy's user"},
    {.name = "log", PROXY(log), AT_ONCE, .type = OPTION_CHOICE, .standard = "info", .choices = levels,
     .help = "lines below this level are not written"},
    {.name = "log_format", PROXY(log_format), RESTART, .type = OPTION_CHOICE, .standard = "logfmt",
     .choices = log_formats, .help = "what a line of the log looks like; json: one object a line"},
    {.name = "log_target", PROXY(log_target), RESTART, .type = OPTION_CHOICE, .standard = "stderr",
     .choices = log_targets, .help = "where the log goes"},
    {.name = "syslog_socket", PROXY(syslog_socket), RESTART, .type = OPTION_TEXT, .standard = "/dev/log",
     .help = "with log_target = syslog: the Unix socket on which the system's log listens"},
    {.name = "syslog_facility", PROXY(syslog_facility), RESTART, .type = OPTION_CHOICE,
     .standard = "daemon", .choices = facilities, .help = "with log_target = syslog: what it is filed under"},
    {.name = "slowlog_threshold", PROXY(slowlog_threshold), NEW_CONNECTIONS, .type = OPTION_DURATION,
     .standard = "off", .min = 1, .max = 60 * MINUTES, .word = "off", .word_value = 0,
     .help = "a request that takes so long is logged: its command, its key, and where the time went"},
    {.name = "history_file", PROXY(history_file), RESTART, .type = OPTION_TEXT,
     .help = "a file to which each switchover is appended, a JSON object a line, and from which the last "
             "ones are read at the start"},
    {.name = "workers", PROXY(workers), RESTART, .type = OPTION_COUNT, .standard = "auto",
     .min = 1, .max = WORKERS_MAX, .word = "auto", .word_value = 0,
     .help = "threads that carry clients' commands; auto: as many as there are processors to use"},
    {.name = "max_clients", PROXY(max_clients), AT_ONCE, .type = OPTION_COUNT, .standard = "10000",
     .min = 1, .max = 1000000,
     .help = "client connections at a time; one more is refused"},
    {.name = "drain_timeout", PROXY(drain_timeout), AT_ONCE, .type = OPTION_DURATION, .standard = "10s",
     .min = 0, .max = 60 * MINUTES,
     .help = "how long clients may stay after SIGTERM: each is disconnected when nothing of it is unanswered, "
             "the rest at the end"},
    {.name = "drain_delay", PROXY(drain_delay), AT_ONCE, .type = OPTION_DURATION, .standard = "0s",
     .min = 0, .max = 10 * MINUTES,
     .help = "how long before that /readyz says that the proxy goes, while it accepts and serves as ever"},
    {.name = "takeover", PROXY(takeover), RESTART, .type = OPTION_TEXT,
     .help = "a Unix socket by which a new process (redisproxy --takeover) takes over from this one, "
             "without a client noticing; not set: only one that SIGUSR2 starts does"},
    {.name = "request_max", PROXY(request_max), AT_ONCE, .type = OPTION_SIZE, .standard = "1gb",
     .min = 64 * KB, .max = 16 * GB,
     .help = "the largest request; one that is larger ends its connection"},
    {.name = "request_memory", PROXY(request_memory), AT_ONCE, .type = OPTION_SIZE, .standard = "256mb",
     .min = MB, .max = 64 * GB,
     .help = "requests that are not answered yet, of all clients together; over that only clients that "
             "have few of them are read"},
    {.name = "output_high", PROXY(output_high), AT_ONCE, .type = OPTION_SIZE, .standard = "1mb",
     .min = 16 * KB, .max = GB,
     .help = "replies that may wait for a client before no more are fetched for it"},
    {.name = "output_limit", PROXY(output_limit), AT_ONCE, .type = OPTION_SIZE, .standard = "256mb",
     .min = 64 * KB, .max = 64 * GB,
     .help = "requests that are read of a client that does not read its replies, and replies that cannot "
             "wait at their node; one that has more is disconnected"},
    {.name = "output_memory", PROXY(output_memory), AT_ONCE, .type = OPTION_SIZE, .standard = "1gb",
     .min = 64 * KB, .max = 64 * GB, .help = "the same, of all clients together"},
    {.name = "tcp_keepalive", PROXY(tcp_keepalive), NEW_CONNECTIONS, .type = OPTION_DURATION, .standard = "300s",
     .min = SECONDS, .max = 24 * 60 * MINUTES / 3, .word = "off", .word_value = 0,
     .help = "a client that is idle for so long is asked whether it is still there; one whose host has "
             "vanished is gone twice as long after its last sign"},
    {.name = "tcp_user_timeout", PROXY(tcp_user_timeout), NEW_CONNECTIONS, .type = OPTION_DURATION,
     .standard = "off", .min = SECONDS, .max = 24 * 60 * MINUTES, .word = "off", .word_value = 0,
     .help = "a client that takes nothing of what was sent to it for so long is disconnected, also when "
             "it only pauses"},
    {.name = "handshake_timeout", PROXY(handshake_timeout), NEW_CONNECTIONS, .type = OPTION_DURATION, .standard = "10s",
     .min = 10, .max = 10 * MINUTES,
     .help = "how long a client may take for the TLS handshake"},
    {.name = "tls_min_version", PROXY(tls_min_version), NEW_CONNECTIONS, .type = OPTION_CHOICE, .standard = "1.2",
     .choices = tls_versions, .help = "of TLS, on all connections"},
    {.name = "tls_ciphers", PROXY(tls_ciphers), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "of TLS 1.2, as OpenSSL names them; not set: ECDHE+AESGCM:ECDHE+CHACHA20"},
    {.name = "tls_ciphersuites", PROXY(tls_ciphersuites), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "of TLS 1.3, as OpenSSL names them; not set: OpenSSL's own"},
    {.name = "tls_groups", PROXY(tls_groups), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "for the exchange of keys, as OpenSSL names them; not set: OpenSSL's own"},
    {.name = "http_tls_cert", PROXY(http_tls_cert), AT_ONCE, .type = OPTION_TEXT,
     .help = "a file with the certificate of the HTTP endpoint, which speaks TLS then"},
    {.name = "http_tls_key", PROXY(http_tls_key), AT_ONCE, .type = OPTION_TEXT,
     .help = "the file with its key; not set: http_tls_cert holds it, too"},
    {.name = "http_tls_ca", PROXY(http_tls_ca), AT_ONCE, .type = OPTION_TEXT,
     .help = "a file with CAs: /metrics is for those with a certificate of one of them"},

    {.name = "sentinels", MASTER(sentinels), AT_ONCE, .type = OPTION_ENDPOINTS, .port = 26379,
     .required = true,
     .help = "the Sentinels, separated by commas: host, host:port or [ipv6]:port"},
    {.name = "sentinel_username", MASTER(sentinel_username), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "the ACL user on the Sentinels, with sentinel_password"},
    {.name = "sentinel_password", MASTER(sentinel_password), NEW_CONNECTIONS, .type = OPTION_SECRET,
     .help = "the password of the Sentinels"},
    {.name = "sentinel_password_file", MASTER(sentinel_password), NEW_CONNECTIONS,
     MASTER_PATH(sentinel_password_file), .type = OPTION_SECRET_FILE,
     .help = "a file that holds it; it is read again when the password is refused"},
    {.name = "username", MASTER(username), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "the ACL user of the proxy's own probes, with password"},
    {.name = "password", MASTER(password), NEW_CONNECTIONS, .type = OPTION_SECRET,
     .help = "the password of the proxy's own probes; clients bring their own"},
    {.name = "password_file", MASTER(password), NEW_CONNECTIONS, MASTER_PATH(password_file),
     .type = OPTION_SECRET_FILE,
     .help = "a file that holds it; it is read again when the password is refused"},
    {.name = "hold_timeout", MASTER(hold_timeout), AT_ONCE, .type = OPTION_DURATION, .standard = "20s",
     .min = 10, .max = 10 * MINUTES,
     .help = "how long a request waits for a master before it fails"},
    {.name = "hold_memory", MASTER(hold_memory), AT_ONCE, .type = OPTION_SIZE, .standard = "64mb",
     .min = KB, .max = 64 * GB,
     .help = "bytes of requests that may wait; beyond it they fail at once"},
    {.name = "settle_timeout", MASTER(settle_timeout), AT_ONCE, .type = OPTION_DURATION, .standard = "10s",
     .min = 0, .max = 10 * MINUTES,
     .help = "how long after a promotion NOREPLICAS means waiting, not failing"},
    {.name = "stale_reads", MASTER(stale_reads), AT_ONCE, .type = OPTION_DURATION, .standard = "unlimited",
     .min = 0, .max = 24 * 60 * MINUTES, .word = "unlimited", .word_value = -1,
     .help = "how long replicas are read while there is no master, or none that can be read"},
    {.name = "replica_lag", MASTER(replica_lag), AT_ONCE, .type = OPTION_DURATION, .standard = "10s",
     .min = SECONDS, .max = 60 * MINUTES, .word = "unlimited", .word_value = -1,
     .help = "a replica that is further behind its master is not read"},
    {.name = "promotion", MASTER(promotion), AT_ONCE, .type = OPTION_CHOICE, .standard = "confirmed",
     .choices = promotions,
     .help = "when writes go to a new master: once a majority of the Sentinels names it, or as soon "
             "as it says master"},
    {.name = "reconfigure_assist", MASTER(reconfigure_assist), AT_ONCE, .type = OPTION_CHOICE,
     .standard = "no", .choices = yes_no,
     .help = "with promotion = eager: point a replica at the promoted node, before Sentinel does"},
    {.name = "fence", MASTER(fence), AT_ONCE, .type = OPTION_CHOICE, .standard = "full", .choices = fences,
     .help = "what keeps the old master from taking writes while it is replaced: CLIENT PAUSE WRITE; "
             "full: and its replicas are cut off at the promotion"},
    {.name = "demote", MASTER(demote), AT_ONCE, .type = OPTION_CHOICE, .standard = "no", .choices = yes_no,
     .help = "point the old master at the new one as soon as the switch is confirmed, before Sentinel "
             "does"},
    {.name = "lose_quorum", MASTER(lose_quorum), AT_ONCE, .type = OPTION_CHOICE, .standard = "serve",
     .choices = lose_quorums,
     .help = "without a majority of the Sentinels: go on with the master, or hold writes"},
    {.name = "quorum_timeout", MASTER(quorum_timeout), AT_ONCE, .type = OPTION_DURATION, .standard = "5s",
     .min = 2 * SECONDS, .max = 10 * MINUTES,
     .help = "with lose_quorum = hold: how long after the last majority writes still go on"},
    {.name = "failover_assist", MASTER(failover_assist), AT_ONCE, .type = OPTION_DURATION, .standard = "no",
     .min = 100, .max = 10 * MINUTES, .word = "no", .word_value = -1,
     .help = "ask Sentinel for a failover when the master has refused connections for so long"},
    {.name = "assist_owner", MASTER(assist_owner), AT_ONCE, .type = OPTION_CHOICE, .standard = "no",
     .choices = yes_no,
     .help = "failover_assist works only where this is yes: on exactly one instance"},
    {.name = "tls", MASTER(tls), NEW_CONNECTIONS, .type = OPTION_CHOICE, .standard = "disable", .choices = tls_modes,
     .help = "towards the nodes: require: any certificate will do; verify-ca: one of tls_ca; verify-full, or "
             "yes: and for the node's name"},
    {.name = "sentinel_tls", MASTER(sentinel_tls), NEW_CONNECTIONS, .type = OPTION_CHOICE, .standard = "disable",
     .choices = tls_modes, .help = "the same towards the Sentinels"},
    {.name = "tls_ca", MASTER(tls_ca), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "a file with the CAs that nodes and Sentinels are verified by; not set: the system's"},
    {.name = "tls_cert", MASTER(tls_cert), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "a file with the certificate that is shown to nodes and Sentinels"},
    {.name = "tls_key", MASTER(tls_key), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "the file with its key; not set: tls_cert holds it, too"},
    {.name = "tls_server_name", MASTER(tls_server_name), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "the name that all nodes and Sentinels have in their certificates; not set: each its own, by "
             "which Sentinel or the configuration names it"},
    {.name = "connect_timeout", MASTER(connect_timeout), NEW_CONNECTIONS, .type = OPTION_DURATION, .standard = "1s",
     .min = 10, .max = MINUTES,
     .help = "for connecting to a node or a Sentinel, the handshake included"},
    {.name = "inflight_writes", MASTER(inflight_writes), AT_ONCE, .type = OPTION_CHOICE,
     .standard = "error", .choices = inflight_choices,
     .help = "error: a write that was sent when the master was lost is answered with an error; close: "
             "its client is disconnected, for libraries that repeat by themselves"},

    {.name = "master", LISTEN(master), AT_ONCE, .type = OPTION_TEXT,
     .help = "the name of the [master NAME] section; without it the first one's"},
    {.name = "route", LISTEN(route), NEW_CONNECTIONS, .type = OPTION_CHOICE, .standard = "master", .choices = routes,
     .help = "master: all to the master; replica: reads only; split: reads to replicas, the rest to "
             "the master"},
    {.name = "multiplexing", LISTEN(multiplexing), NEW_CONNECTIONS, .type = OPTION_CHOICE, .standard = "yes",
     .choices = multiplexing_choices,
     .help = "no: every client has a connection to its node of its own, as behind HAProxy"},
    {.name = "allow_replication", LISTEN(allow_replication), NEW_CONNECTIONS, .type = OPTION_CHOICE,
     .standard = "no", .choices = yes_no,
     .help = "yes: SYNC and PSYNC are passed on, for tools that read the replication stream"},
    {.name = "tls", LISTEN(tls), AT_ONCE, .type = OPTION_CHOICE, .standard = "no", .choices = yes_no,
     .help = "yes: clients have to speak TLS here"},
    {.name = "tls_cert", LISTEN(tls_cert), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "a file with the certificate, and those between it and its CA's"},
    {.name = "tls_key", LISTEN(tls_key), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "the file with its key; not set: tls_cert holds it, too"},
    {.name = "tls_ca", LISTEN(tls_ca), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "a file with the CAs that clients are verified by"},
    {.name = "tls_verify_clients", LISTEN(tls_verify_clients), NEW_CONNECTIONS, .type = OPTION_CHOICE,
     .standard = "no", .choices = client_verifications,
     .help = "whether clients need a certificate of one of tls_ca; optional: good where there is one"},
    {.name = "tls_user_from", LISTEN(tls_user_from), NEW_CONNECTIONS, .type = OPTION_CHOICE, .standard = "no",
     .choices = users_from,
     .help = "a client starts as the Redis user whom its certificate names: in its CN, or its first URI"},
    {.name = "tls_users_password_file", LISTEN(tls_users_password_file), NEW_CONNECTIONS, .type = OPTION_TEXT,
     .help = "a file with these users' passwords, one \"name password\" a line"},
};
/* clang-format on */

_Static_assert(sizeof(table) / sizeof(*table) <= OPTIONS_MAX, "OPTIONS_MAX is too small");

const struct config_option *config_table(size_t *count)
{
    *count = sizeof(table) / sizeof(*table);
    return table;
}

const char *section_kind_name(enum section_kind kind)
{
    static const char *const names[SECTION_KINDS] = {
        [SECTION_PROXY] = "proxy", [SECTION_MASTER] = "master", [SECTION_LISTEN] = "listen"};

    return names[kind];
}

const char *option_format_number(char *out, size_t size, const struct config_option *option,
                                 int64_t n)
{
    static const struct unit {
        enum option_type type;
        int64_t factor;
        const char *name;
    } units[] = {
        {OPTION_DURATION, MINUTES, "m"}, {OPTION_DURATION, SECONDS, "s"},
        {OPTION_DURATION, 1, "ms"},      {OPTION_SIZE, GB, "gb"},
        {OPTION_SIZE, MB, "mb"},         {OPTION_SIZE, KB, "kb"},
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (units[i].type == option->type && n && n % units[i].factor == 0) {
            snprintf(out, size, "%" PRId64 "%s", n / units[i].factor, units[i].name);
            return out;
        }
    }
    snprintf(out, size, "%" PRId64 "%s", n, option->type == OPTION_DURATION ? "s" : "");
    return out;
}

/* What may be written, in parentheses. */
static void print_range(FILE *out, const struct config_option *option)
{
    char min[32], max[32];

    if (option->choices) {
        for (const char *const *choice = option->choices; *choice; choice++)
            fprintf(out, "%s%s", choice == option->choices ? "   (" : " | ", *choice);
        fputs(")", out);
    } else if (option->max) {
        fprintf(out, "   (%s to %s%s%s)",
                option_format_number(min, sizeof(min), option, option->min),
                option_format_number(max, sizeof(max), option, option->max),
                option->word ? ", or " : "", option->word ? option->word : "");
    } else if (option->word) {
        fprintf(out, "   (an address, or %s)", option->word);
    }
}

const char *option_reload_name(enum option_reload reload)
{
    switch (reload) {
    case RELOAD_NEW_CONNECTIONS:
        return "new connections";
    case RELOAD_RESTART:
        return "restart";
    default:
        return "";
    }
}

static void print_option(FILE *out, const struct config_option *option)
{
    const char *reload = option_reload_name(option->reload);

    if (option->standard)
        fprintf(out, "  %s = %s", option->name, option->standard);
    else
        fprintf(out, "  %s   %s", option->name, option->required ? "(required)" : "(not set)");
    print_range(out, option);
    fprintf(out, "%s%s%s\n      %s\n", *reload ? "   [" : "", reload, *reload ? "]" : "",
            option->help);
}

void config_print_reference(FILE *out)
{
    static const char *const titles[SECTION_KINDS] = {
        [SECTION_PROXY] = "[proxy]",
        [SECTION_MASTER] = "[master NAME]      one for each group: NAME is Sentinel's master name",
        [SECTION_LISTEN] = "[listen ADDRESS:PORT]      several; without any: 0.0.0.0:6379 with "
                           "route = master,\n                           0.0.0.0:6380 with route = "
                           "replica, for the first group"};

    for (enum section_kind kind = 0; kind < SECTION_KINDS; kind++) {
        fprintf(out, "%s%s\n", kind ? "\n" : "", titles[kind]);
        for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
            if (table[i].section == kind)
                print_option(out, &table[i]);
    }
}
