/* session_filter: see the header. */
#include "ops/session_filter.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind {
    KIND_TEXT,
    KIND_YES_NO,
    KIND_ID,
    KIND_GROUP,
    KIND_STATE,
    KIND_TIME,
    KIND_COUNT,
    KIND_SIZE,
    KIND_DB
};

#define ROW(member) offsetof(struct session_row, member)

static const struct field {
    const char *name;
    enum kind kind;
    size_t offset;
} fields[] = {
    {"id", KIND_ID, 0},
    {"address", KIND_TEXT, ROW(address)},
    {"user", KIND_TEXT, ROW(user)},
    {"name", KIND_TEXT, ROW(name)},
    {"library", KIND_TEXT, ROW(library)},
    {"listener", KIND_TEXT, ROW(listener)},
    {"command", KIND_TEXT, ROW(command)},
    {"group", KIND_GROUP, 0},
    {"state", KIND_STATE, 0},
    {"tls", KIND_YES_NO, ROW(tls)},
    {"db", KIND_DB, ROW(db)},
    {"age", KIND_TIME, ROW(age_ms)},
    {"idle", KIND_TIME, ROW(idle_ms)},
    {"in_flight", KIND_COUNT, ROW(in_flight)},
    {"waiting", KIND_COUNT, ROW(waiting)},
    {"requests", KIND_SIZE, ROW(request_bytes)},
    {"output", KIND_SIZE, ROW(output_bytes)},
};

/* ---- reading ---- */

static int find_field(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strlen(fields[i].name) == len && strncmp(fields[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

static bool parse_number(int64_t *out, const char *text, enum kind kind)
{
    static const struct {
        const char *name;
        int64_t factor;
        enum kind kind;
    } units[] = {{"ms", 1, KIND_TIME},       {"s", 1000, KIND_TIME},     {"", 1000, KIND_TIME},
                 {"m", 60000, KIND_TIME},    {"h", 3600000, KIND_TIME},  {"kb", 1 << 10, KIND_SIZE},
                 {"mb", 1 << 20, KIND_SIZE}, {"gb", 1 << 30, KIND_SIZE}, {"", 1, KIND_SIZE},
                 {"", 1, KIND_COUNT},        {"", 1, KIND_ID},           {"", 1, KIND_DB}};
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (units[i].kind == kind && strcasecmp(end, units[i].name) == 0)
            return errno == 0 && !__builtin_mul_overflow(number, units[i].factor, out);
    return false;
}

static bool has_order(enum kind kind)
{
    return kind == KIND_TIME || kind == KIND_COUNT || kind == KIND_SIZE;
}

static bool is_number(enum kind kind)
{
    return has_order(kind) || kind == KIND_ID || kind == KIND_DB;
}

static const char *read_compare(const char *at, enum filter_compare *compare)
{
    if (*at == '!' && at[1] == '=')
        return *compare = FILTER_IS_NOT, at + 2;
    *compare = *at == '=' ? FILTER_IS : *at == '>' ? FILTER_MORE : FILTER_LESS;
    return *at == '=' || *at == '>' || *at == '<' ? at + 1 : NULL;
}

static bool is_state(const char *text)
{
    for (int i = 0; i < MOODS; i++)
        if (strcmp(text, session_mood_name((enum session_mood)i)) == 0)
            return true;
    return false;
}

static int complain(char *why, size_t size, const char *format, const char *text)
{
    snprintf(why, size, format, text);
    return -1;
}

static int check_value(struct filter_term *term, const char *value, char *why, size_t size)
{
    enum kind kind = fields[term->field].kind;
    if (is_number(kind) && !parse_number(&term->number, value, kind))
        return complain(why, size,
                        kind == KIND_TIME   ? "%.40s is no time: write 500ms, 20s, 2m or 1h"
                        : kind == KIND_SIZE ? "%.40s is no size: write 100, 64kb or 1mb"
                                            : "%.40s is no number",
                        value);
    if (kind == KIND_YES_NO && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return complain(why, size, "%.40s is neither yes nor no", value);
    if (kind == KIND_STATE && !is_state(value))
        return complain(why, size,
                        "there is no state %.40s: idle, busy, transaction, subscribed, blocked, "
                        "replication, held or leaving",
                        value);
    if (strlen(value) >= sizeof(term->text))
        return complain(why, size, "%.40s... is too long", value);
    memcpy(term->text, value, strlen(value) + 1);
    return 0;
}

int session_filter_add(struct session_filter *filter, const char *text, char *why, size_t size)
{
    size_t len = strcspn(text, "=!<>");
    struct filter_term term = {.field = find_field(text, len)};
    const char *value = read_compare(text + len, &term.compare);
    if (filter->count == FILTER_TERMS_MAX)
        return complain(why, size, "%.40s is one filter too many: 8 at most", text);
    if (!value)
        return complain(why, size, "%.40s is no filter: write user=app, idle>60s or state!=idle",
                        text);
    if (term.field < 0)
        return complain(why, size,
                        "%.40s: there is no such field: id, address, user, name, library, "
                        "listener, group, state, command, tls, db, age, idle, in_flight, waiting, "
                        "requests or output",
                        text);
    if ((term.compare == FILTER_MORE || term.compare == FILTER_LESS) &&
        !has_order(fields[term.field].kind))
        return complain(why, size, "%.40s: use = or != here", text);
    if (check_value(&term, value, why, size) != 0)
        return -1;
    filter->terms[filter->count++] = term;
    return 0;
}

/* ---- comparing ---- */

/* "app*" means what begins so. An address without its port means every port. */
static bool text_matches(const char *wanted, const char *text, bool address)
{
    size_t len = strlen(wanted);
    if (len && wanted[len - 1] == '*')
        return strncmp(wanted, text, len - 1) == 0;
    if (strcmp(wanted, text) == 0)
        return true;
    const char *port = address ? strrchr(text, ':') : NULL;
    return port && (size_t)(port - text) == len && strncmp(wanted, text, len) == 0;
}

static const char *text_of(const struct field *field, const struct session_row *row,
                           const struct traffic_options *options)
{
    switch (field->kind) {
    case KIND_GROUP:
        return options->groups[row->group].name;
    case KIND_STATE:
        return session_mood_name(row->mood);
    case KIND_YES_NO:
        return row->tls ? "yes" : "no";
    default:
        return (const char *)row + field->offset;
    }
}

static int64_t number_of(const struct field *field, const struct session_row *row)
{
    const void *at = (const char *)row + field->offset;
    switch (field->kind) {
    case KIND_ID:
        return (int64_t)row->id;
    case KIND_DB:
        return *(const int *)at;
    case KIND_COUNT:
        return *(const unsigned *)at;
    case KIND_SIZE:
        return (int64_t) * (const size_t *)at;
    default:
        return *(const int64_t *)at;
    }
}

static bool term_holds(const struct filter_term *term, const struct session_row *row,
                       const struct traffic_options *options)
{
    const struct field *field = &fields[term->field];
    bool same;
    if (is_number(field->kind)) {
        int64_t number = number_of(field, row);
        if (term->compare == FILTER_MORE)
            return number > term->number;
        if (term->compare == FILTER_LESS)
            return number < term->number;
        same = number == term->number;
    } else {
        bool address = field->offset == ROW(address) || field->offset == ROW(listener);
        same = text_matches(term->text, text_of(field, row, options), address);
    }
    return same == (term->compare == FILTER_IS);
}

bool session_filter_passes(const struct session_filter *filter, const struct session_row *row,
                           const struct traffic_options *options)
{
    for (size_t i = 0; i < filter->count; i++)
        if (!term_holds(&filter->terms[i], row, options))
            return false;
    return true;
}
