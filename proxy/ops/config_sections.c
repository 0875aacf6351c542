/*
 * config_sections: a configuration file as sections with settings.
 *
 * The settings of a section that is wrong in itself are checked all the same,
 * as far as its kind is known, so that one run shows all that is to be mended.
 */
#include "ops/config_sections.h"

#include "ops/config_ini.h"
#include "ops/config_value.h"

#include <stdlib.h>
#include <string.h>

struct loading {
    struct config_sections *sections;
    struct config_errors *errors;
    struct section *current; /* NULL: before the first section, or in one of an unknown kind */
    bool skipping;           /* in one of an unknown kind */
};

struct section *config_sections_add(struct config_sections *sections, enum section_kind kind,
                                    const char *label, int line)
{
    struct section **items = realloc(sections->items, (sections->count + 1) * sizeof(*items));
    struct section *section = calloc(1, sizeof(*section));
    size_t count;
    const struct config_option *table = config_table(&count);
    struct config_errors none = {.file = "the option table"};

    if (!items || !section)
        abort();
    section->kind = kind;
    section->line = line;
    section->label = label ? strdup(label) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (table[i].section == kind && table[i].standard) {
            config_value_read(&(struct value_target){.option = &table[i],
                                                     .settings = &section->settings,
                                                     .errors = &none},
                              table[i].standard);
        }
    }
    config_errors_print(&none, stderr);
    if (none.count)
        abort();
    items[sections->count] = section;
    sections->items = items;
    sections->count++;
    return section;
}

size_t config_count(const struct config_sections *sections, enum section_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < sections->count; i++)
        count += sections->items[i]->kind == kind;
    return count;
}

/* ---- headers ---- */

/* Splits "kind label" in place. */
static char *split_header(char *header, char **label)
{
    char *kind = header + strspn(header, " \t"), *end = kind + strcspn(kind, " \t");

    *label = end + strspn(end, " \t");
    *end = '\0';
    for (size_t len = strlen(*label); len && strchr(" \t", (*label)[len - 1]); len--)
        (*label)[len - 1] = '\0';
    return kind;
}

static int find_kind(const char *name)
{
    for (enum section_kind kind = 0; kind < SECTION_KINDS; kind++)
        if (strcmp(name, section_kind_name(kind)) == 0)
            return (int)kind;
    return -1;
}

static void unknown_kind(const struct loading *loading, int line, const char *name)
{
    const char *names[SECTION_KINDS];

    for (enum section_kind kind = 0; kind < SECTION_KINDS; kind++)
        names[kind] = section_kind_name(kind);
    const char *nearest = config_nearest(name, names, SECTION_KINDS);
    if (nearest)
        config_error(loading->errors, line, "unknown section [%s]: did you mean [%s]?", name,
                     nearest);
    else
        config_error(loading->errors, line,
                     "unknown section [%s]: there are [proxy], [master NAME] and "
                     "[listen ADDRESS:PORT]",
                     name);
}

static void check_label(const struct loading *loading, int line, enum section_kind kind,
                        const char *label)
{
    if (kind == SECTION_PROXY && *label)
        config_error(loading->errors, line, "[proxy %s] has a name: write [proxy]", label);
    if (kind == SECTION_MASTER && (!*label || label[strcspn(label, " \t\"")]))
        config_error(loading->errors, line,
                     "[master] needs the one word that Sentinel calls it: write [master mymaster]");
}

static const struct section *find_section(const struct config_sections *sections,
                                          enum section_kind kind, const char *label)
{
    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section->kind == kind && strcmp(section->label, label) == 0)
            return section;
    }
    return NULL;
}

int config_section_listen_at(struct section *section)
{
    if (endpoint_parse(&section->endpoint, section->label, 0) < 0)
        return -1;
    return address_from_number(&section->address, section->endpoint.host, section->endpoint.port);
}

static void read_listen_address(const struct loading *loading, struct section *section)
{
    if (config_section_listen_at(section) < 0)
        config_error(loading->errors, section->line,
                     "[listen %s] is not a numeric address and a port: write [listen 0.0.0.0:6379] "
                     "or [listen [::]:6379]",
                     section->label);
}

static void check_unique(const struct loading *loading, int line, enum section_kind kind,
                         const char *label)
{
    const struct section *same = find_section(loading->sections, kind, label);

    if (same)
        config_error(loading->errors, line,
                     "[%s%s%s] stands on line %d already: put both into one section, or remove one",
                     section_kind_name(kind), *label ? " " : "", label, same->line);
}

static void on_section(void *owner, int line, char *header)
{
    struct loading *loading = owner;
    char *label, *name = split_header(header, &label);
    int found = find_kind(name);
    enum section_kind kind = (enum section_kind)found;

    loading->current = NULL;
    loading->skipping = found < 0;
    if (found < 0) {
        unknown_kind(loading, line, name);
        return;
    }
    check_label(loading, line, kind, label);
    check_unique(loading, line, kind, label);
    loading->current = config_sections_add(loading->sections, kind, label, line);
    if (kind == SECTION_LISTEN)
        read_listen_address(loading, loading->current);
}

/* ---- settings ---- */

static void unknown_setting(const struct loading *loading, int line, const char *name)
{
    enum section_kind kind = loading->current->kind;
    const char *names[OPTIONS_MAX];
    size_t count, here = 0;
    const struct config_option *table = config_table(&count);

    for (size_t i = 0; i < count; i++)
        if (table[i].section == kind)
            names[here++] = table[i].name;
    const char *nearest = config_nearest(name, names, here);
    if (nearest) {
        config_error(loading->errors, line, "unknown setting %s in [%s]: did you mean %s?", name,
                     section_kind_name(kind), nearest);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0) {
            config_error(loading->errors, line, "%s is no setting of [%s]: move it into [%s]", name,
                         section_kind_name(kind), section_kind_name(table[i].section));
            return;
        }
    }
    config_error(loading->errors, line,
                 "unknown setting %s in [%s]: remove it; redisproxy --help lists all settings",
                 name, section_kind_name(kind));
}

/* Whether the option may be set here. Both forms of a secret write to one place. Returns false
 * after an error. */
static bool not_given_yet(const struct loading *loading, const struct config_option *option,
                          int line)
{
    size_t count;
    const struct config_option *table = config_table(&count);

    for (size_t i = 0; i < count; i++) {
        int before = loading->current->given[i];
        if (!before || table[i].offset != option->offset)
            continue;
        if (&table[i] == option)
            config_error(loading->errors, line, "%s is set on line %d already: remove one",
                         option->name, before);
        else
            config_error(loading->errors, line,
                         "%s is set although %s is, on line %d: remove one of the two",
                         option->name, table[i].name, before);
        return false;
    }
    return true;
}

static void on_setting(void *owner, int line, const char *name, const char *value)
{
    struct loading *loading = owner;
    struct section *section = loading->current;
    size_t count;
    const struct config_option *table = config_table(&count);

    if (!section) {
        if (!loading->skipping)
            config_error(loading->errors, line,
                         "%s stands before any section: put it under [proxy], "
                         "[master NAME] or [listen ADDRESS:PORT]",
                         name);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (table[i].section != section->kind || strcmp(table[i].name, name) != 0)
            continue;
        if (!not_given_yet(loading, &table[i], line))
            return;
        section->given[i] = line;
        config_value_read(&(struct value_target){.option = &table[i],
                                                 .settings = &section->settings,
                                                 .errors = loading->errors,
                                                 .line = line},
                          value);
        return;
    }
    unknown_setting(loading, line, name);
}

static void on_nonsense(void *owner, int line, const char *why)
{
    const struct loading *loading = owner;

    config_error(loading->errors, line, "%s", why);
}

static void require_settings(const struct section *section, struct config_errors *errors)
{
    size_t count;
    const struct config_option *table = config_table(&count);

    for (size_t i = 0; i < count; i++)
        if (table[i].section == section->kind && table[i].required && !section->given[i])
            config_error(errors, section->line, "[%s %s] has no %s: add %s = host:port, ...",
                         section_kind_name(section->kind), section->label, table[i].name,
                         table[i].name);
}

void config_sections_read(struct config_sections *sections, char *text, size_t len,
                          struct config_errors *errors)
{
    struct loading loading = {.sections = sections, .errors = errors};
    const struct ini_events events = {.owner = &loading,
                                      .on_section = on_section,
                                      .on_setting = on_setting,
                                      .on_nonsense = on_nonsense};

    config_ini_read(text, len, &events);
}

void config_sections_require(const struct config_sections *sections, struct config_errors *errors)
{
    for (size_t i = 0; i < sections->count; i++)
        require_settings(sections->items[i], errors);
}

int config_section_given(const struct section *section, const char *option)
{
    size_t count;
    const struct config_option *table = config_table(&count);

    for (size_t i = 0; i < count; i++)
        if (table[i].section == section->kind && strcmp(table[i].name, option) == 0)
            return section->given[i];
    return 0;
}

int config_section_line(const struct section *section, const char *option)
{
    int line = config_section_given(section, option);

    return line ? line : section->line;
}

static void section_free(struct section *section)
{
    size_t count;
    const struct config_option *table = config_table(&count);

    for (size_t i = 0; i < count; i++)
        if (table[i].section == section->kind)
            config_value_free(&table[i], &section->settings);
    free(section->label);
    free(section);
}

void config_sections_remove(struct config_sections *sections, struct section *section)
{
    size_t kept = 0;

    for (size_t i = 0; i < sections->count; i++)
        if (sections->items[i] != section)
            sections->items[kept++] = sections->items[i];
    sections->count = kept;
    section_free(section);
}

void config_sections_free(struct config_sections *sections)
{
    for (size_t i = 0; i < sections->count; i++)
        section_free(sections->items[i]);
    free(sections->items);
    *sections = (struct config_sections){0};
}
