/*
 * config_diff: each option of the table, changed alone, is one difference, which shows both values (no secret is shown), and
 * says when it takes effect; what the rooms get is different then, unless the option is not before a restart. And what
 * a reload keeps of the configuration before: groups' numbers, certificates.
 */
#include "ops/config.h"
#include "ops/config_diff.h"
#include "unit/option_values.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP "[master m]\nsentinels = s1\n"

/* ---- each option ---- */

static struct config_sections *read_sections(const char *text)
{
    struct config_sections *sections = calloc(1, sizeof(*sections));
    struct config_errors errors = {.file = "test"};
    char *copy = strdup(text);
    config_sections_read(sections, copy, strlen(copy), &errors);
    cr_assert_eq(errors.count, 0, "%s: %s", text, errors.count ? errors.items[0].text : "");
    free(copy);
    return sections;
}

static void free_sections(struct config_sections *sections)
{
    config_sections_free(sections);
    free(sections);
}

static const char *const headers[SECTION_KINDS] = {"[proxy]\n", "[master m]\n",
                                                   "[listen 127.0.0.1:6379]\n"};

struct seen {
    const struct config_option *option;
    int times;
    char line[400];
};

static void see(void *data, const struct config_change *change)
{
    struct seen *seen = data;
    FILE *out = fmemopen(seen->line, sizeof(seen->line), "w");
    config_change_print(out, change);
    fclose(out);
    if (change->kind == CHANGE_SETTING && change->option == seen->option)
        seen->times++;
}

Test(config_diff, each_option_says_when_and_is_seen_when_it_changes)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    make_secret_file();
    for (size_t i = 0; i < count; i++) {
        const struct config_option *option = &table[i];
        char text[256];
        struct seen seen = {.option = option};
        cr_assert(option->reload != RELOAD_UNSAID, "%s does not say when a reload applies it",
                  option->name);
        const char *must =
            option->section == SECTION_MASTER && !option->required ? "sentinels = s1\n" : "";
        snprintf(text, sizeof(text), "%s%s", headers[option->section],
                 option->section == SECTION_MASTER ? "sentinels = s1\n" : "");
        struct config_sections *before = read_sections(text);
        snprintf(text, sizeof(text), "%s%s%s = %s\n", headers[option->section], must, option->name,
                 other_value(option));
        struct config_sections *after = read_sections(text);
        config_diff(before, after, see, &seen);
        cr_assert_eq(seen.times, 1, "%s: %d times", option->name, seen.times);
        cr_assert_eq(config_diff(after, after, see, &seen), 0);
        cr_assert_eq(!!strstr(seen.line, "restart"), option->reload == RELOAD_RESTART, "%s",
                     seen.line);
        cr_assert(option->type != OPTION_SECRET || !strstr(seen.line, "another-value"), "%s",
                  seen.line);
        cr_assert_null(strstr(seen.line, "hush"));
        free_sections(before);
        free_sections(after);
    }
    unlink(secret_file);
}

Test(config_diff, sections_come_and_go)
{
    struct seen seen = {0};
    struct config_sections *before = read_sections("[proxy]\n" GROUP);
    struct config_sections *after =
        read_sections("[proxy]\n" GROUP "[listen 127.0.0.1:6379]\nroute = split\n");
    cr_assert_eq(config_diff(before, after, see, &seen), 1);
    cr_assert_str_eq(seen.line, "[listen 127.0.0.1:6379]: added\n");
    cr_assert_eq(config_diff(after, before, see, &seen), 1);
    cr_assert_str_eq(seen.line, "[listen 127.0.0.1:6379]: removed\n");
    free_sections(before);
    free_sections(after);
}

/* What is shown is a file again, but for secrets. */
Test(config_diff, all_settings_are_shown_and_no_secret)
{
    struct config_sections *sections =
        read_sections("[master m]\nsentinels = a:1, b\npassword = hush\nhold_timeout = 3s\n"
                      "[proxy]\nworkers = 3\n[listen 127.0.0.1:1]\nroute = split\n");
    struct seen seen = {0};
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    config_show(out, sections);
    fclose(out);
    cr_assert_null(strstr(text, "hush"));
    cr_assert_not_null(strstr(text, "\npassword = (secret)\n"));
    cr_assert_not_null(strstr(text, "\n; sentinel_password = \n"));
    cr_assert_not_null(strstr(text, "\nworkers = 3\n"));
    cr_assert_not_null(strstr(text, "\nsentinels = a:1, b:26379\n"));
    struct config_sections *again = read_sections(text);
    cr_assert_eq(config_diff(sections, again, see, &seen), 1, "the secret only");
    free_sections(sections);
    free_sections(again);
    free(text);
}

/* ---- what the rooms get ---- */

static struct config *load_next(const char *text, const struct config *running)
{
    char path[] = "/tmp/test_config_diff.XXXXXX", *said;
    size_t len;
    FILE *errors = open_memstream(&said, &len);
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    struct config *config = config_load_next(path, running, errors);
    fclose(errors);
    cr_assert_not_null(config, "%s: %s", text, said);
    free(said);
    unlink(path);
    return config;
}

/* All that is no pointer: what it points to may be at another place. */
struct rooms {
    enum log_level log;
    struct address http;
    struct traffic_options traffic;
    struct traffic_group_options group;
    struct traffic_listener_options listener;
    struct topology_options topology;
};

static void take_rooms(const struct config *config, struct rooms *out)
{
    memset(out, 0, sizeof(*out));
    out->log = config->log;
    memcpy(&out->http, &config->http, sizeof(out->http));
    memcpy(&out->traffic, &config->traffic, sizeof(out->traffic));
    out->traffic.groups = NULL;
    out->traffic.listeners = NULL;
    memcpy(&out->group, &config->traffic.groups[0], sizeof(out->group));
    out->group.name = NULL;
    memcpy(&out->listener, &config->traffic.listeners[0], sizeof(out->listener));
    memcpy(&out->topology, &config->topology[0], sizeof(out->topology));
    out->topology.name = NULL;
    out->topology.sentinels = NULL;
}

/* Certificates and secrets are pointers: tests/system/test_reload.c changes those. */
static bool is_compared(const struct config_option *option)
{
    static const char *const others[] = {"tls", "sentinel_tls", "tls_verify_clients",
                                         "tls_user_from", "tls_min_version"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(option->name, others[i]) == 0)
            return false;
    return option->type == OPTION_COUNT || option->type == OPTION_DURATION ||
           option->type == OPTION_SIZE || option->type == OPTION_CHOICE ||
           option->type == OPTION_ADDRESS;
}

static const char *text_with(const struct config_option *option)
{
    static char text[1024];
    const char *line[SECTION_KINDS] = {"", "", ""}, *value = option ? other_value(option) : "";
    char changed[200] = "";
    if (option) {
        snprintf(changed, sizeof(changed), "%s = %s\n", option->name, value);
        line[option->section] = changed;
    }
    /* What some options cannot do without. */
    bool assists = !option || strcmp(option->name, "failover_assist") != 0;
    bool eager = option && strcmp(option->name, "reconfigure_assist") == 0;
    snprintf(text, sizeof(text),
             "[proxy]\n%s[master m]\nsentinels = s1\n%s%s%s[listen 127.0.0.1:6379]\n%s",
             line[SECTION_PROXY], line[SECTION_MASTER], assists ? "failover_assist = 700ms\n" : "",
             eager ? "promotion = eager\n" : "", line[SECTION_LISTEN]);
    return text;
}

Test(config_diff, what_the_rooms_get_changes_with_each_option)
{
    static struct rooms before, same, after;
    size_t count, compared = 0;
    const struct config_option *table = config_table(&count);
    struct config *running = load_next(text_with(NULL), NULL);
    struct config *again = load_next(text_with(NULL), running);
    take_rooms(running, &before);
    take_rooms(again, &same);
    cr_assert_eq(memcmp(&before, &same, sizeof(before)), 0, "the same file is the same");
    for (size_t i = 0; i < count; i++) {
        if (!is_compared(&table[i]))
            continue;
        struct config *next = load_next(text_with(&table[i]), running);
        take_rooms(next, &after);
        bool differs = memcmp(&before, &after, sizeof(before)) != 0;
        cr_assert_eq(differs, table[i].reload != RELOAD_RESTART, "%s", table[i].name);
        config_discard(next, running);
        compared++;
    }
    cr_assert(compared > 30);
    config_free(again);
    config_free(running);
}

/* ---- what a reload keeps ---- */

Test(config_diff, groups_keep_their_numbers)
{
    struct config *one = load_next("[master a]\nsentinels = s\n[master b]\nsentinels = s\n", NULL);
    struct config *two = load_next("[master c]\nsentinels = s\n[master b]\nsentinels = s\n", one);
    cr_assert_eq(two->traffic.group_count, 3);
    cr_assert(two->traffic.groups[0].gone && two->topology[0].gone);
    cr_assert_str_eq(two->traffic.groups[0].name, "a");
    cr_assert_eq(two->traffic.groups[0].name, one->traffic.groups[0].name, "the same string");
    cr_assert_gt(two->topology[0].linger_ms, two->traffic.drain_timeout_ms);
    cr_assert_eq(two->traffic.groups[0].hold_timeout_ms, one->traffic.groups[0].hold_timeout_ms,
                 "what it was stays for those who are on their way out");
    cr_assert_str_eq(two->traffic.groups[1].name, "b");
    cr_assert_not(two->traffic.groups[1].gone);
    cr_assert_str_eq(two->traffic.groups[2].name, "c");
    cr_assert_eq(two->traffic.listeners[0].group, 2, "the first one of the file");
    config_free(one);
    struct config *three = load_next("[master a]\nsentinels = s\n", two);
    cr_assert_not(three->traffic.groups[0].gone, "it is there again");
    cr_assert(three->traffic.groups[1].gone && three->traffic.groups[2].gone);
    config_free(two);
    config_free(three);
}

Test(config_diff, one_that_is_discarded_leaves_no_group_behind)
{
    struct config *one = load_next("[master a]\nsentinels = s\n", NULL);
    for (int i = 0; i < 2 * CONFIG_GROUPS_SPARE; i++) {
        char text[80];
        snprintf(text, sizeof(text), "[master a%d]\nsentinels = s\n", i);
        config_discard(load_next(text, one), one);
    }
    struct config *two = load_next("[master z]\nsentinels = s\n", one);
    cr_assert_eq(two->traffic.group_count, 2);
    config_free(one);
    config_free(two);
}

Test(config_diff, too_many_groups_are_refused)
{
    struct config *running = load_next("[master a]\nsentinels = s\n", NULL);
    char *text, *said, path[] = "/tmp/test_config_diff.XXXXXX";
    size_t len;
    FILE *out = open_memstream(&text, &len);
    for (int i = 0; i <= CONFIG_GROUPS_SPARE; i++)
        fprintf(out, "[master x%d]\nsentinels = s\n", i);
    fclose(out);
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    close(fd);
    free(text);
    out = open_memstream(&said, &len);
    cr_assert_null(config_load_next(path, running, out));
    fclose(out);
    cr_assert_not_null(strstr(said, "one group too many since the proxy was started: restart it"),
                       "%s", said);
    cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "one of them is too many: %s", said);
    free(said);
    unlink(path);
    config_free(running);
}
