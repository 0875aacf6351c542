/* config_tls: see the header. */
#include "ops/config_tls.h"

#include "nodes/certificate_users.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MEMORY ((size_t)256 * 1024)
#define KEY_MEMORY_PIECE 32

/* What one pass over the sections needs. */
struct filling {
    struct config *config;
    const struct config_tls *before; /* NULL: none */
    struct config_errors *errors;
    struct tls_settings common; /* what is the same on all connections */
};

static void keep_source(struct config_tls *tls, struct tls_source *source)
{
    struct tls_source **sources = realloc(tls->sources, (tls->count + 1) * sizeof(*sources));
    if (!sources)
        abort();
    tls->sources = sources;
    sources[tls->count++] = source;
}

/* The one of before, if it is set alike: it goes on with its count and with its tickets. NULL: there is none. */
static struct tls_source *same_as_before(const struct filling *filling, const char *name,
                                         const struct tls_settings *settings)
{
    const struct config_tls *before = filling->before;
    for (size_t i = 0; before && i < before->count; i++)
        if (strcmp(tls_source_name(before->sources[i]), name) == 0 &&
            tls_settings_equal(tls_source_settings(before->sources[i]), settings))
            return tls_source_retain(before->sources[i]);
    return NULL;
}

/* It is named "<what> <of>". */
static struct tls_source *add_source(const struct filling *filling, const char *what,
                                     const char *of, const struct tls_settings *settings, int line)
{
    struct config_tls *tls = &filling->config->tls;
    char error[400], name[320];
    snprintf(name, sizeof(name), "%s%s%s", what, *of ? " " : "", of);
    struct tls_source *source = same_as_before(filling, name, settings);
    if (!source)
        source = tls_source_new(name, settings, error, sizeof(error));
    if (!source) {
        config_error(filling->errors, line, "%s", error);
        return NULL;
    }
    keep_source(tls, source);
    return source;
}

/* ---- clients ---- */

static struct tls_source *of_listener(const struct filling *filling, const struct section *section)
{
    const struct listen_settings *listen = &section->settings.listen;
    struct tls_settings settings = filling->common;
    if (!listen->tls) {
        if (listen->tls_cert)
            config_error(filling->errors, config_section_line(section, "tls_cert"),
                         "tls_cert without tls: add tls = yes, or remove it");
        return NULL;
    }
    if (!listen->tls_cert) {
        config_error(filling->errors, config_section_line(section, "tls"),
                     "tls = yes needs a certificate: add tls_cert = FILE and tls_key = FILE");
        return NULL;
    }
    settings.side = TLS_SERVER;
    settings.verify = (enum tls_verify)listen->tls_verify_clients;
    settings.cert = listen->tls_cert;
    settings.key = listen->tls_key;
    settings.ca = listen->tls_ca;
    if (settings.verify != TLS_VERIFY_NONE && !settings.ca)
        config_error(filling->errors, config_section_line(section, "tls_verify_clients"),
                     "tls_verify_clients needs the CAs of the clients: add tls_ca = FILE");
    return add_source(filling, "listener", section->label, &settings,
                      config_section_line(section, "tls_cert"));
}

static struct certificate_users *same_users(const struct filling *filling, const char *path)
{
    const struct config_tls *before = filling->before;
    for (size_t i = 0; before && i < before->user_count; i++)
        if (strcmp(certificate_users_path(before->users[i]), path) == 0)
            return certificate_users_retain(before->users[i]);
    return NULL;
}

/* The passwords of those whom certificates name. */
static struct certificate_users *of_users(const struct filling *filling,
                                          const struct section *section)
{
    const struct listen_settings *listen = &section->settings.listen;
    struct config_tls *tls = &filling->config->tls;
    struct certificate_users *users;
    char error[400];
    if (listen->tls_user_from == USER_FROM_NOTHING)
        return NULL;
    if (listen->tls_verify_clients == TLS_VERIFY_NONE || !listen->tls_users_password_file) {
        config_error(
            filling->errors, config_section_line(section, "tls_user_from"),
            "tls_user_from needs clients with certificates, and their users' passwords: add "
            "tls_verify_clients = required and tls_users_password_file = FILE");
        return NULL;
    }
    users = same_users(filling, listen->tls_users_password_file);
    if (!users)
        users = certificate_users_new(listen->tls_users_password_file, error, sizeof(error));
    if (!users)
        config_error(filling->errors, config_section_line(section, "tls_users_password_file"), "%s",
                     error);
    else
        tls->users[tls->user_count++] = users;
    return users;
}

/* ---- nodes and Sentinels ---- */

static struct tls_source *of_group(const struct filling *filling, const struct section *section,
                                   enum tls_mode mode, const char *what, const char *option)
{
    static const enum tls_verify verify[] = {[TLS_REQUIRE] = TLS_VERIFY_NONE,
                                             [TLS_VERIFY_AUTHORITY] = TLS_VERIFY_CA,
                                             [TLS_VERIFY_FULL] = TLS_VERIFY_NAME,
                                             [TLS_YES] = TLS_VERIFY_NAME};
    const struct master_settings *master = &section->settings.master;
    struct tls_settings settings = filling->common;
    if (mode == TLS_DISABLE)
        return NULL;
    settings.side = TLS_CLIENT;
    settings.verify = verify[mode];
    settings.cert = master->tls_cert;
    settings.key = master->tls_key;
    settings.ca = master->tls_ca;
    settings.server_name = master->tls_server_name;
    return add_source(filling, what, section->label, &settings,
                      config_section_line(section, option));
}

static void check_group(const struct filling *filling, const struct section *section)
{
    const struct master_settings *master = &section->settings.master;
    if (master->tls == TLS_DISABLE && master->sentinel_tls == TLS_DISABLE &&
        (master->tls_ca || master->tls_cert || master->tls_key || master->tls_server_name))
        config_error(
            filling->errors, section->line,
            "certificates without tls or sentinel_tls: add tls = verify-full, or remove them");
    if (master->tls_key && !master->tls_cert)
        config_error(filling->errors, config_section_line(section, "tls_key"),
                     "tls_key without tls_cert: add tls_cert = FILE, or remove it");
}

/* ---- the HTTP endpoint ---- */

static void fill_http(const struct filling *filling, const struct proxy_settings *proxy)
{
    struct tls_settings settings = filling->common;
    int line = 0;
    for (size_t i = 0; i < filling->config->sections->count; i++)
        if (filling->config->sections->items[i]->kind == SECTION_PROXY)
            line = filling->config->sections->items[i]->line;
    if (!proxy->http_tls_cert) {
        if (proxy->http_tls_key || proxy->http_tls_ca)
            config_error(filling->errors, line,
                         "http_tls_key or http_tls_ca without http_tls_cert: add it");
        return;
    }
    settings.side = TLS_SERVER;
    settings.verify = proxy->http_tls_ca ? TLS_VERIFY_OPTIONAL : TLS_VERIFY_NONE;
    settings.cert = proxy->http_tls_cert;
    settings.key = proxy->http_tls_key;
    settings.ca = proxy->http_tls_ca;
    filling->config->tls.http = add_source(filling, "http", "", &settings, line);
}

/* ---- all ---- */

/* Private keys stand in memory that is not swapped and not dumped, as far as the process may lock some. */
static void prepare_memory(void)
{
    if (!CRYPTO_secure_malloc_initialized())
        (void)CRYPTO_secure_malloc_init(KEY_MEMORY, KEY_MEMORY_PIECE);
}

static size_t index_of(const struct config *config, const char *name)
{
    size_t index = 0;
    while (strcmp(config->traffic.groups[index].name, name) != 0)
        index++;
    return index;
}

/* Sessions that are on their way out may need a connection to their group. */
static void keep_gone(struct config *config)
{
    for (size_t i = 0; i < config->traffic.group_count; i++)
        if (config->traffic.groups[i].gone && config->traffic.groups[i].tls)
            keep_source(&config->tls, tls_source_retain(config->traffic.groups[i].tls));
}

void config_tls_fill(struct config *config, const struct proxy_settings *proxy,
                     const struct config_tls *before, struct config_errors *errors)
{
    const struct filling filling = {
        .config = config,
        .before = before,
        .errors = errors,
        .common = {.min_version = (enum tls_version)proxy->tls_min_version,
                   .ciphers = proxy->tls_ciphers,
                   .ciphersuites = proxy->tls_ciphersuites,
                   .groups = proxy->tls_groups}};
    struct traffic_group_options *groups = (struct traffic_group_options *)config->traffic.groups;
    struct traffic_listener_options *listeners =
        (struct traffic_listener_options *)config->traffic.listeners;
    prepare_memory();
    config->tls.users =
        calloc(config->traffic.listener_count + 1, sizeof(struct certificate_users *));
    if (!config->tls.users)
        abort();
    for (size_t i = 0, listener = 0; i < config->sections->count; i++) {
        const struct section *section = config->sections->items[i];
        if (section->kind == SECTION_LISTEN) {
            struct traffic_listener_options *options = &listeners[listener++];
            options->tls = of_listener(&filling, section);
            options->user_from = (enum tls_user_from)section->settings.listen.tls_user_from;
            options->users = of_users(&filling, section);
        } else if (section->kind == SECTION_MASTER) {
            const struct master_settings *master = &section->settings.master;
            size_t group = index_of(config, section->label);
            check_group(&filling, section);
            groups[group].tls =
                of_group(&filling, section, (enum tls_mode)master->tls, "nodes of", "tls");
            config->topology[group].tls = groups[group].tls;
            config->topology[group].sentinel_tls =
                of_group(&filling, section, (enum tls_mode)master->sentinel_tls, "Sentinels of",
                         "sentinel_tls");
        }
    }
    keep_gone(config);
    fill_http(&filling, proxy);
}

void config_tls_free(struct config_tls *tls)
{
    for (size_t i = 0; i < tls->count; i++)
        tls_source_release(tls->sources[i]);
    free(tls->sources);
    for (size_t i = 0; i < tls->user_count; i++)
        certificate_users_release(tls->users[i]);
    free(tls->users);
}
