/*
 * config_environment: every option of the table can be set by a variable, which is stronger than the file; sections are
 * numbered, and there need be none in a file; what is mistyped is told with its mend.
 */
#include "ops/config.h"
#include "ops/config_diff.h"
#include "ops/config_environment.h"
#include "unit/option_values.h"

#define FILE_TEXT "[proxy]\n[master m]\nsentinels = s1\n[listen 127.0.0.1:6379]\n"

static char *said;

/* NULL: without a file. The caller frees it. */
static struct config *load(const char *text)
{
    char path[] = "/tmp/test_environment.XXXXXX";
    size_t len;
    FILE *errors = open_memstream(&said, &len);
    if (text) {
        int fd = mkstemp(path);
        cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        close(fd);
    }
    struct config *config = config_load(text ? path : NULL, errors);
    fclose(errors);
    if (text)
        unlink(path);
    return config;
}

static struct config *accepted(const char *text)
{
    struct config *config = load(text);
    cr_assert_not_null(config, "%s", said);
    free(said);
    return config;
}

static void refused(const char *text, const char *why)
{
    struct config *config = load(text);
    cr_assert_null(config, "accepted, instead of: %s", why);
    cr_assert_eq(strncmp(said, "environment: ", 13), 0, "%s", said);
    cr_assert_not_null(strstr(said, why), "wanted \"%s\": %s", why, said);
    cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "more than one error: %s", said);
    free(said);
}

/* ---- each option ---- */

static void ignore(void *data, const struct config_change *change)
{
    (void)data;
    (void)change;
}

static struct config_sections read_text(const char *text)
{
    struct config_sections sections = {0};
    struct config_errors errors = {.file = "test"};
    char *copy = strdup(text);
    config_sections_read(&sections, copy, strlen(copy), &errors);
    config_environment_read(&sections, &errors);
    cr_assert_eq(errors.count, 0, "%s: %s", text, errors.count ? errors.items[0].text : "");
    free(copy);
    return sections;
}

static const struct section *of_kind(const struct config_sections *sections, enum section_kind kind)
{
    size_t i = 0;
    while (sections->items[i]->kind != kind)
        i++;
    return sections->items[i];
}

/* The file with a line for the option: its other value, or, as a file may have it, its default. */
static const char *with_line(const struct config_option *option, const char *value)
{
    static char text[1024];
    const char *line[SECTION_KINDS] = {"", "", ""};
    char one[300] = "";
    if (value)
        snprintf(one, sizeof(one), "%s = %s\n", option->name, value);
    line[option->section] = one;
    snprintf(text, sizeof(text), "[proxy]\n%s[master m]\n%s%s[listen 127.0.0.1:6379]\n%s",
             line[SECTION_PROXY], option->required ? "" : "sentinels = s1\n", line[SECTION_MASTER],
             line[SECTION_LISTEN]);
    return text;
}

Test(config_environment, every_option_can_be_set)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    make_secret_file();
    for (size_t i = 0; i < count; i++) {
        char name[CONFIG_VARIABLE_MAX];
        const char *value = other_value(&table[i]);
        struct config_sections file = read_text(with_line(&table[i], value));
        setenv(config_variable(name, &table[i]), value, 1);
        struct config_sections environment = read_text(with_line(&table[i], table[i].standard));
        cr_assert_eq(config_diff(&file, &environment, ignore, NULL), 0, "%s", name);
        cr_assert_eq(config_section_given(of_kind(&environment, table[i].section), table[i].name),
                     LINE_ENVIRONMENT, "%s", name);
        setenv(name, "", 1);
        struct config_sections empty = read_text(with_line(&table[i], value));
        cr_assert_eq(config_diff(&file, &empty, ignore, NULL), 0, "%s: empty is not set", name);
        unsetenv(name);
        config_sections_free(&file);
        config_sections_free(&environment);
        config_sections_free(&empty);
    }
    unlink(secret_file);
}

/* ---- without a file ---- */

Test(config_environment, sentinels_are_enough)
{
    char text[ENDPOINT_TEXT_MAX];
    cr_assert_not(config_environment_suffices());
    setenv("REDISPROXY_MASTER_SENTINELS", "a, b:1", 1);
    cr_assert(config_environment_suffices());
    struct config *config = accepted(NULL);
    cr_assert_eq(config->traffic.group_count, 1);
    cr_assert_str_eq(config->topology[0].name, "mymaster");
    cr_assert_eq(config->topology[0].sentinel_count, 2);
    cr_assert_eq(config->traffic.listener_count, 2);
    cr_assert_str_eq(address_format(text, sizeof(text), &config->traffic.listeners[1].address),
                     "0.0.0.0:6380");
    config_free(config);
    setenv("REDISPROXY_MASTER_NAME", "argocd", 1);
    config = accepted(NULL);
    cr_assert_str_eq(config->topology[0].name, "argocd");
    config_free(config);
    config_environment_set("c", "cli"); /* the command line's words are stronger */
    config = accepted(NULL);
    cr_assert_str_eq(config->topology[0].name, "cli");
    cr_assert_str_eq(config->topology[0].sentinels[0].host, "c");
    config_free(config);
}

Test(config_environment, nothing_at_all_is_no_configuration)
{
    refused(NULL, "there is no group: set REDISPROXY_MASTER_SENTINELS=");
    setenv("REDISPROXY_MASTER_HOLD_TIMEOUT", "3s", 1);
    refused(NULL, "[master mymaster] has no sentinels");
}

/* ---- numbers ---- */

Test(config_environment, a_number_is_stronger_than_none)
{
    setenv("REDISPROXY_MASTER_HOLD_TIMEOUT", "3s", 1);
    setenv("REDISPROXY_MASTER_2_HOLD_TIMEOUT", "4s", 1);
    struct config *config = accepted("[master a]\nsentinels = s\nhold_timeout = 9s\n"
                                     "[master b]\nsentinels = s\nhold_timeout = 9s\n");
    cr_assert_eq(config->traffic.groups[0].hold_timeout_ms, 3000);
    cr_assert_eq(config->traffic.groups[1].hold_timeout_ms, 4000);
    config_free(config);
}

Test(config_environment, sections_are_added_and_taken_away)
{
    char text[ENDPOINT_TEXT_MAX];
    setenv("REDISPROXY_MASTER_1_SENTINELS", "s", 1);
    setenv("REDISPROXY_MASTER_2_SENTINELS", "t", 1);
    setenv("REDISPROXY_MASTER_2_NAME", "other", 1);
    setenv("REDISPROXY_LISTEN_ROUTE", "split", 1);
    setenv("REDISPROXY_LISTEN_2_ADDRESS", "off", 1);
    setenv("REDISPROXY_LISTEN_3_ADDRESS", "[::1]:7000", 1);
    setenv("REDISPROXY_LISTEN_3_MASTER", "other", 1);
    struct config *config = accepted(NULL);
    const struct traffic_listener_options *l = config->traffic.listeners;
    cr_assert_eq(config->traffic.group_count, 2);
    cr_assert_str_eq(config->topology[1].name, "other");
    cr_assert_eq(config->traffic.listener_count, 2);
    cr_assert_str_eq(address_format(text, sizeof(text), &l[0].address), "0.0.0.0:6379");
    cr_assert_str_eq(address_format(text, sizeof(text), &l[1].address), "[::1]:7000");
    cr_assert_eq(l[0].route, ROUTE_SPLIT);
    cr_assert_eq(l[1].route, ROUTE_SPLIT);
    cr_assert_eq(l[1].group, 1);
    config_free(config);
}

/* ---- secrets ---- */

Test(config_environment, a_secret_is_taken_as_it_stands_and_replaces_a_file)
{
    make_secret_file();
    char text[256];
    snprintf(text, sizeof(text), FILE_TEXT "[master n]\nsentinels = s\npassword_file = %s\n",
             secret_file);
    setenv("REDISPROXY_MASTER_2_PASSWORD", "a ; b${NOT} ", 1);
    struct config *config = accepted(text);
    cr_assert_str_eq(config->topology[1].password, "a ; b${NOT} ");
    cr_assert_null(config->topology[1].password_file);
    config_free(config);
    setenv("REDISPROXY_MASTER_2_PASSWORD_FILE", secret_file, 1);
    refused(text, "REDISPROXY_MASTER_2_PASSWORD_FILE is set although "
                  "REDISPROXY_MASTER_2_PASSWORD is: unset one of the two");
    unsetenv("REDISPROXY_MASTER_2_PASSWORD");
    snprintf(text, sizeof(text), FILE_TEXT "[master n]\nsentinels = s\npassword = x\n");
    config = accepted(text);
    cr_assert_str_eq(config->topology[1].password, "hush-from-file");
    cr_assert_str_eq(config->topology[1].password_file, secret_file);
    config_free(config);
    unlink(secret_file);
}

/* ---- mistakes ---- */

static void wrong(const char *name, const char *value, const char *why)
{
    setenv(name, value, 1);
    refused(FILE_TEXT, why);
    unsetenv(name);
}

Test(config_environment, mistakes_are_told_with_their_mend)
{
    wrong("REDISPROXY_MASTER_SENTINEL", "a", "did you mean REDISPROXY_MASTER_SENTINELS?");
    wrong("REDISPROXY_SENTINELS", "a",
          "lacks its section: did you mean REDISPROXY_MASTER_SENTINELS?");
    wrong("REDISPROXY_MASTER_1_HOLD_TIMOUT", "1s",
          "did you mean REDISPROXY_MASTER_1_HOLD_TIMEOUT?");
    wrong("REDISPROXY_PROXY_NONSENSE_AND_MORE", "1", "is no setting: unset it");
    wrong("REDISPROXY_PROXY_WORKERS", "many",
          "REDISPROXY_PROXY_WORKERS: workers = many is not a number");
    wrong("REDISPROXY_MASTER_3_SENTINELS", "a", "number them without a gap");
    wrong("REDISPROXY_MASTER_65_SENTINELS", "a", "the numbers are 1 to 64");
    wrong("REDISPROXY_MASTER_NAME", "two words", "is not the one word");
    wrong("REDISPROXY_LISTEN_ADDRESS", "localhost:1", "is not a numeric address and a port");
    wrong("REDISPROXY_LISTEN_2_ROUTE", "master", "REDISPROXY_LISTEN_2_ADDRESS is not set");
    wrong("REDISPROXY_LISTEN_2_ADDRESS", "127.0.0.1:6379",
          "there is a [listen 127.0.0.1:6379] already");
}

/* What Kubernetes sets for Services of such names, and what is not about us. */
Test(config_environment, others_variables_mean_nothing)
{
    static const char *const names[] = {"REDISPROXY_SERVICE_HOST",
                                        "REDISPROXY_SERVICE_PORT",
                                        "REDISPROXY_PORT",
                                        "REDISPROXY_PORT_6379_TCP_ADDR",
                                        "REDISPROXY_MASTER_SERVICE_HOST",
                                        "REDISPROXY_MASTER_PORT",
                                        "REDISPROXY_MASTER_2_SERVICE_PORT",
                                        "REDISPROXY_MASTER_PORT_6379_TCP_PROTO",
                                        "REDISPROXY_PROXY_SERVICE_PORT_TCP",
                                        "REDISPROXY_LISTEN_PORT_6380_TCP",
                                        "REDISPROXY_SUCCEEDS", /* our own, for who takes over */
                                        "REDISPROXY_IMAGE",
                                        "REDISPROXY_VERSION"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        setenv(names[i], "tcp://10.0.0.1:6379", 1);
    config_free(accepted(FILE_TEXT));
}

/* ---- where the web server is ---- */

Test(config_environment, where_to_ask_is_known_whatever_else_is_wrong)
{
    char path[] = "/tmp/test_environment.XXXXXX", text[ENDPOINT_TEXT_MAX];
    static const char file[] = "[proxy]\nhttp = 127.0.0.1:1\nlog = nonsense\n[nothing]\n";
    struct config_http http;
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, file, sizeof(file) - 1) == sizeof(file) - 1);
    close(fd);
    cr_assert_eq(config_read_http(path, &http), 0);
    cr_assert_str_eq(address_format(text, sizeof(text), &http.address), "127.0.0.1:1");
    cr_assert_not(http.tls);
    setenv("REDISPROXY_PROXY_HTTP", "[::1]:2", 1);
    setenv("REDISPROXY_PROXY_HTTP_TLS_CERT", "/a", 1);
    cr_assert_eq(config_read_http(path, &http), 0);
    cr_assert_str_eq(address_format(text, sizeof(text), &http.address), "[::1]:2");
    cr_assert(http.tls);
    unlink(path);
    cr_assert_eq(config_read_http(path, &http), -1);
    cr_assert_eq(config_read_http(NULL, &http), 0);
}
