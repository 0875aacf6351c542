/*
 * config_value: one setting's text into its place in the settings.
 */
#ifndef REDISPROXY_OPS_CONFIG_VALUE_H
#define REDISPROXY_OPS_CONFIG_VALUE_H

#include "ops/config_errors.h"
#include "ops/config_table.h"

/* Where a value comes from, and what it is written into. */
struct value_target {
    const struct config_option *option;
    union settings *settings;
    struct config_errors *errors;
    int line;
    bool verbatim; /* ${NAME} means nothing */
};

/* Reads `text`, replacing each ${NAME} from the environment. What is wrong goes to the errors. */
void config_value_read(const struct value_target *target, const char *text);

/* Frees what the value owns, wiping a secret. */
void config_value_free(const struct config_option *option, union settings *settings);

#endif
