/*
 * resp_request: where a client's request ends.
 *
 *     *2\r\n $3\r\n GET\r\n $1\r\n k\r\n        GET k\r\n
 *     count  length bulk    length bulk         inline
 *
 * Everything but a bulk is a line. A line is searched for its end from `pos`,
 * where the last call stopped, and read as a number once, when it is whole; a
 * bulk is stepped over without a look at it. So a byte is seen once, however
 * the request is cut into pieces, and the outcome does not depend on the cuts
 * (tests/unit/redis/test_resp.c, tests/fuzz/fuzz_resp.c).
 *
 * As in Redis, a line with a NUL byte in it never ends (it looks for the end with strchr()): more is
 * waited for, up to RESP_INLINE_MAX. A line ends two bytes after the start of "\r?", whatever the
 * second byte is, and nobody checks the "\r\n" behind a bulk. What Redis leaves
 * to the size of its reads, a line over RESP_INLINE_MAX, is always an error
 * here. RESP_ARGS_MAX is lower than Redis 7's limit (INT_MAX).
 */
#include "redis/resp.h"

#include <stdio.h>
#include <string.h>

enum state { AT_START, IN_INLINE, IN_COUNT, IN_ARGUMENTS };

static enum resp_result fail(struct resp_request *request, const char *error)
{
    request->error = error;
    return RESP_ERROR;
}

/* Finds the end of the line at line_at, which is `mark` and what follows it: `end_len` bytes. When
 * the line is whole, `line` is its text, and pos stands behind it. */
static enum resp_result find_line(struct resp_request *request, const char *data, size_t len,
                                  char mark, size_t end_len, struct slice *line)
{
    size_t start = request->line_at;
    size_t stop = len - start > RESP_INLINE_MAX ? start + RESP_INLINE_MAX + 1 : len;
    const char *nul = memchr(data + request->pos, '\0', stop - request->pos);
    size_t seen = nul ? (size_t)(nul - data) : stop;
    const char *found = memchr(data + request->pos, mark, seen - request->pos);
    if (!found) {
        request->pos = seen;
        return len - start > RESP_INLINE_MAX ? RESP_ERROR : RESP_MORE;
    }
    size_t at = (size_t)(found - data);
    if (len - at < end_len) {
        request->pos = at;
        return RESP_MORE;
    }
    *line = (struct slice){data + start, at - start};
    request->pos = request->line_at = at + end_len;
    return RESP_DONE;
}

static enum resp_result parse_inline(struct resp_request *request, const char *data, size_t len)
{
    struct slice line = {NULL, 0};
    enum resp_result result = find_line(request, data, len, '\n', 1, &line);
    if (result == RESP_ERROR)
        return fail(request, "Protocol error: too big inline request");
    if (result != RESP_DONE)
        return result;
    size_t blank = 0;
    while (blank < line.len && (line.data[blank] == ' ' || (unsigned)line.data[blank] - '\t' <= 4))
        blank++;
    request->argc = blank < line.len;
    return RESP_DONE;
}

/* The usual case of a count or a length, in one look: the digits of "*12\r\n" or "$12\r\n", at most
 * nine of them and wholly there. Returns the length of the line, or 0 for "look closer". */
static inline size_t quick_line(const char *line, size_t len, char mark, int64_t *number)
{
    if (len < 4 || line[0] != mark)
        return 0;
    unsigned value = (unsigned)line[1] - '0';
    if (value <= 9 && line[2] == '\r') {
        *number = value;
        return 4;
    }
    if (value - 1 > 8) /* a leading zero stands alone: find_line() sees to it */
        return 0;
    size_t stop = len - 1 < 10 ? len - 1 : 10;
    for (size_t at = 2; at < stop; at++) {
        unsigned digit = (unsigned)line[at] - '0';
        if (digit > 9) {
            *number = value;
            return line[at] == '\r' ? at + 2 : 0;
        }
        value = value * 10 + digit;
    }
    return 0;
}

/* Reads "*<count>\r\n". RESP_DONE: the count is known, and nothing of the arguments. */
static enum resp_result parse_count(struct resp_request *request, const char *data, size_t len)
{
    struct slice line = {NULL, 0};
    int64_t count = 0;
    size_t quick = request->pos == 0 ? quick_line(data, len, '*', &count) : 0;
    if (quick) {
        request->pos = request->line_at = quick;
    } else {
        enum resp_result result = find_line(request, data, len, '\r', 2, &line);
        if (result == RESP_ERROR)
            return fail(request, "Protocol error: too big mbulk count string");
        if (result != RESP_DONE)
            return result;
        line.data++; /* the '*' */
        line.len--;
        if (!resp_parse_integer(line, &count))
            return fail(request, "Protocol error: invalid multibulk length");
    }
    if (count > RESP_ARGS_MAX)
        return fail(request, "Protocol error: invalid multibulk length");
    request->argc = request->args_left = count > 0 ? (int32_t)count : 0;
    return RESP_DONE;
}

/* Redis shows the byte as it is, but for line ends (addReplyErrorFormatInternal). */
static enum resp_result fail_expected(struct resp_request *request, char got)
{
    if (got == '\r' || got == '\n')
        got = ' ';
    snprintf(request->error_text, sizeof(request->error_text),
             "Protocol error: expected '$', got '%c'", got);
    return fail(request, request->error_text);
}

/* The thorough reading of "$<length>\r\n", whether whole, cut short or wrong. */
static enum resp_result parse_length(struct resp_request *request, const char *data, size_t len,
                                     int64_t *length)
{
    struct slice line = {NULL, 0};
    enum resp_result result = find_line(request, data, len, '\r', 2, &line);
    if (result == RESP_ERROR)
        return fail(request, "Protocol error: too big bulk count string");
    if (result != RESP_DONE)
        return result;
    if (line.data[0] != '$') /* an empty line: data[0] is its '\r' */
        return fail_expected(request, line.data[0]);
    line.data++;
    line.len--;
    if (!resp_parse_integer(line, length) || *length < 0 || *length > RESP_BULK_MAX)
        return fail(request, "Protocol error: invalid bulk length");
    return RESP_DONE;
}

/* The name and the subcommand are what the command table is asked for. */
static inline void remember(struct resp_request *request, size_t pos, int64_t length)
{
    if (request->args_left == request->argc) {
        request->name_at = (uint32_t)pos;
        request->name_len = (uint32_t)length;
    } else if (request->args_left == request->argc - 1) {
        request->sub_at = (uint32_t)pos;
        request->sub_len = (uint32_t)length;
    }
}

/* Steps over the arguments that are wholly there and have a plain length. */
static void pass_arguments(struct resp_request *request, const char *data, size_t len)
{
    size_t pos = request->pos;
    int32_t left = request->args_left;
    for (; left > 0; left--) {
        int64_t length;
        size_t head = quick_line(data + pos, len - pos, '$', &length);
        if (!head || length > RESP_BULK_MAX || len - pos - head < (size_t)length + 2)
            break;
        if (left >= request->argc - 1) {
            request->args_left = left;
            remember(request, pos + head, length);
        }
        pos += head + (size_t)length + 2;
    }
    request->pos = request->line_at = pos;
    request->args_left = left;
}

static enum resp_result parse_arguments(struct resp_request *request, const char *data, size_t len)
{
    while (request->args_left > 0) {
        if (request->bulk_len == 0) {
            int64_t length = -1;
            enum resp_result result;
            if (request->pos == request->line_at)
                pass_arguments(request, data, len);
            if (request->args_left == 0)
                break;
            result = parse_length(request, data, len, &length);
            if (result != RESP_DONE)
                return result;
            remember(request, request->pos, length);
            request->bulk_len = length + 2;
        }
        if (len - request->pos < (size_t)request->bulk_len)
            return RESP_MORE;
        request->pos += (size_t)request->bulk_len;
        request->line_at = request->pos;
        request->bulk_len = 0;
        request->args_left--;
    }
    return RESP_DONE;
}

enum resp_result resp_request_parse(struct resp_request *request, const char *data, size_t len)
{
    if (request->state == AT_START) {
        if (len == 0)
            return RESP_MORE;
        request->is_inline = data[0] != '*';
        request->state = request->is_inline ? IN_INLINE : IN_COUNT;
    }
    if (request->state == IN_INLINE)
        return parse_inline(request, data, len);
    if (request->state == IN_COUNT) {
        enum resp_result result = parse_count(request, data, len);
        if (result != RESP_DONE)
            return result;
        request->state = IN_ARGUMENTS;
    }
    return parse_arguments(request, data, len);
}

size_t resp_request_missing(const struct resp_request *request, size_t len)
{
    size_t end = request->pos + (size_t)request->bulk_len;
    return end > len ? end - len : 1;
}

size_t resp_request_forget(struct resp_request *request, size_t len)
{
    size_t passed = request->bulk_len > 0 ? len : request->line_at;
    if (request->bulk_len > 0) { /* the rest of the bulk is still to come */
        request->bulk_len -= (int64_t)(len - request->pos);
        request->pos = len;
        request->line_at = len;
    }
    request->pos -= passed;
    request->line_at -= passed;
    return passed;
}
