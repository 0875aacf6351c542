/*
 * config: the configuration file as the rooms' option structs.
 *
 *     file -> config_ini (lines) -> config_sections (settings, by the option table)
 *          -> config_environment (what is stronger) -> checks between sections -> config_rooms, config_tls (the rooms' structs)
 *
 * The structs point into the sections, which live as long as the config.
 */
#include "ops/config.h"

#include "ops/config_environment.h"
#include "ops/config_rooms.h"
#include "ops/config_sections.h"
#include "ops/config_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (!memory)
        abort();
    return memory;
}

/* ---- checks between sections ---- */

static bool has_group(const struct config_sections *sections, const char *name)
{
    for (size_t i = 0; i < sections->count; i++)
        if (sections->items[i]->kind == SECTION_MASTER &&
            strcmp(sections->items[i]->label, name) == 0)
            return true;
    return false;
}

static void check_group_named(const struct config_sections *sections, const struct section *listen,
                              struct config_errors *errors)
{
    const char *names[64], *name = listen->settings.listen.master;
    size_t count = 0;

    if (!name || has_group(sections, name))
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
        if (!collide(&listen->address, &other->address))
            continue;
        char where[24] = "";
        if (other->line > 0)
            snprintf(where, sizeof(where), " on line %d", other->line);
        config_error(errors, listen->line,
                     "[listen %s] takes the address of [listen %s]%s: choose another address or "
                     "port",
                     listen->label, other->label, where);
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

    if (!config_count(sections, SECTION_MASTER))
        config_error(errors, errors->file ? 1 : LINE_ENVIRONMENT,
                     errors->file
                         ? "there is no group: add [master NAME] with sentinels = host:port, ..."
                         : "there is no group: set REDISPROXY_MASTER_SENTINELS=host:port,...");
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
    if (config_section_listen_at(listen) < 0)
        abort();
}

static void add_default_listeners(struct config_sections *sections)
{
    if (config_count(sections, SECTION_LISTEN))
        return;
    add_default_listener(sections, "0.0.0.0:6379", ROUTE_MASTER);
    add_default_listener(sections, "0.0.0.0:6380", ROUTE_REPLICA);
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
            .given = config_section_given(section, "admin") != 0,
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

struct config *config_load(const char *path, FILE *errors)
{
    return config_load_next(path, NULL, errors);
}

struct config *config_load_next(const char *path, const struct config *running, FILE *errors_out)
{
    struct config *config = allocate(1, sizeof(*config));
    struct config_errors errors = {.file = path};

    config->sections = allocate(1, sizeof(*config->sections));
    if (path)
        read_sections(config, path, &errors);
    /* A file that could not be read has no lines to check. */
    bool unread = errors.count && !config->sections->count && errors.items[0].line == 0;
    const struct proxy_settings *proxy = proxy_settings(config->sections);
    add_default_listeners(config->sections);
    if (!unread) {
        config_environment_read(config->sections, &errors);
        config_sections_require(config->sections, &errors);
    }
    fill_log(config, proxy);
    config->http = proxy->http;
    fill_admin(config);
    config->takeover = proxy->takeover;
    if (!unread)
        check(config, &errors);
    if (!errors.count)
        config_rooms_fill(config, proxy, running, &errors);
    if (!errors.count)
        config_tls_fill(config, proxy, running ? &running->tls : NULL, &errors);
    if (errors.count) {
        config_errors_print(&errors, errors_out);
        config_errors_free(&errors);
        config_discard(config, running);
        return NULL;
    }
    return config;
}

int config_read_http(const char *path, struct config_http *out)
{
    struct config config = {.sections = allocate(1, sizeof(*config.sections))};
    struct config_errors errors = {.file = path};

    if (path && access(path, R_OK) != 0) {
        free(config.sections);
        return -1;
    }
    if (path)
        read_sections(&config, path, &errors);
    const struct proxy_settings *proxy = proxy_settings(config.sections);
    config_environment_read(config.sections, &errors);
    *out = (struct config_http){.address = proxy->http, .tls = proxy->http_tls_cert != NULL};
    config_errors_free(&errors);
    config_sections_free(config.sections);
    free(config.sections);
    return 0;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    config_tls_free(&config->tls);
    free(config->topology);
    free((void *)config->traffic.groups);
    free((void *)config->traffic.listeners);
    config_names_release(config->names);
    config_sections_free(config->sections);
    free(config->sections);
    free(config);
}

void config_discard(struct config *config, const struct config *running)
{
    if (running && config->names)
        config_names_forget(config->names, running);
    config_free(config);
}
