/*
 * config_value: one setting's text into its place in the settings.
 *
 * An error message quotes the text as it stands in the file, never what
 * ${NAME} became, and nothing of a secret.
 */
#include "ops/config_value.h"

#include "base/buf.h"
#include "base/secret.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_MAX (64 * 1024)

#define field_at(target, at, type) ((type *)(void *)((char *)(target)->settings + (at)))
#define field(target, type) field_at(target, (target)->option->offset, type)

#define bad(target, format, ...) config_error((target)->errors, (target)->line, format, __VA_ARGS__)

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit count_units[] = {{"", 1}, {NULL, 0}};
static const struct unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1}, {"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {NULL, 0}};

/* Digits and a unit. Returns false when it is neither; too large a number becomes the largest. */
static bool parse_number(int64_t *out, const char *text, const struct unit *units)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    while (*end == ' ' || *end == '\t')
        end++;
    for (; units->name; units++) {
        if (strcasecmp(end, units->name) != 0)
            continue;
        if (errno == ERANGE || __builtin_mul_overflow(number, units->factor, out))
            *out = INT64_MAX;
        return true;
    }
    return false;
}

static void read_number(const struct value_target *target, const char *value, const char *text)
{
    const struct config_option *option = target->option;
    const struct unit *units = count_units;
    const char *form = "a number", *example = "1000";
    char min[32], max[32];
    int64_t number;

    if (option->type == OPTION_DURATION) {
        units = duration_units;
        form = "a duration";
        example = "500ms, 20s or 2m";
    } else if (option->type == OPTION_SIZE) {
        units = size_units;
        form = "a size";
        example = "64kb, 16mb or 1gb";
    }
    if (option->word && strcmp(value, option->word) == 0) {
        *field(target, int64_t) = option->word_value;
        return;
    }
    if (!parse_number(&number, value, units)) {
        bad(target, "%s = %s is not %s: write %s%s%s", option->name, text, form, example,
            option->word ? ", or " : "", option->word ? option->word : "");
        return;
    }
    if (number < option->min || number > option->max) {
        bad(target, "%s = %s is out of range: choose %s to %s", option->name, text,
            option_format_number(min, sizeof(min), option, option->min),
            option_format_number(max, sizeof(max), option, option->max));
        return;
    }
    *field(target, int64_t) = number;
}

static void read_choice(const struct value_target *target, const char *value, const char *text)
{
    const struct config_option *option = target->option;
    struct buf all = {0};

    for (int64_t i = 0; option->choices[i]; i++) {
        if (strcmp(value, option->choices[i]) == 0) {
            *field(target, int64_t) = i;
            buf_free(&all);
            return;
        }
        buf_printf(&all, "%s%s", i ? " | " : "", option->choices[i]);
    }
    bad(target, "%s = %s is not one of its values: choose %.*s", option->name, text,
        (int)buf_len(&all), buf_head(&all));
    buf_free(&all);
}

static void read_address(const struct value_target *target, const char *value, const char *text)
{
    const struct config_option *option = target->option;
    struct address *address = field(target, struct address);
    struct endpoint endpoint;

    *address = (struct address){0};
    if (!*value || strcmp(value, option->word) == 0)
        return;
    if (endpoint_parse(&endpoint, value, 0) < 0 ||
        address_from_number(address, endpoint.host, endpoint.port) < 0)
        bad(target, "%s = %s is not a numeric address and a port: write %s, or %s", option->name,
            text, option->standard, option->word);
}

/* Adds one host:port of a list. */
static void add_endpoint(const struct value_target *target, const char *item, const char *text)
{
    struct endpoints *list = field(target, struct endpoints);
    const char *name = target->option->name;
    const char *shown = !target->verbatim && strstr(text, "${") ? text : item;
    struct endpoint endpoint;

    if (endpoint_parse(&endpoint, item, target->option->port) < 0) {
        bad(target, "%s: \"%s\" is not a host and a port: write host:%u or [::1]:%u", name, shown,
            (unsigned)target->option->port, (unsigned)target->option->port);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].port == endpoint.port &&
            strcasecmp(list->items[i].host, endpoint.host) == 0) {
            bad(target, "%s: \"%s\" stands there twice, and would have two votes: remove one", name,
                shown);
            return;
        }
    }
    struct endpoint *items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items)
        abort();
    items[list->count] = endpoint;
    list->items = items;
    list->count++;
}

static void read_endpoints(const struct value_target *target, char *value, const char *text)
{
    char *rest = value, *item;

    while ((item = strsep(&rest, ","))) {
        item += strspn(item, " \t");
        for (char *end = item + strlen(item); end > item && strchr(" \t", end[-1]); end--)
            end[-1] = '\0';
        add_endpoint(target, item, text);
    }
}

static void read_text(const struct value_target *target, const char *value)
{
    char **text = field(target, char *);

    if (!*value) {
        bad(target, "%s is empty: give it a value, or remove the line", target->option->name);
        return;
    }
    free(*text);
    *text = strdup(value);
    if (!*text)
        abort();
}

static void free_secret(char *secret)
{
    if (secret)
        secret_free(secret, strlen(secret));
}

static void keep_secret(const struct value_target *target, char *secret)
{
    char **text = field(target, char *);
    free_secret(*text);
    *text = secret;
}

static void read_secret(const struct value_target *target, const char *value)
{
    if (*value)
        keep_secret(target, secret_new(value, strlen(value)));
    else
        bad(target, "%s is empty: give it a value, or remove the line", target->option->name);
}

/* The path is kept: the file is read again when its password is refused. */
static void read_secret_file(const struct value_target *target, const char *path, const char *text)
{
    char why[160], **kept = field_at(target, target->option->path_offset, char *);
    size_t len;
    char *secret = secret_from_file(path, &len, why, sizeof(why));

    if (!secret) {
        bad(target, "%s = %s %s", target->option->name, text, why);
        return;
    }
    keep_secret(target, secret);
    *kept = strdup(path);
    if (!*kept)
        abort();
}

/* Replaces each ${NAME}. Returns false after an error. */
static bool expand(const struct value_target *target, const char *text, struct buf *out)
{
    const char *start;

    while (!target->verbatim && (start = strstr(text, "${"))) {
        char name[128];
        size_t len = strcspn(start + 2, "}");
        if (start[2 + len] != '}' || !len || len >= sizeof(name)) {
            bad(target, "%s has a ${ that names no variable: write ${NAME}", target->option->name);
            return false;
        }
        memcpy(name, start + 2, len);
        name[len] = '\0';
        const char *value = getenv(name);
        if (!value) {
            bad(target,
                "%s uses ${%s}, which is not in the environment: set it, or remove the line",
                target->option->name, name);
            return false;
        }
        buf_append(out, text, (size_t)(start - text));
        buf_append(out, value, strlen(value));
        text = start + 2 + len + 1;
    }
    buf_append(out, text, strlen(text) + 1);
    return true;
}

static void read_expanded(const struct value_target *target, char *value, const char *text)
{
    switch (target->option->type) {
    case OPTION_COUNT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        read_number(target, value, text);
        break;
    case OPTION_CHOICE:
        read_choice(target, value, text);
        break;
    case OPTION_TEXT:
        read_text(target, value);
        break;
    case OPTION_SECRET:
        read_secret(target, value);
        break;
    case OPTION_SECRET_FILE:
        read_secret_file(target, value, text);
        break;
    case OPTION_ADDRESS:
        read_address(target, value, text);
        break;
    case OPTION_ENDPOINTS:
        read_endpoints(target, value, text);
        break;
    }
}

void config_value_read(const struct value_target *target, const char *text)
{
    struct buf value = {0};

    /* One piece from the start: growing would leave a copy of a secret behind. */
    buf_reserve(&value, SECRET_MAX);
    if (expand(target, text, &value))
        read_expanded(target, buf_head(&value), text);
    buf_wipe(&value);
}

void config_value_free(const struct config_option *option, union settings *settings)
{
    const struct value_target target = {.option = option, .settings = settings};
    char **text = field(&target, char *);

    switch (option->type) {
    case OPTION_SECRET:
        free_secret(*text);
        *text = NULL;
        break;
    case OPTION_TEXT:
        free(*text);
        *text = NULL;
        break;
    case OPTION_SECRET_FILE:
        text = field_at(&target, option->path_offset, char *);
        free(*text);
        *text = NULL;
        break;
    case OPTION_ENDPOINTS:
        free(field(&target, struct endpoints)->items);
        *field(&target, struct endpoints) = (struct endpoints){0};
        break;
    default:
        break;
    }
}
