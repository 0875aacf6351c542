/*
 * config: every mistake is reported with its line and its mend, all of them at
 * once; a good file arrives in the rooms' structs; conf/proxy.conf tells the
 * truth about every option.
 */
#include "base/cpus.h"
#include "ops/config.h"
#include "ops/config_table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP "[master m]\nsentinels = s1, s2:1, [::1]:2\n"

static char path[] = "/tmp/test_config.XXXXXX", *said;

static struct config *load_bytes(const char *text, size_t text_len)
{
    size_t len;
    FILE *errors = open_memstream(&said, &len);
    int fd = mkstemp(strcpy(path, "/tmp/test_config.XXXXXX"));

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, text_len), (ssize_t)text_len);
    close(fd);
    struct config *config = config_load(path, errors);
    unlink(path);
    fclose(errors);
    return config;
}

static struct config *load(const char *text)
{
    return load_bytes(text, strlen(text));
}

/* The file must be refused with exactly one line, which has this number and holds both texts. */
static void refused(const char *text, int line, const char *what, const char *mend)
{
    char place[64];
    struct config *config = load(text);

    cr_assert_null(config, "accepted: %s", text);
    snprintf(place, sizeof(place), "%s:%d: ", path, line);
    cr_assert_eq(strncmp(said, place, strlen(place)), 0, "wanted line %d: %s", line, said);
    cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "more than one error: %s", said);
    cr_assert_not_null(strstr(said, what), "wanted \"%s\": %s", what, said);
    cr_assert_not_null(strstr(said, mend), "wanted \"%s\": %s", mend, said);
    free(said);
}

static struct config *accepted(const char *text)
{
    struct config *config = load(text);

    cr_assert_not_null(config, "%s", said);
    cr_assert_str_eq(said, "");
    free(said);
    return config;
}

/* ---- good files ---- */

Test(config, a_group_is_enough)
{
    char out[ENDPOINT_TEXT_MAX];
    struct config *c = accepted(GROUP);

    cr_assert_eq(c->log, LOG_INFO);
    cr_assert_str_eq(address_format(out, sizeof(out), &c->http), "0.0.0.0:8888");
    cr_assert_eq(c->traffic.group_count, 1);
    const struct topology_options *t = &c->topology[0];
    cr_assert_str_eq(t->name, "m");
    cr_assert_eq(t->sentinel_count, 3);
    cr_assert_str_eq(endpoint_format(out, sizeof(out), &t->sentinels[0]), "s1:26379");
    cr_assert_str_eq(endpoint_format(out, sizeof(out), &t->sentinels[1]), "s2:1");
    cr_assert_str_eq(endpoint_format(out, sizeof(out), &t->sentinels[2]), "[::1]:2");
    cr_assert_null(t->password);
    cr_assert_null(t->sentinel_password);
    cr_assert_eq(t->settle_timeout_ms, 10000);
    cr_assert_eq(t->stale_reads_ms, -1);
    cr_assert_eq(t->replica_lag_ms, 10000);
    cr_assert_eq(t->promotion, PROMOTION_CONFIRMED);
    cr_assert(!t->reconfigure_assist && !t->assist_owner && !t->demote);
    cr_assert_eq(t->fence, FENCE_FULL);
    cr_assert_eq(t->lose_quorum, LOSE_QUORUM_SERVE);
    cr_assert_eq(t->quorum_timeout_ms, 5000);
    cr_assert_eq(t->failover_assist_ms, -1);
    cr_assert_eq(t->connect_timeout_ms, 1000);
    const struct traffic_group_options *g = &c->traffic.groups[0];
    cr_assert_str_eq(g->name, "m");
    cr_assert_eq(g->hold_timeout_ms, 20000);
    cr_assert_eq(g->hold_memory, 64 << 20);
    cr_assert_geq(c->traffic.workers, 1);
    cr_assert_leq(c->traffic.workers, cpus_available());
    cr_assert_eq(c->traffic.max_clients, 10000);
    cr_assert_eq(c->traffic.drain_timeout_ms, 10000);
    cr_assert_eq(c->traffic.request_max, 1 << 30);
    cr_assert_eq(c->traffic.request_memory, 256 << 20);
    cr_assert_eq(c->traffic.output_high, 1 << 20);
    cr_assert_eq(c->traffic.output_limit, 256 << 20);
    cr_assert_eq(c->traffic.output_memory, 1 << 30);
    cr_assert_eq(c->traffic.tcp_keepalive_ms, 300000);
    cr_assert_eq(c->traffic.tcp_user_timeout_ms, 0);
    cr_assert_eq(c->traffic.listener_count, 2);
    const struct traffic_listener_options *l = c->traffic.listeners;
    cr_assert_str_eq(address_format(out, sizeof(out), &l[0].address), "0.0.0.0:6379");
    cr_assert_eq(l[0].route, ROUTE_MASTER);
    cr_assert_str_eq(address_format(out, sizeof(out), &l[1].address), "0.0.0.0:6380");
    cr_assert_eq(l[1].route, ROUTE_REPLICA);
    config_free(c);
}

Test(config, everything_can_be_said)
{
    char out[ENDPOINT_TEXT_MAX];

    setenv("TEST_AUTH", "s3cret", 1);
    struct config *c = accepted("# a comment\n"
                                "[proxy]   ; another\n"
                                "http = off\n"
                                "log= debug ; and one more\n"
                                "workers = 3\n"
                                "  max_clients = 7\n" /* indented, but no continuation */
                                "drain_timeout = 0s\n"
                                "tcp_keepalive = off\n"
                                "tcp_user_timeout = 2m\n"
                                "[master a]\n"
                                "sentinels = x\n"
                                "password = <${TEST_AUTH};${TEST_AUTH}>\n"
                                "username = u\n"
                                "hold_timeout = 2 m\n"
                                "hold_memory = 16KB\n"
                                "stale_reads = 1500ms\n"
                                "replica_lag = unlimited\n"
                                "promotion = eager\n"
                                "reconfigure_assist = yes\n"
                                "fence = write\n"
                                "demote = yes\n"
                                "lose_quorum = hold\n"
                                "quorum_timeout = 3s\n"
                                "failover_assist = 500ms\n"
                                "assist_owner = yes\n"
                                "[master b]\r\n"
                                "sentinels = y\r\n"
                                "[listen [::1]:6379]\n"
                                "route = split\n"
                                "master = b\n"
                                "[listen 127.0.0.1:6379]\n");
    cr_assert_eq(c->log, LOG_DEBUG);
    cr_assert_eq(c->http.len, 0);
    cr_assert_eq(c->traffic.workers, 3);
    cr_assert_eq(c->traffic.max_clients, 7);
    cr_assert_eq(c->traffic.drain_timeout_ms, 0);
    cr_assert_eq(c->traffic.tcp_keepalive_ms, 0);
    cr_assert_eq(c->traffic.tcp_user_timeout_ms, 120000);
    cr_assert_str_eq(c->topology[0].password, "<s3cret;s3cret>");
    cr_assert_str_eq(c->topology[0].username, "u");
    cr_assert_eq(c->traffic.groups[0].hold_timeout_ms, 120000);
    cr_assert_eq(c->traffic.groups[0].hold_memory, 16384);
    cr_assert_eq(c->topology[0].stale_reads_ms, 1500);
    cr_assert_eq(c->topology[0].replica_lag_ms, -1);
    cr_assert_eq(c->topology[0].promotion, PROMOTION_EAGER);
    cr_assert(c->topology[0].reconfigure_assist && c->topology[0].assist_owner);
    cr_assert(c->topology[0].fence == FENCE_WRITE && c->topology[0].demote);
    cr_assert_eq(c->topology[0].lose_quorum, LOSE_QUORUM_HOLD);
    cr_assert_eq(c->topology[0].quorum_timeout_ms, 3000);
    cr_assert_eq(c->topology[0].failover_assist_ms, 500);
    cr_assert_str_eq(c->topology[1].sentinels[0].host, "y");
    const struct traffic_listener_options *l = c->traffic.listeners;
    cr_assert_str_eq(address_format(out, sizeof(out), &l[0].address), "[::1]:6379");
    cr_assert_eq(l[0].route, ROUTE_SPLIT);
    cr_assert_eq(l[0].group, 1);
    cr_assert_eq(l[1].group, 0, "without master: the first group");
    config_free(c);
}

Test(config, long_lines_and_long_names_arrive_whole)
{
    char text[8192], name[201];

    memset(name, 'n', 200);
    name[200] = '\0';
    int n = snprintf(text, sizeof(text), "[master %s]\nsentinels = host0", name);
    for (int i = 1; i < 300; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, ", host%d", i);
    struct config *c = accepted(text);
    cr_assert_eq(c->topology[0].sentinel_count, 300);
    cr_assert_str_eq(c->topology[0].name, name);
    config_free(c);
}

Test(config, a_secret_comes_from_a_file)
{
    char secret[] = "/tmp/test_config_secret.XXXXXX", text[256];
    int fd = mkstemp(secret);

    cr_assert_eq(write(fd, "p ; ${x}\n", 9), 9);
    snprintf(text, sizeof(text), GROUP "sentinel_password_file = %s\n", secret);
    struct config *c = accepted(text);
    cr_assert_str_eq(c->topology[0].sentinel_password, "p ; ${x}");
    cr_assert_str_eq(c->topology[0].sentinel_password_file, secret);
    cr_assert_null(c->topology[0].password_file);
    config_free(c);
    setenv("TEST_SECRET", secret, 1);
    c = accepted(GROUP "password_file = ${TEST_SECRET}\n");
    cr_assert_str_eq(c->topology[0].password, "p ; ${x}");
    cr_assert_str_eq(c->topology[0].password_file, secret);
    cr_assert_null(c->topology[0].sentinel_password_file);
    config_free(c);
    cr_assert_eq(ftruncate(fd, 0), 0);
    refused(text, 3, "is empty", "put the password into it");
    cr_assert_eq(write(fd, "a\0b", 3), 3);
    refused(text, 3, "holds no password", "check the path");
    close(fd);
    unlink(secret);
}

/* ---- bad files: each with the line, what is wrong, and the mend ---- */

Test(config, bad_sections)
{
    refused("", 1, "there is no group", "add [master NAME]");
    refused(GROUP "[listner 1.2.3.4:1]\nroute = master\n", 3, "unknown section [listner]",
            "did you mean [listen]?");
    refused(GROUP "[tls]\n", 3, "unknown section [tls]", "there are [proxy]");
    refused(GROUP "[]\n", 3, "unknown section []", "there are [proxy]");
    refused(GROUP "[listen 1.2.3.4:1\n", 3, "no closing bracket", "write [section]");
    refused(GROUP "[listen]\n", 3, "not a numeric address", "[listen 0.0.0.0:6379]");
    refused(GROUP "[listen localhost:1]\n", 3, "not a numeric address", "[listen 0.0.0.0:6379]");
    refused(GROUP "[listen 1.2.3.4]\n", 3, "not a numeric address", "[listen 0.0.0.0:6379]");
    refused(GROUP "[listen ::1:6379]\n", 3, "not a numeric address", "[listen [::]:6379]");
    refused(GROUP "[proxy x]\n", 3, "[proxy x] has a name", "write [proxy]");
    refused(GROUP "[master]\nsentinels = a\n", 3, "[master] needs", "[master mymaster]");
    refused(GROUP "[master a b]\nsentinels = a\n", 3, "[master] needs", "[master mymaster]");
    refused("[master m]\n\n", 1, "has no sentinels", "add sentinels = host:port");
    refused(GROUP GROUP, 3, "[master m] stands on line 1 already", "remove one");
    refused("log = info\n" GROUP, 1, "log stands before any section", "put it under [proxy]");
}

Test(config, bad_lines)
{
    refused(GROUP "hold_timeout\n", 3, "neither a section nor a setting", "name = value");
    refused(GROUP "<<<<\n\n; c\n", 3, "neither a section nor a setting", "name = value");
    refused(GROUP "hold_timout = 5s\n", 3, "unknown setting hold_timout in [master]",
            "did you mean hold_timeout?");
    refused(GROUP "log = info\n", 3, "log is no setting of [master]", "move it into [proxy]");
    refused(GROUP "completely_unheard_of = 1\n", 3, "unknown setting", "--help lists all");
    refused(GROUP " = 1\n", 3, "unknown setting", "remove it");
    refused(GROUP "hold_timeout = 5s\n;\nhold_timeout = 6s\n", 5, "is set on line 3", "remove one");
    refused(GROUP "[proxy]\nlog = loud\n", 4, "log = loud is not", "debug | info | warn | error");
    struct config *c = load_bytes(GROUP "a\0b = c\n", sizeof(GROUP "a\0b = c\n") - 1);
    cr_assert_null(c);
    cr_assert_not_null(strstr(said, ":3: the line is too long or holds a NUL byte"), "%s", said);
    free(said);
}

Test(config, bad_numbers)
{
    refused(GROUP "hold_timeout = 5\n", 3, "hold_timeout = 5 is not a duration",
            "500ms, 20s or 2m");
    refused(GROUP "hold_timeout = 5h\n", 3, "is not a duration", "500ms, 20s or 2m");
    refused(GROUP "hold_timeout = -5s\n", 3, "is not a duration", "500ms, 20s or 2m");
    refused(GROUP "hold_timeout = 1.5s\n", 3, "is not a duration", "500ms, 20s or 2m");
    refused(GROUP "hold_timeout =\n", 3, "is not a duration", "500ms, 20s or 2m");
    refused(GROUP "hold_timeout = 5ms\n", 3, "out of range", "10ms to 10m");
    refused(GROUP "hold_timeout = 99999999999999999999s\n", 3, "out of range", "10ms to 10m");
    refused(GROUP "hold_timeout = 9223372036854775807m\n", 3, "out of range", "10ms to 10m");
    refused(GROUP "stale_reads = forever\n", 3, "is not a duration", "or unlimited");
    refused(GROUP "hold_memory = 5tb\n", 3, "is not a size", "64kb, 16mb or 1gb");
    refused(GROUP "hold_memory = 1\n", 3, "out of range", "1kb to 64gb");
    refused(GROUP "[proxy]\nworkers = 65\n", 4, "out of range", "1 to 64");
    refused(GROUP "[proxy]\nworkers = all\n", 4, "is not a number", "or auto");
    refused(GROUP "[proxy]\nmax_clients = 0\n", 4, "out of range", "1 to 1000000");
    refused(GROUP "[proxy]\nmax_clients = ten\n", 4, "is not a number", "write 1000");
}

Test(config, bad_choices)
{
    refused(GROUP "promotion = soon\n", 3, "soon", "confirmed");
    refused(GROUP "reconfigure_assist = yes\n", 3, "does nothing", "promotion = eager");
    refused(GROUP "assist_owner = yes\n", 3, "owns nothing", "failover_assist = 500ms");
    refused(GROUP "failover_assist = 10ms\n", 3, "out of range", "100ms to 10m");
}

Test(config, bad_addresses)
{
    refused("[master m]\nsentinels = a b\n", 2, "\"a b\" is not a host", "write host:26379");
    refused("[master m]\nsentinels = a,\n", 2, "\"\" is not a host", "write host:26379");
    refused("[master m]\nsentinels = a:99999\n", 2, "is not a host", "write host:26379");
    refused("[master m]\nsentinels = a, b, A:26379\n", 2, "\"A:26379\" stands there twice",
            "remove one");
    refused(GROUP "[proxy]\nhttp = localhost:80\n", 4, "is not a numeric address",
            "0.0.0.0:8888, or off");
    refused(GROUP "[proxy]\nhttp = 0.0.0.0\n", 4, "is not a numeric address", "or off");
}

Test(config, bad_listeners)
{
    refused("[master mymaster]\nsentinels = a\n[listen 1.2.3.4:1]\nmaster = mymastr\n", 4,
            "master = mymastr names no group", "did you mean mymaster?");
    refused(GROUP "[listen 1.2.3.4:1]\nmaster = other\n", 4, "names no group",
            "add a section [master other]");
    refused(GROUP "[listen 1.2.3.4:1]\nmaster =\n", 4, "master is empty", "remove the line");
    refused(GROUP "[listen 1.2.3.4:1]\nroute = slave\n", 4, "route = slave is not",
            "master | replica | split");
    refused(GROUP "[listen 1.2.3.4:1]\n[listen 1.2.3.4:1]\n", 4, "stands on line 3 already",
            "remove one");
    refused(GROUP "[listen [::1]:1]\n[listen [0::1]:1]\n", 4, "takes the address of [listen [::1]",
            "choose another");
    refused(GROUP "[listen 1.2.3.4:1]\n[listen 0.0.0.0:1]\n", 4, "takes the address of",
            "on line 3");
    refused(GROUP "[listen 1.2.3.4:8888]\n", 3, "takes the address of http", "another port");
}

Test(config, bad_secrets)
{
    unsetenv("TEST_UNSET");
    refused(GROUP "password = ${TEST_UNSET}\n", 3, "${TEST_UNSET}, which is not in the environment",
            "set it");
    refused(GROUP "password = ${TEST_UNSET\n", 3, "names no variable", "write ${NAME}");
    refused(GROUP "password = ${}\n", 3, "names no variable", "write ${NAME}");
    refused(GROUP "password =\n", 3, "password is empty", "remove the line");
    setenv("TEST_EMPTY", "", 1);
    refused(GROUP "password = ${TEST_EMPTY}\n", 3, "password is empty", "remove the line");
    refused(GROUP "password = a\npassword_file = /dev/null\n", 4,
            "password_file is set although password is, on line 3", "remove one");
    refused(GROUP "password_file = /nonexistent/x\n", 3, "No such file", "mend the path");
    refused(GROUP "password_file = /tmp\n", 3, "cannot be read", "must be a file");
    refused(GROUP "username = u\n", 3, "username without a password", "password_file");
    refused(GROUP "sentinel_username = u\n", 3, "sentinel_username without", "sentinel_password");
}

Test(config, an_error_never_shows_a_value_from_the_environment)
{
    static const char *const lines[] = {"hold_timeout", "hold_memory", "sentinels",
                                        "password_file"};
    char text[256];

    setenv("TEST_AUTH", "t0p s3cret", 1);
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "[master m]\n%s = ${TEST_AUTH}\n", lines[i]);
        cr_assert_null(load(text));
        cr_assert_null(strstr(said, "s3cret"), "%s", said);
        cr_assert_not_null(strstr(said, "TEST_AUTH"), "%s", said);
        free(said);
    }
}

Test(config, all_errors_are_reported_by_line)
{
    char want[512];

    cr_assert_null(load("[listen 1.2.3.4:1]\nmaster = zzz\n" GROUP
                        "hold_timeout = 1h\nnonsense\n[what]\nx = 1\n[proxy x]\nlogg = info\n"));
    const char *at = said;
    for (const int *line = (const int[]){2, 5, 6, 7, 9, 10, 0}; *line; line++) {
        int n = snprintf(want, sizeof(want), "%s:%d: ", path, *line);
        cr_assert_eq(strncmp(at, want, (size_t)n), 0, "wanted %s in:\n%s", want, said);
        at = strchr(at, '\n') + 1;
    }
    cr_assert_str_eq(at, "");
    free(said);
}

Test(config, a_file_that_is_not_there)
{
    size_t len;
    FILE *errors = open_memstream(&said, &len);

    cr_assert_null(config_load("/nonexistent/proxy.conf", errors));
    fclose(errors);
    cr_assert_str_eq(said, "/nonexistent/proxy.conf: cannot be opened (No such file or directory): "
                           "check the path after -c\n");
    free(said);
}

/* ---- the reference ---- */

static char *slurp(const char *file)
{
    char *text = calloc(1, 65536);
    FILE *f = fopen(file, "r");

    cr_assert_not_null(f, "%s: run from the top of the source tree", file);
    cr_assert_gt(fread(text, 1, 65535, f), 0);
    fclose(f);
    return text;
}

/* Whether the lines of `section` hold "name = value", and when a reload applies it. */
static int has_line(const char *section, const char *end, const char *form,
                    const struct config_option *option)
{
    const char *value = option->standard, *reload = option_reload_name(option->reload);
    char line[256], when[64];

    snprintf(line, sizeof(line), form, option->name, value ? value : "");
    snprintf(when, sizeof(when), "%s%s\n", *reload ? " ; " : "", reload);
    const char *hit = strstr(section, line);
    if (!hit || (end && hit > end))
        return 0;
    hit += strlen(line);
    if (value)
        return strncmp(hit, when, strlen(when)) == 0;
    const char *line_end = strchr(hit, '\n') + 1;
    if (!*reload)
        return !memmem(hit, (size_t)(line_end - hit), " ; ", 3);
    return line_end - hit >= (long)strlen(when) &&
           strncmp(line_end - strlen(when), when, strlen(when)) == 0;
}

/* Whether `text` shows the option: with its default, or, where there is none, with any value or
 * commented out. */
static int documented(const char *text, const struct config_option *option)
{
    const char *value = option->standard;
    char header[32];

    snprintf(header, sizeof(header), "\n[%s", section_kind_name(option->section));
    for (const char *at = strstr(text, header); at; at = strstr(at + 1, header)) {
        const char *end = strstr(at + 1, "\n[");
        if (has_line(at, end, "\n%s = %s", option))
            return 1;
        if (!value && has_line(at, end, "\n; %s =%s", option))
            return 1;
    }
    return 0;
}

Test(config, the_reference_has_every_option_with_its_default)
{
    size_t count, len;
    const struct config_option *table = config_table(&count);
    char *text = slurp("conf/proxy.conf"), *help;
    FILE *out = open_memstream(&help, &len);

    config_print_reference(out);
    fclose(out);
    for (size_t i = 0; i < count; i++) {
        cr_assert(documented(text, &table[i]), "conf/proxy.conf lacks %s or its default",
                  table[i].name);
        cr_assert_not_null(strstr(help, table[i].name));
        cr_assert_not_null(strstr(help, table[i].help));
    }
    config_free(accepted(text));
    free(text);
    free(help);
}

Test(config, the_local_configuration_is_good)
{
    char *text = slurp("conf/local.conf");
    struct config *c = accepted(text);

    cr_assert_eq(c->traffic.listener_count, 3);
    config_free(c);
    free(text);
}
