/*
 * cursor: what a client is given as SCAN's cursor. A node's own one means something only to the process
 * that gave it: it counts in the buckets of a table whose order depends on a seed that each process
 * draws for itself. So the process is a part of the cursor:
 *
 *     client's = node's * 2^PROCESS_BITS + process (topology_process())
 *
 * Clients read it as a number of 64 bits, some as a double: the node's own is smaller than the number
 * of the table's buckets, so that the client's is below 2^53 up to 2^33 buckets. 0 stays 0: the
 * beginning, and the end.
 */
#ifndef REDISPROXY_NODES_CURSOR_H
#define REDISPROXY_NODES_CURSOR_H

#include "base/buf.h"
#include "redis/resp.h"

#include <stdbool.h>
#include <stdint.h>

struct cursor {
    uint64_t at;      /* the node's own */
    uint32_t process; /* that it is of; 0: not known */
};

/* Reads a client's. False: it is 0, or nothing that the proxy has given, and is left to the node. */
bool cursor_read(struct slice text, struct cursor *cursor);

/* A page, as SCAN, HSCAN, SSCAN and ZSCAN answer it: two elements, the first one the node's cursor. */
enum page {
    PAGE_PART, /* not enough is there of it */
    PAGE_MINE, /* `out` has what is there, with a client's cursor in it */
    PAGE_LOST, /* `out` has an empty page instead: with its cursor, the iteration begins again */
    PAGE_NONE, /* it is something else: an error, for example */
};

/* What a client is given for what is there of a page. `asked`: the process that the cursor was of which the
 * node was asked with (0: it was the beginning, or nobody knows); `process`: the one that answers. */
enum page cursor_page(struct slice page, uint32_t asked, uint32_t process, struct buf *out);

#endif
