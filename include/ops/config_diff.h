/*
 * config_diff: what is different between two configurations, setting by setting, as far as a file says it: defaults that
 * are written out are no difference.
 */
#ifndef REDISPROXY_OPS_CONFIG_DIFF_H
#define REDISPROXY_OPS_CONFIG_DIFF_H

#include "ops/config_sections.h"

enum config_change_kind { CHANGE_SETTING, CHANGE_SECTION_ADDED, CHANGE_SECTION_GONE };

/* The texts live during the call only. A secret is never shown. */
struct config_change {
    enum config_change_kind kind;
    const char *section;                /* "[master mymaster]" */
    const struct config_option *option; /* of CHANGE_SETTING, and */
    const char *from, *to;              /* what it was, and is */
};

/* Calls `each` for every change, in the order of the sections and of the table. Returns their number. */
size_t config_diff(const struct config_sections *before, const struct config_sections *after,
                   void (*each)(void *data, const struct config_change *change), void *data);

/* Writes all settings, defaults included, as a file has them; instead of a secret stands "(secret)". */
void config_show(FILE *out, const struct config_sections *sections);

/* Writes one as a line: "[proxy] max_clients: 10000 -> 20000". */
void config_change_print(FILE *out, const struct config_change *change);

#endif
