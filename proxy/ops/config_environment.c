/*
 * config_environment: see the header. Variables that Kubernetes puts there for each Service of a namespace
 * (REDISPROXY_MASTER_SERVICE_HOST, when a Service has the name redisproxy-master) are none of ours; every other one that begins
 * as ours do has to be known, or a typing error would leave a default in its place.
 */
#include "ops/config_environment.h"

#include "ops/config_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

#define PREFIX "REDISPROXY_"
#define DEFAULT_GROUP "mymaster"

/* Which section of a kind a variable is about; 0: all of them. */
struct scope {
    enum section_kind kind;
    int number;
};

/* What else can be set: by what a section is known. */
static const char *label_name(enum section_kind kind)
{
    return kind == SECTION_MASTER ? "NAME" : kind == SECTION_LISTEN ? "ADDRESS" : NULL;
}

/* ---- names ---- */

static void append_upper(char out[CONFIG_VARIABLE_MAX], const char *text)
{
    size_t len = strlen(out);
    while (*text && len < CONFIG_VARIABLE_MAX - 1)
        out[len++] = (char)toupper((unsigned char)*text++);
    out[len] = '\0';
}

static const char *variable(char out[CONFIG_VARIABLE_MAX], struct scope scope, const char *name)
{
    char number[16];
    snprintf(out, CONFIG_VARIABLE_MAX, PREFIX);
    append_upper(out, section_kind_name(scope.kind));
    snprintf(number, sizeof(number), scope.number ? "_%d_" : "_", scope.number);
    append_upper(out, number);
    append_upper(out, name);
    return out;
}

const char *config_variable(char out[CONFIG_VARIABLE_MAX], const struct config_option *option)
{
    return variable(out, (struct scope){.kind = option->section}, option->name);
}

/* Its value; NULL: it is not set, or empty. */
static const char *value_of(struct scope scope, const char *name)
{
    char full[CONFIG_VARIABLE_MAX];
    const char *value = getenv(variable(full, scope, name));
    return value && *value ? value : NULL;
}

/* Whether it begins with this word and an underscore; then *rest is what follows. */
static bool begins(const char *text, const char *word, const char **rest)
{
    size_t len = strlen(word);
    if (strncasecmp(text, word, len) != 0 || text[len] != '_')
        return false;
    *rest = text + len + 1;
    return true;
}

/* Reads the kind and the number of a name behind the prefix. Returns what is left, or NULL: it is of no section. */
static const char *read_scope(const char *text, struct scope *scope)
{
    const char *rest;
    for (enum section_kind kind = 0; kind < SECTION_KINDS; kind++) {
        if (!begins(text, section_kind_name(kind), &rest))
            continue;
        size_t digits = strspn(rest, "0123456789");
        *scope = (struct scope){.kind = kind};
        if (label_name(kind) && digits && digits < 4 && rest[digits] == '_') {
            scope->number = atoi(rest);
            rest += digits + 1;
        }
        return rest;
    }
    return NULL;
}

static const struct config_option *find_option(enum section_kind kind, const char *name)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++)
        if (table[i].section == kind && strcasecmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

/* ---- what is not known ---- */

static bool is_of_kubernetes(const char *name)
{
    const char *port = strstr(name, "_PORT");
    return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") ||
           (port && (!port[5] || (port[5] == '_' && isdigit((unsigned char)port[6]))));
}

static void unknown_in_section(struct scope scope, const char *name, const char *rest,
                               struct config_errors *errors)
{
    const char *names[OPTIONS_MAX];
    char lower[CONFIG_VARIABLE_MAX] = "", mend[CONFIG_VARIABLE_MAX];
    size_t count, here = 0;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++)
        if (table[i].section == scope.kind)
            names[here++] = table[i].name;
    for (size_t i = 0; i < sizeof(lower) - 1 && rest[i]; i++)
        lower[i] = (char)tolower((unsigned char)rest[i]);
    const char *nearest = config_nearest(lower, names, here);
    if (nearest)
        config_error(errors, LINE_ENVIRONMENT, "%s is no setting: did you mean %s?", name,
                     variable(mend, scope, nearest));
    else
        config_error(errors, LINE_ENVIRONMENT,
                     "%s is no setting: unset it; redisproxy --help lists all settings", name);
}

static void check_name(const char *name, struct config_errors *errors)
{
    struct scope scope;
    char mend[CONFIG_VARIABLE_MAX];
    const char *rest = read_scope(name + strlen(PREFIX), &scope);
    if (rest) {
        const char *label = label_name(scope.kind);
        if (scope.number > CONFIG_NUMBERED_MAX)
            config_error(errors, LINE_ENVIRONMENT, "%s: the numbers are 1 to %d", name,
                         CONFIG_NUMBERED_MAX);
        else if (!find_option(scope.kind, rest) && !(label && strcmp(rest, label) == 0))
            unknown_in_section(scope, name, rest, errors);
        return;
    }
    rest = name + strlen(PREFIX);
    for (enum section_kind kind = 0; kind < SECTION_KINDS; kind++) {
        const struct config_option *option = find_option(kind, rest);
        if (!option)
            continue;
        config_error(errors, LINE_ENVIRONMENT, "%s lacks its section: did you mean %s?", name,
                     config_variable(mend, option));
        return;
    }
}

static void check_names(struct config_errors *errors)
{
    for (char **at = environ; *at; at++) {
        char name[CONFIG_VARIABLE_MAX];
        size_t len = strcspn(*at, "=");
        bool ours = strncmp(*at, PREFIX, strlen(PREFIX)) == 0 && len < sizeof(name);
        if (!ours || !(*at)[len] || !(*at)[len + 1])
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)len, *at);
        if (!is_of_kubernetes(name))
            check_name(name, errors);
    }
}

/* ---- setting ---- */

/* An error tells of a value by its setting's name: the variable's comes before that. */
static void pass_on(struct config_errors *from, const char *name, struct config_errors *errors)
{
    for (size_t i = 0; i < from->count; i++)
        config_error(errors, LINE_ENVIRONMENT, "%s: %s", name, from->items[i].text);
    config_errors_free(from);
}

/* What was set before at this place, in whichever form, is gone. */
static void clear(struct section *section, const struct config_option *option)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].section != option->section || table[i].offset != option->offset)
            continue;
        config_value_free(&table[i], &section->settings);
        section->given[i] = 0;
    }
}

/* Both forms of a secret, with one number or none: which one counts? */
static bool is_said_twice(struct scope scope, const struct config_option *option, const char *name,
                          struct config_errors *errors)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    char other[CONFIG_VARIABLE_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct config_option *same = &table[i];
        if (same == option || same->section != option->section || same->offset != option->offset ||
            !value_of(scope, same->name))
            continue;
        if (same < option)
            config_error(errors, LINE_ENVIRONMENT, "%s is set although %s is: unset one of the two",
                         name, variable(other, scope, same->name));
        return true;
    }
    return false;
}

static void apply(struct section *section, struct scope scope, struct config_errors *errors)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++) {
        char name[CONFIG_VARIABLE_MAX];
        struct config_errors own = {.file = "the environment"};
        const char *value = table[i].section == scope.kind ? value_of(scope, table[i].name) : NULL;
        variable(name, scope, table[i].name);
        if (!value || is_said_twice(scope, &table[i], name, errors))
            continue;
        clear(section, &table[i]);
        section->given[i] = LINE_ENVIRONMENT;
        config_value_read(&(struct value_target){.option = &table[i],
                                                 .settings = &section->settings,
                                                 .errors = &own,
                                                 .line = LINE_ENVIRONMENT,
                                                 .verbatim = true},
                          value);
        pass_on(&own, name, errors);
    }
}

/* ---- sections ---- */

/* Whether any of its variables is set. */
static bool is_told_of(struct scope scope)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    bool told = value_of(scope, label_name(scope.kind)) != NULL;
    for (size_t i = 0; i < count && !told; i++)
        told = table[i].section == scope.kind && value_of(scope, table[i].name);
    return told;
}

static size_t find_all(const struct config_sections *sections, enum section_kind kind,
                       struct section **out)
{
    size_t found = 0;
    for (size_t i = 0; i < sections->count && found < CONFIG_NUMBERED_MAX; i++)
        if (sections->items[i]->kind == kind)
            out[found++] = sections->items[i];
    return found;
}

/* Those of the file, and those that the environment adds, by number. Returns how many there are. */
static size_t collect(struct config_sections *sections, enum section_kind kind,
                      struct section **out)
{
    size_t count = find_all(sections, kind, out);
    for (size_t number = count + 1; number <= CONFIG_NUMBERED_MAX; number++) {
        struct scope scope = {kind, (int)number};
        if (!is_told_of(scope))
            break;
        out[count++] = config_sections_add(
            sections, kind, kind == SECTION_MASTER && number == 1 ? DEFAULT_GROUP : "",
            LINE_ENVIRONMENT);
    }
    if (count == 0 && kind == SECTION_MASTER && is_told_of((struct scope){.kind = kind}))
        out[count++] = config_sections_add(sections, kind, DEFAULT_GROUP, LINE_ENVIRONMENT);
    for (size_t number = count + 1; number <= CONFIG_NUMBERED_MAX; number++)
        if (is_told_of((struct scope){kind, (int)number}))
            return CONFIG_NUMBERED_MAX + number; /* a gap */
    return count;
}

static void check_unique(const struct config_sections *sections, const struct section *named,
                         const char *name, struct config_errors *errors)
{
    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section != named && section->kind == named->kind &&
            strcmp(section->label, named->label) == 0)
            config_error(errors, LINE_ENVIRONMENT, "%s = %s: there is a [%s %s] already", name,
                         named->label, section_kind_name(named->kind), named->label);
    }
}

static void name_section(const struct config_sections *sections, struct section *section,
                         struct scope scope, struct config_errors *errors)
{
    char name[CONFIG_VARIABLE_MAX];
    const char *label = value_of(scope, label_name(scope.kind));
    variable(name, scope, label_name(scope.kind));
    if (label) {
        free(section->label);
        section->label = strdup(label);
        if (!section->label)
            abort();
        check_unique(sections, section, name, errors);
    }
    if (!*section->label && section->line == LINE_ENVIRONMENT)
        config_error(errors, LINE_ENVIRONMENT, "%s is not set, and there is no section %d of [%s]",
                     name, scope.number, section_kind_name(scope.kind));
    else if (scope.kind == SECTION_MASTER && label && label[strcspn(label, " \t\"")])
        config_error(errors, LINE_ENVIRONMENT, "%s = %s is not the one word that Sentinel calls it",
                     name, label);
    else if (scope.kind == SECTION_LISTEN && label && config_section_listen_at(section) < 0)
        config_error(errors, LINE_ENVIRONMENT,
                     "%s = %s is not a numeric address and a port: write 0.0.0.0:6379 or "
                     "[::]:6379, or off",
                     name, label);
}

static bool is_off(struct scope scope)
{
    const char *label = value_of(scope, label_name(scope.kind));
    return scope.kind == SECTION_LISTEN && label && strcmp(label, "off") == 0;
}

static void read_kind(struct config_sections *sections, enum section_kind kind,
                      struct config_errors *errors)
{
    struct section *all[CONFIG_NUMBERED_MAX];
    size_t count = collect(sections, kind, all);
    if (count > CONFIG_NUMBERED_MAX) {
        char name[CONFIG_VARIABLE_MAX];
        config_error(errors, LINE_ENVIRONMENT,
                     "%s... is set, and the number before it is not: number them without a gap",
                     variable(name, (struct scope){kind, (int)count - CONFIG_NUMBERED_MAX}, ""));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct scope scope = {kind, (int)i + 1};
        struct scope named = scope;
        if (i == 0 && !value_of(scope, label_name(kind)))
            named.number = 0;
        if (is_off(named)) {
            config_sections_remove(sections, all[i]);
            continue;
        }
        name_section(sections, all[i], named, errors);
        apply(all[i], (struct scope){.kind = kind}, errors);
        apply(all[i], scope, errors);
    }
}

void config_environment_read(struct config_sections *sections, struct config_errors *errors)
{
    check_names(errors);
    for (size_t i = 0; i < sections->count; i++)
        if (sections->items[i]->kind == SECTION_PROXY)
            apply(sections->items[i], (struct scope){.kind = SECTION_PROXY}, errors);
    read_kind(sections, SECTION_MASTER, errors);
    read_kind(sections, SECTION_LISTEN, errors);
}

bool config_environment_suffices(void)
{
    return value_of((struct scope){.kind = SECTION_MASTER}, "sentinels") ||
           value_of((struct scope){SECTION_MASTER, 1}, "sentinels");
}

void config_environment_set(const char *sentinels, const char *master)
{
    char name[CONFIG_VARIABLE_MAX];
    const struct scope first = {SECTION_MASTER, 1};
    if (sentinels && setenv(variable(name, first, "sentinels"), sentinels, 1) != 0)
        abort();
    if (master && setenv(variable(name, first, "name"), master, 1) != 0)
        abort();
}

void config_environment_print(FILE *out)
{
    fputs("Every setting can also come from the environment, which is stronger than the file; what "
          "is empty\n"
          "there counts as not set:\n\n"
          "  REDISPROXY_PROXY_WORKERS=2                a setting of [proxy]\n"
          "  REDISPROXY_MASTER_SENTINELS=a,b           of every [master]; without a file there is "
          "one, mymaster\n"
          "  REDISPROXY_MASTER_NAME=argocd             what Sentinel calls the first one\n"
          "  REDISPROXY_LISTEN_TLS=yes                 of every [listen]; without a file there are "
          "two\n"
          "  REDISPROXY_LISTEN_2_ADDRESS=off           of the second one, in the file's order: it "
          "is not there\n"
          "  REDISPROXY_LISTEN_3_ADDRESS=0.0.0.0:6381  one more than there are\n\n",
          out);
}
