/* config_diff: see the header. Settings are compared as they are shown, but for secrets, which are not shown. */
#include "ops/config_diff.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define NOT_SET "(not set)"
#define SECTION_TEXT 400

/* What a walk over both needs. */
struct walk {
    void (*each)(void *data, const struct config_change *change);
    void *data;
    size_t count;
};

static const struct section *find(const struct config_sections *sections,
                                  const struct section *like)
{
    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section->kind == like->kind &&
            strcmp(section->label ? section->label : "", like->label ? like->label : "") == 0)
            return section;
    }
    return NULL;
}

/* ---- values ---- */

static const void *value_at(const struct section *section, size_t offset)
{
    return (const char *)&section->settings + offset;
}

static void show_number(FILE *out, const struct config_option *option, int64_t number)
{
    char text[32];
    if (option->word && number == option->word_value)
        fputs(option->word, out);
    else
        fputs(option_format_number(text, sizeof(text), option, number), out);
}

static void show_endpoints(FILE *out, const struct endpoints *list)
{
    char text[ENDPOINT_TEXT_MAX];
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s%s", i ? ", " : "", endpoint_format(text, sizeof(text), &list->items[i]));
}

static void show(FILE *out, const struct config_option *option, const struct section *section)
{
    const void *value = value_at(section, option->offset);
    const struct address *address = value;
    char text[ENDPOINT_TEXT_MAX];
    const char *string;
    switch (option->type) {
    case OPTION_COUNT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        show_number(out, option, *(const int64_t *)value);
        break;
    case OPTION_CHOICE:
        fputs(option->choices[*(const int64_t *)value], out);
        break;
    case OPTION_ADDRESS:
        fputs(address->len ? address_format(text, sizeof(text), address) : option->word, out);
        break;
    case OPTION_ENDPOINTS:
        show_endpoints(out, value);
        break;
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_SECRET_FILE:
        string = *(char *const *)value_at(
            section, option->type == OPTION_SECRET_FILE ? option->path_offset : option->offset);
        fputs(string ? string : NOT_SET, out);
        break;
    }
}

/* To be wiped and freed. */
static char *text_of(const struct config_option *option, const struct section *section)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        out_of_memory(0);
    show(out, option, section);
    if (fclose(out) != 0)
        out_of_memory(0);
    return text;
}

/* ---- the walk ---- */

static const char *section_text(char out[SECTION_TEXT], const struct section *section)
{
    const char *label = section->label ? section->label : "";
    snprintf(out, SECTION_TEXT, "[%s%s%s]", section_kind_name(section->kind), *label ? " " : "",
             label);
    return out;
}

static void tell(struct walk *walk, const struct section *section, struct config_change change)
{
    char name[SECTION_TEXT];
    change.section = section_text(name, section);
    walk->each(walk->data, &change);
    walk->count++;
}

static void compare(struct walk *walk, const struct section *before, const struct section *after)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].section != after->kind)
            continue;
        bool secret = table[i].type == OPTION_SECRET;
        char *from = text_of(&table[i], before), *to = text_of(&table[i], after);
        if (strcmp(from, to) != 0)
            tell(walk, after,
                 (struct config_change){.kind = CHANGE_SETTING,
                                        .option = &table[i],
                                        .from = secret ? "(secret)" : from,
                                        .to = secret ? "(another secret)" : to});
        explicit_bzero(from, strlen(from));
        explicit_bzero(to, strlen(to));
        free(from);
        free(to);
    }
}

size_t config_diff(const struct config_sections *before, const struct config_sections *after,
                   void (*each)(void *data, const struct config_change *change), void *data)
{
    struct walk walk = {each, data, 0};
    for (size_t i = 0; i < after->count; i++) {
        const struct section *now = after->items[i], *was = find(before, now);
        if (was)
            compare(&walk, was, now);
        else
            tell(&walk, now, (struct config_change){.kind = CHANGE_SECTION_ADDED});
    }
    for (size_t i = 0; i < before->count; i++)
        if (!find(after, before->items[i]))
            tell(&walk, before->items[i], (struct config_change){.kind = CHANGE_SECTION_GONE});
    return walk.count;
}

void config_change_print(FILE *out, const struct config_change *change)
{
    if (change->kind == CHANGE_SECTION_ADDED)
        fprintf(out, "%s: added\n", change->section);
    else if (change->kind == CHANGE_SECTION_GONE)
        fprintf(out, "%s: removed\n", change->section);
    else
        fprintf(out, "%s %s: %s -> %s%s\n", change->section, change->option->name, change->from,
                change->to,
                change->option->reload == RELOAD_RESTART ? " (not before a restart)" : "");
}

/* ---- all settings ---- */

static void show_section(FILE *out, const struct section *section)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].section != section->kind)
            continue;
        char *text = text_of(&table[i], section);
        bool set = strcmp(text, NOT_SET) != 0;
        fprintf(out, "%s%s = %s\n", set ? "" : "; ", table[i].name,
                !set                             ? ""
                : table[i].type == OPTION_SECRET ? "(secret)"
                                                 : text);
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void config_show(FILE *out, const struct config_sections *sections)
{
    char name[SECTION_TEXT];
    for (enum section_kind kind = 0; kind < SECTION_KINDS; kind++) {
        for (size_t i = 0; i < sections->count; i++) {
            if (sections->items[i]->kind != kind)
                continue;
            fprintf(out, "%s\n", section_text(name, sections->items[i]));
            show_section(out, sections->items[i]);
        }
    }
}
