/*
 * resp_text: what is read from and written into requests whose borders are
 * known: arguments, numbers, and the multibulk form of inline commands.
 *
 * Borders come from resp_request_parse(), so a request that is walked here is
 * well-formed, apart from its line ends, which nobody has checked: they are
 * stepped over by count.
 */
#include "redis/resp.h"

#include <limits.h>
#include <string.h>

/* ---- numbers and words ---- */

bool resp_parse_integer(struct slice text, int64_t *out)
{
    const char *at = text.data, *end = text.data + text.len;
    bool negative = at < end && *at == '-';
    if (negative)
        at++;
    if (at == end)
        return false;
    if (*at == '0') { /* no leading zeros, and no minus zero */
        *out = 0;
        return text.len == 1;
    }
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + negative;
    for (; at < end; at++) {
        unsigned digit = (unsigned)*at - '0';
        if (digit > 9 || value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool slice_is(struct slice text, const char *word)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c >= 'A' && c <= 'Z')
            c += 'a' - 'A';
        if (c != word[i] || c == '\0')
            return false;
    }
    return word[text.len] == '\0';
}

/* ---- arguments ---- */

/* Reads the digits of "*12\r\n" or "$12\r\n" and steps over the line. */
static size_t read_line(const char **at, const char *end)
{
    const char *p = *at + 1;
    size_t value = 0;
    while (p < end && *p != '\r')
        value = value * 10 + (size_t)(*p++ - '0');
    *at = p + 2;
    return value;
}

struct resp_args resp_args(const char *request, size_t len)
{
    struct resp_args args = {request, request + len, 0};
    if (len > 1 && request[1] != '-') /* "*-1\r\n" is an empty request, too */
        args.left = (int)read_line(&args.at, args.end);
    return args;
}

bool resp_args_next(struct resp_args *args, struct slice *arg)
{
    if (args->left == 0)
        return false;
    args->left--;
    arg->len = read_line(&args->at, args->end);
    arg->data = args->at;
    args->at += arg->len + 2;
    return true;
}

struct slice resp_arg(const char *request, size_t len, int number)
{
    struct resp_args args = resp_args(request, len);
    struct slice arg = {NULL, 0};
    if (number < 0 || number >= args.left)
        return arg;
    while (resp_args_next(&args, &arg) && number > 0)
        number--;
    return arg;
}

/* ---- writing ---- */

/* A mark, nineteen digits at most, and the line end. */
enum { LINE_MAX_LEN = 22 };

static char *write_line(char *out, char mark, size_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *out++ = mark;
    while (count > 0)
        *out++ = digits[--count];
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static char *write_bulk(char *out, struct slice text)
{
    out = write_line(out, '$', text.len);
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    out += text.len;
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static void append_line(struct buf *out, char mark, size_t number)
{
    char *start = buf_reserve(out, LINE_MAX_LEN);
    buf_grew(out, (size_t)(write_line(start, mark, number) - start));
}

void resp_append_bulk(struct buf *out, struct slice text)
{
    char *start = buf_reserve(out, LINE_MAX_LEN + text.len + 2);
    buf_grew(out, (size_t)(write_bulk(start, text) - start));
}

void resp_append_command(struct buf *out, int argc, const struct slice *argv)
{
    size_t room = LINE_MAX_LEN;
    for (int i = 0; i < argc; i++)
        room += LINE_MAX_LEN + argv[i].len + 2;
    char *start = buf_reserve(out, room);
    char *at = write_line(start, '*', (size_t)argc);
    for (int i = 0; i < argc; i++)
        at = write_bulk(at, argv[i]);
    buf_grew(out, (size_t)(at - start));
}

void resp_append_replaced(struct buf *out, struct slice request, int number, struct slice text)
{
    struct resp_args args = resp_args(request.data, request.len);
    struct slice arg;
    append_line(out, '*', (size_t)args.left);
    for (int i = 0; resp_args_next(&args, &arg); i++)
        resp_append_bulk(out, i == number ? text : arg);
}

/* ---- inline commands ---- */

/* A line that is being split; `at` moves on. */
struct splitter {
    const char *at, *end;
};

/* The byte `ahead` of the current one, or -1 behind the end. */
static int peek(const struct splitter *s, size_t ahead)
{
    return (size_t)(s->end - s->at) > ahead ? (unsigned char)s->at[ahead] : -1;
}

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 'a' - 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands behind a backslash in double quotes. */
static int take_escape(struct splitter *s)
{
    int high = hex_value(peek(s, 1)), low = hex_value(peek(s, 2));
    if (*s->at == 'x' && high >= 0 && low >= 0) {
        s->at += 3;
        return high << 4 | low;
    }
    int c = (unsigned char)*s->at++;
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* Takes the next byte of an argument that stands in `quote`s. Returns -1 at the closing quote, -2
 * when it is missing or something clings to it. */
static int take_quoted(struct splitter *s, int quote)
{
    int c = peek(s, 0);
    if (c < 0)
        return -2;
    s->at++;
    if (c == quote)
        return peek(s, 0) < 0 || is_space(peek(s, 0)) ? -1 : -2;
    if (c == '\\' && quote == '"' && peek(s, 0) >= 0)
        return take_escape(s);
    if (c == '\\' && quote == '\'' && peek(s, 0) == '\'')
        s->at++, c = '\'';
    return c;
}

/* Takes the next argument; writes its bytes to `out` unless that is NULL. Returns its length, -1
 * when there is none, -2 for unbalanced quotes. */
static int64_t take_argument(struct splitter *s, char *out)
{
    while (is_space(peek(s, 0)))
        s->at++;
    if (s->at == s->end)
        return -1;
    int64_t len = 0;
    int quote = 0;
    for (;;) {
        int c = quote ? take_quoted(s, quote) : peek(s, 0);
        if (c == -2)
            return -2;
        /* Redis lets \v and \f stand inside a word, though not before it. */
        if (c == -1 || (!quote && (c == ' ' || c == '\n' || c == '\r' || c == '\t')))
            return len;
        if (!quote) {
            s->at++;
            if (c == '"' || c == '\'') {
                quote = c;
                continue;
            }
        }
        if (out)
            out[len] = (char)c;
        len++;
    }
}

int resp_inline_to_multibulk(const char *line, size_t len, struct buf *out)
{
    struct splitter count = {line, line + len}, read = count;
    int argc = 0;
    int64_t result;
    while ((result = take_argument(&count, NULL)) >= 0)
        argc++;
    if (result == -2)
        return -1;
    if (argc == 0)
        return 0;
    /* In one piece: growing would leave a copy of a secret behind. */
    (void)buf_reserve(out, LINE_MAX_LEN + (size_t)argc * (LINE_MAX_LEN + 2) + len);
    append_line(out, '*', (size_t)argc);
    for (int i = 0; i < argc; i++) {
        struct splitter measure = read;
        size_t arg_len = (size_t)take_argument(&measure, NULL);
        append_line(out, '$', arg_len);
        take_argument(&read, buf_reserve(out, arg_len + 2));
        buf_grew(out, arg_len);
        buf_append(out, "\r\n", 2);
    }
    return argc;
}

struct slice resp_text_of(struct slice reply)
{
    const char *end = reply.data + reply.len, *at = memchr(reply.data, '\n', reply.len);
    size_t skip = 1 + (reply.data[0] == '=' ? 4 : 0); /* "txt:" */
    if ((reply.data[0] != '$' && reply.data[0] != '=') || !at || end - at < (ptrdiff_t)skip + 2)
        return (struct slice){NULL, 0};
    return (struct slice){at + skip, (size_t)(end - at) - skip - 2};
}

void resp_append_text(struct buf *out, char type, const struct buf *text)
{
    bool verbatim = type == '=';
    buf_printf(out, "%c%zu\r\n%s", type, buf_len(text) + (verbatim ? 4 : 0),
               verbatim ? "txt:" : "");
    if (buf_len(text) > 0)
        buf_append(out, buf_head(text), buf_len(text));
    buf_append(out, "\r\n", 2);
}
