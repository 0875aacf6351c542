/*
 * config: the configuration file as the rooms' option structs.
 *
 *     file -> config_ini (lines) -> config_sections (settings, by the option table)
 *          -> checks between sections -> the rooms' structs
 *
 * The structs point into the sections, which live as long as the config.
 */
#include "ops/config.h"

#include "base/cpus.h"
#include "ops/config_sections.h"
#include "ops/config_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1024 * 1024)

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (!memory)
        abort();
    return memory;
}

/* ---- checks between sections ---- */

static size_t count_kind(const struct config_sections *sections, enum section_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < sections->count; i++)
        count += sections->items[i]->kind == kind;
    return count;
}

/* The index of the group with this name among the groups (NULL: the first), or -1. */
static int find_group(const struct config_sections *sections, const char *name)
{
    int index = 0;

    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section->kind != SECTION_MASTER)
            continue;
        if (!name || strcmp(section->label, name) == 0)
            return index;
        index++;
    }
    return -1;
}

static void check_group_named(const struct config_sections *sections, const struct section *listen,
                              struct config_errors *errors)
{
    const char *names[64], *name = listen->settings.listen.master;
    size_t count = 0;

    if (!name || find_group(sections, name) >= 0)
        return;
    for (size_t i = 0; i < sections->count && count < 64; i++)
        if (sections->items[i]->kind == SECTION_MASTER)
            names[count++] = sections->items[i]->label;
    const char *nearest = config_nearest(name, names, count);
    int line = config_section_line(listen, "master");
    if (nearest)
        config_error(errors, line, "master = %s names no group: did you mean %s?", name, nearest);
    else
        config_error(errors, line, "master = %s names no group: add a section [master %s]", name,
                     name);
}

static bool is_wildcard(const struct address *address)
{
    if (address->sa.any.sa_family == AF_INET)
        return address->sa.v4.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&address->sa.v6.sin6_addr);
}

/* Whether the kernel would refuse the second of the two. */
static bool collide(const struct address *a, const struct address *b)
{
    if (!a->len || !b->len || a->sa.any.sa_family != b->sa.any.sa_family)
        return false;
    if (a->sa.v4.sin_port != b->sa.v4.sin_port) /* the same place in both families */
        return false;
    return is_wildcard(a) || is_wildcard(b) || address_equal(a, b);
}

static void check_address_free(const struct config *config, size_t at, struct config_errors *errors)
{
    const struct section *listen = config->sections->items[at];

    for (size_t i = 0; i < at; i++) {
        const struct section *other = config->sections->items[i];
        if (other->kind != SECTION_LISTEN || strcmp(other->label, listen->label) == 0)
            continue; /* the same text twice was reported already */
        if (collide(&listen->address, &other->address))
            config_error(errors, listen->line,
                         "[listen %s] takes the address of [listen %s] on line %d: choose another "
                         "address or port",
                         listen->label, other->label, other->line);
    }
    if (collide(&listen->address, &config->http))
        config_error(
            errors, listen->line,
            "[listen %s] takes the address of http in [proxy]: choose another port for one "
            "of them",
            listen->label);
}

static void check_credentials(const struct section *master, struct config_errors *errors)
{
    const struct master_settings *settings = &master->settings.master;

    if (settings->username && !settings->password)
        config_error(errors, config_section_line(master, "username"),
                     "username without a password: add password or password_file");
    if (settings->sentinel_username && !settings->sentinel_password)
        config_error(errors, config_section_line(master, "sentinel_username"),
                     "sentinel_username without a password: add sentinel_password or "
                     "sentinel_password_file");
}

static void check_assists(const struct section *master, struct config_errors *errors)
{
    const struct master_settings *settings = &master->settings.master;

    if (settings->reconfigure_assist && settings->promotion != PROMOTION_EAGER)
        config_error(errors, config_section_line(master, "reconfigure_assist"),
                     "reconfigure_assist without eager promotion does nothing: add promotion = "
                     "eager, or remove it");
    if (settings->assist_owner && settings->failover_assist < 0)
        config_error(errors, config_section_line(master, "assist_owner"),
                     "assist_owner without failover_assist owns nothing: add failover_assist = "
                     "500ms, or remove it");
}

static void check_log(const struct section *proxy, struct config_errors *errors)
{
    if (strlen(proxy->settings.proxy.syslog_socket) > LOG_SOCKET_MAX)
        config_error(
            errors, config_section_line(proxy, "syslog_socket"),
            "syslog_socket is longer than %d bytes, which is all that a Unix socket's name may "
            "have: choose a shorter path",
            LOG_SOCKET_MAX);
}

static void check(const struct config *config, struct config_errors *errors)
{
    const struct config_sections *sections = config->sections;

    if (!count_kind(sections, SECTION_MASTER))
        config_error(errors, 1,
                     "there is no group: add [master NAME] with sentinels = host:port, ...");
    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section->kind == SECTION_LISTEN) {
            check_group_named(sections, section, errors);
            check_address_free(config, i, errors);
        } else if (section->kind == SECTION_MASTER) {
            check_credentials(section, errors);
            check_assists(section, errors);
        } else {
            check_log(section, errors);
        }
    }
}

/* ---- what is not in the file ---- */

static const struct proxy_settings *proxy_settings(struct config_sections *sections)
{
    for (size_t i = 0; i < sections->count; i++)
        if (sections->items[i]->kind == SECTION_PROXY)
            return &sections->items[i]->settings.proxy;
    return &config_sections_add(sections, SECTION_PROXY, "", 0)->settings.proxy;
}

static void add_default_listener(struct config_sections *sections, const char *address,
                                 enum route route)
{
    struct section *listen = config_sections_add(sections, SECTION_LISTEN, address, 0);

    listen->settings.listen.route = route;
    if (endpoint_parse(&listen->endpoint, address, 0) < 0 ||
        address_from_number(&listen->address, listen->endpoint.host, listen->endpoint.port) < 0)
        abort();
}

static void add_default_listeners(struct config_sections *sections)
{
    if (count_kind(sections, SECTION_LISTEN))
        return;
    add_default_listener(sections, "0.0.0.0:6379", ROUTE_MASTER);
    add_default_listener(sections, "0.0.0.0:6380", ROUTE_REPLICA);
}

/* ---- the rooms' structs ---- */

static void fill_group(const struct section *section, struct topology_options *topology,
                       struct traffic_group_options *traffic)
{
    const struct master_settings *settings = &section->settings.master;

    *topology = (struct topology_options){
        .name = section->label,
        .sentinels = settings->sentinels.items,
        .sentinel_count = settings->sentinels.count,
        .sentinel_username = settings->sentinel_username,
        .sentinel_password = settings->sentinel_password,
        .sentinel_password_file = settings->sentinel_password_file,
        .username = settings->username,
        .password = settings->password,
        .password_file = settings->password_file,
        .promotion = (enum promotion)settings->promotion,
        .reconfigure_assist = settings->reconfigure_assist,
        .fence = (enum fence)settings->fence,
        .demote = settings->demote,
        .lose_quorum = (enum lose_quorum)settings->lose_quorum,
        .quorum_timeout_ms = settings->quorum_timeout,
        .failover_assist_ms = settings->failover_assist,
        .assist_owner = settings->assist_owner,
        .replica_lag_ms = settings->replica_lag,
        .settle_timeout_ms = settings->settle_timeout,
        .stale_reads_ms = settings->stale_reads,
        .connect_timeout_ms = settings->connect_timeout,
    };
    *traffic = (struct traffic_group_options){
        .name = section->label,
        .hold_timeout_ms = settings->hold_timeout,
        .hold_memory = (size_t)settings->hold_memory,
        .connect_timeout_ms = settings->connect_timeout,
        .inflight_writes = (enum inflight_writes)settings->inflight_writes,
    };
}

static size_t workers(int64_t setting)
{
    size_t count = setting ? (size_t)setting : cpus_available();

    return count < WORKERS_MAX ? count : WORKERS_MAX;
}

static void fill_rooms(struct config *config, const struct proxy_settings *proxy)
{
    const struct config_sections *sections = config->sections;
    size_t group_count = count_kind(sections, SECTION_MASTER), group = 0;
    size_t listener_count = count_kind(sections, SECTION_LISTEN), listener = 0;
    struct traffic_group_options *groups = allocate(group_count, sizeof(*groups));
    struct traffic_listener_options *listeners = allocate(listener_count, sizeof(*listeners));

    config->topology = allocate(group_count, sizeof(*config->topology));
    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section->kind == SECTION_MASTER) {
            fill_group(section, &config->topology[group], &groups[group]);
            group++;
        } else if (section->kind == SECTION_LISTEN) {
            listeners[listener++] = (struct traffic_listener_options){
                .endpoint = section->endpoint,
                .address = section->address,
                .group = (size_t)find_group(sections, section->settings.listen.master),
                .route = (enum route)section->settings.listen.route,
                .multiplexing = (enum multiplexing)section->settings.listen.multiplexing,
                .allow_replication = section->settings.listen.allow_replication,
            };
        }
    }
    config->traffic = (struct traffic_options){
        .groups = groups,
        .group_count = group_count,
        .listeners = listeners,
        .listener_count = listener_count,
        .workers = workers(proxy->workers),
        .max_clients = (size_t)proxy->max_clients,
        .request_max = (size_t)proxy->request_max,
        .request_memory = (size_t)proxy->request_memory,
        .output_high = (size_t)proxy->output_high,
        .output_limit = (size_t)proxy->output_limit,
        .output_memory = (size_t)proxy->output_memory,
        .slowlog_ms = proxy->slowlog_threshold,
        .drain_timeout_ms = proxy->drain_timeout,
        .drain_delay_ms = proxy->drain_delay,
        .handshake_timeout_ms = proxy->handshake_timeout,
        .tcp_keepalive_ms = proxy->tcp_keepalive,
        .tcp_user_timeout_ms = proxy->tcp_user_timeout,
    };
}

static void fill_log(struct config *config, const struct proxy_settings *proxy)
{
    config->log = (enum log_level)proxy->log;
    config->log_setup = (struct log_setup){
        .format = (enum log_format)proxy->log_format,
        .target = (enum log_target)proxy->log_target,
        .socket = proxy->syslog_socket,
        .facility = log_setup_facility((size_t)proxy->syslog_facility),
    };
    config->history_file = proxy->history_file;
}

/* ---- loading ---- */

static void fill_admin(struct config *config)
{
    for (size_t i = 0; i < config->sections->count; i++) {
        const struct section *section = config->sections->items[i];
        if (section->kind != SECTION_PROXY)
            continue;
        const char *path = section->settings.proxy.admin;
        config->admin = (struct config_admin){
            .path = path && strcmp(path, "off") != 0 ? path : NULL,
            .given = config_section_line(section, "admin") != section->line,
            .group = section->settings.proxy.admin_group,
        };
    }
}

/* The file's text, to be wiped and freed, or NULL after an error. */
static char *read_file(const char *path, size_t *len, struct config_errors *errors)
{
    FILE *file = fopen(path, "re");
    char *text = allocate(1, FILE_MAX + 1);

    if (!file) {
        config_error(errors, 0, "cannot be opened (%s): check the path after -c", strerror(errno));
        free(text);
        return NULL;
    }
    setvbuf(file, NULL, _IONBF, 0); /* no second copy that nobody would wipe */
    *len = fread(text, 1, FILE_MAX + 1, file);
    if (ferror(file))
        config_error(errors, 0, "cannot be read (%s): it must be a file", strerror(errno));
    else if (*len > FILE_MAX)
        config_error(errors, 0, "is larger than 1 MB: this is no configuration file");
    fclose(file);
    return text;
}

static void read_sections(struct config *config, const char *path, struct config_errors *errors)
{
    size_t len = 0;
    char *text = read_file(path, &len, errors);

    if (!text)
        return;
    if (!errors->count)
        config_sections_read(config->sections, text, len, errors);
    explicit_bzero(text, FILE_MAX + 1);
    free(text);
}

struct config *config_load(const char *path, FILE *errors_out)
{
    struct config *config = allocate(1, sizeof(*config));
    struct config_errors errors = {.file = path};

    config->sections = allocate(1, sizeof(*config->sections));
    read_sections(config, path, &errors);
    /* A file that could not be read has no lines to check. */
    bool unread = errors.count && !config->sections->count && errors.items[0].line == 0;
    const struct proxy_settings *proxy = proxy_settings(config->sections);
    fill_log(config, proxy);
    config->http = proxy->http;
    fill_admin(config);
    config->takeover = proxy->takeover;
    add_default_listeners(config->sections);
    if (!unread)
        check(config, &errors);
    if (!errors.count) {
        fill_rooms(config, proxy);
        config_tls_fill(config, proxy, &errors);
    }
    if (errors.count) {
        config_errors_print(&errors, errors_out);
        config_errors_free(&errors);
        config_free(config);
        return NULL;
    }
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    config_tls_free(&config->tls);
    free(config->topology);
    free((void *)config->traffic.groups);
    free((void *)config->traffic.listeners);
    config_sections_free(config->sections);
    free(config->sections);
    free(config);
}
