/*
 * config_errors: everything that is wrong with a configuration file, collected
 * so that one run shows all of it, in the order of the lines.
 */
#ifndef REDISPROXY_OPS_CONFIG_ERRORS_H
#define REDISPROXY_OPS_CONFIG_ERRORS_H

#include <stddef.h>
#include <stdio.h>

/* The line of what stands in no file, but in the environment. */
#define LINE_ENVIRONMENT (-1)

struct config_error {
    int line;   /* 0: the file as a whole; or LINE_ENVIRONMENT */
    char *text; /* "what is wrong: how to mend it" */
};

struct config_errors {
    const char *file;
    struct config_error *items;
    size_t count;
};

/* Adds "what is wrong: how to mend it" for a line (from 1; 0: the file as a whole). Never pass a
 * secret. */
void config_error(struct config_errors *errors, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes "file:line: text" for each, by line; what is wrong in the environment comes first. */
void config_errors_print(struct config_errors *errors, FILE *out);

void config_errors_free(struct config_errors *errors);

/* The one of `count` words that `typed` was probably meant to be, or NULL when none is near. */
const char *config_nearest(const char *typed, const char *const *words, size_t count);

#endif
