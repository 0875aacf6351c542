/*
 * option_values: for each option of the table a value that is not its default.
 */
#ifndef REDISPROXY_TESTS_OPTION_VALUES_H
#define REDISPROXY_TESTS_OPTION_VALUES_H

#include "ops/config_table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char secret_file[] = "/tmp/test_option.XXXXXX";

/* A value that is not the default. */
static inline const char *other_value(const struct config_option *option)
{
    static char text[64];
    int64_t number = option->min;
    switch (option->type) {
    case OPTION_COUNT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        option_format_number(text, sizeof(text), option, number);
        if (option->standard && strcmp(text, option->standard) == 0)
            option_format_number(text, sizeof(text), option, number + 1);
        return text;
    case OPTION_CHOICE:
        return option->choices[strcmp(option->choices[0], option->standard) == 0];
    case OPTION_ADDRESS:
        return "127.0.0.1:1";
    case OPTION_ENDPOINTS:
        return "elsewhere:1";
    case OPTION_SECRET_FILE:
        return secret_file;
    default:
        return "another-value";
    }
}

/* Other values of password files name it. The test removes it. */
static inline void make_secret_file(void)
{
    int fd = mkstemp(strcpy(secret_file, "/tmp/test_option.XXXXXX"));
    cr_assert(fd >= 0 && write(fd, "hush-from-file\n", 15) == 15);
    close(fd);
}

#endif
