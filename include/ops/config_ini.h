/*
 * config_ini: an INI text, line by line, through libinih.
 */
#ifndef REDISPROXY_OPS_CONFIG_INI_H
#define REDISPROXY_OPS_CONFIG_INI_H

#include <stddef.h>

/* The longest line, its line end included. */
#define INI_LINE_MAX 16384

/* What the reader calls, in the order of the lines. The texts live only during the call. */
struct ini_events {
    void *owner;
    void (*on_section)(void *owner, int line, char *header); /* between the outer brackets */
    void (*on_setting)(void *owner, int line, const char *name, const char *value);
    /* A line that is nothing of the kind: `why` says what and how to mend it. */
    void (*on_nonsense)(void *owner, int line, const char *why);
};

/* Reads `text` and returns the number of its lines. */
int config_ini_read(char *text, size_t len, const struct ini_events *events);

#endif
