/* cursor: see the header. */
#include "nodes/cursor.h"

#include "topology/topology.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROCESS_MASK ((UINT64_C(1) << PROCESS_BITS) - 1)
/* Beyond this it has no room for a process; no table is so large. */
#define AT_MAX (UINT64_MAX >> PROCESS_BITS)
/* The head of a page, its cursor included, is shorter. */
#define HEAD_MAX 64

static bool read_number(struct slice text, uint64_t *out)
{
    uint64_t number = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.data[i] - '0';
        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

bool cursor_read(struct slice text, struct cursor *cursor)
{
    uint64_t number;
    if (!read_number(text, &number) || number == 0)
        return false;
    cursor->at = number >> PROCESS_BITS;
    cursor->process = cursor->at ? (uint32_t)(number & PROCESS_MASK) : 0;
    return true;
}

static void append_bulk(struct buf *out, uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRIu64, number);
    buf_printf(out, "$%d\r\n%s\r\n", len, text);
}

/* Where the line that begins at `from` ends, behind its line end; 0: it is not all there. */
static size_t line_end(struct slice page, size_t from)
{
    const char *end = from < page.len ? memchr(page.data + from, '\n', page.len - from) : NULL;
    return end ? (size_t)(end - page.data) + 1 : 0;
}

enum page cursor_page(struct slice page, uint32_t asked, uint32_t process, struct buf *out)
{
    static const char head[] = "*2\r\n$";
    size_t begins = sizeof(head) - 1, digits, rest;
    uint64_t at;
    if (memcmp(page.data, head, page.len < begins ? page.len : begins) != 0)
        return PAGE_NONE;
    digits = line_end(page, begins);
    rest = digits ? line_end(page, digits) : 0;
    if (!rest)
        return page.len < HEAD_MAX ? PAGE_PART : PAGE_NONE;
    if (rest < digits + 2 ||
        !read_number((struct slice){page.data + digits, rest - digits - 2}, &at) || at > AT_MAX)
        return PAGE_NONE;
    buf_append(out, head, begins - 1);
    if (asked && process && asked != process) {
        append_bulk(out, process); /* of the process, and at its beginning */
        buf_append(out, "*0\r\n", 4);
        return PAGE_LOST;
    }
    append_bulk(out, at ? at << PROCESS_BITS | process : 0);
    buf_append(out, page.data + rest, page.len - rest);
    return PAGE_MINE;
}
