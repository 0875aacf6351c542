/*
 * command_line: what the program is to do.
 */
#ifndef REDISPROXY_OPS_COMMAND_LINE_H
#define REDISPROXY_OPS_COMMAND_LINE_H

#include <stdbool.h>

enum command {
    COMMAND_RUN,
    COMMAND_TEST,  /* only check the configuration */
    COMMAND_CHECK, /* ask the proxy that runs with it whether it is ready */
    COMMAND_DONE,  /* it was done already: help, version */
    COMMAND_WRONG, /* why stands on stderr */
};

struct command_line {
    enum command command;
    const char *path; /* NULL: the environment alone */
    bool takes_over;
    bool alive; /* COMMAND_CHECK: only whether it lives */
};

/* Reads it. What it says of a group goes into the environment (config_environment_set()). */
void command_line_read(struct command_line *out, int argc, char **argv);

#endif
