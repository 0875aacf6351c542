/*
 * config_sections: a configuration file as sections with settings: everything
 * that can be known without looking at two sections at once.
 */
#ifndef REDISPROXY_OPS_CONFIG_SECTIONS_H
#define REDISPROXY_OPS_CONFIG_SECTIONS_H

#include "ops/config_errors.h"
#include "ops/config_table.h"

struct section {
    enum section_kind kind;
    int line;    /* of its header; 0: not in the file; LINE_ENVIRONMENT: the environment has it */
    char *label; /* what follows the kind: the group's name, the address; or NULL */
    struct endpoint endpoint; /* of a [listen] */
    struct address address;
    union settings settings;
    /* The line that sets the option with this index in the table; LINE_ENVIRONMENT; or 0. */
    int given[OPTIONS_MAX];
};

struct config_sections {
    struct section **items; /* pointers, because options point into the sections */
    size_t count;
};

/* Adds a section with the defaults; `label` is copied (NULL: none). Returns it. */
struct section *config_sections_add(struct config_sections *sections, enum section_kind kind,
                                    const char *label, int line);

/* Reads a file's text. What is wrong goes to the errors. */
void config_sections_read(struct config_sections *sections, char *text, size_t len,
                          struct config_errors *errors);

/* Takes one out, and frees it. */
void config_sections_remove(struct config_sections *sections, struct section *section);

/* Takes the address of a [listen] from its label. Returns 0, or -1: it is none. */
int config_section_listen_at(struct section *section) __attribute__((warn_unused_result));

/* Once all that can be set is: what must be, and is not, goes to the errors. */
void config_sections_require(const struct config_sections *sections, struct config_errors *errors);

/* How many of a kind there are. */
size_t config_count(const struct config_sections *sections, enum section_kind kind);

/* The line that set the named option; LINE_ENVIRONMENT; 0: it has its default. */
int config_section_given(const struct section *section, const char *option);
/* The same; where it has its default, the section's own line. */
int config_section_line(const struct section *section, const char *option);

void config_sections_free(struct config_sections *sections);

#endif
