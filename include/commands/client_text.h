/*
 * client_text: the text of CLIENT LIST as a node gives it, one line for each connection:
 *
 *     id=3 addr=10.0.0.7:51114 laddr=10.0.0.1:6379 fd=8 name= age=61 idle=0 flags=N db=0 ...
 *
 * Which fields there are, and in which order, depends on the server's version. So the proxy makes no line up:
 * one of the node's lines is the form, into which it fills what it knows better.
 *
 * Pure functions on the caller's memory. Any thread.
 */
#ifndef REDISPROXY_COMMANDS_CLIENT_TEXT_H
#define REDISPROXY_COMMANDS_CLIENT_TEXT_H

#include "base/buf.h"
#include "redis/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client_text_line {
    struct slice text; /* without the line end */
    uint64_t id;
    bool ours; /* for the caller's use: it is one of the proxy's connections */
};

struct client_text {
    struct client_text_line *lines; /* in the order of their ids, as Redis prints them */
    size_t count;
};

/* Finds the lines of `text`, into which they point; lines without an id are left out. */
void client_text_read(struct client_text *list, struct slice text);
/* Frees what client_text_read() took, not the text. */
void client_text_free(struct client_text *list);

/* The line with this id, or NULL. */
struct client_text_line *client_text_find(const struct client_text *list, uint64_t id);

/* A field's value; {NULL, 0} when there is none. */
struct slice client_text_value(struct slice line, const char *key);

struct client_text_field {
    const char *key;
    struct slice value;
};

/* Appends the line `form`, with the given fields' values instead of its own, and a line end. A given field that the
 * form does not have is left out. */
void client_text_write(struct buf *out, struct slice form, const struct client_text_field *fields,
                       size_t count);

#endif
