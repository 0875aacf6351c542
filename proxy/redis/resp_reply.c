/*
 * resp_reply: where a node's reply ends. Every byte that a client reads passes
 * through here, so it keeps nothing, and steps over payloads unseen.
 *
 * A reply is a value; an aggregate is a value that has others behind it. They
 * need no stack: `values` counts those that have still to begin, whatever
 * they belong to, and at zero the reply ends with the value at hand.
 *
 *     *2\r\n  :1\r\n  *1\r\n  $1\r\n  x\r\n
 *     values 2    1       1       0   -> whole
 *
 * An attribute ('|', RESP3) is a map that does not count as a value. One that
 * stands before the reply itself is followed by a value more than it holds:
 * the reply is the first value that begins when only one has still to.
 */
#include "redis/resp.h"

#include <string.h>

/* In the order in which a value passes through them. */
enum state {
    AT_START,     /* no byte yet */
    AT_TYPE,      /* the first byte of a value comes next */
    IN_LINE,      /* passing over text up to a '\r' */
    IN_END,       /* that '\r' was seen: a '\n' ends the value, else the text goes on */
    IN_NUMBER,    /* reading a length or a count */
    AFTER_NUMBER, /* its '\r' was seen */
    IN_PAYLOAD,   /* `skip` bytes are passed over */
};

/* What the type of a value says about its shape. */
enum shape { NOT_RESP, LINE, PAYLOAD, AGGREGATE, PAIRS };

static enum shape shape_of(char type)
{
    switch (type) {
    case '+': /* status */
    case '-': /* error */
    case ':': /* integer */
    case '_': /* null */
    case ',': /* double */
    case '#': /* boolean */
    case '(': /* big number */
        return LINE;
    case '$': /* bulk */
    case '!': /* bulk error */
    case '=': /* verbatim */
        return PAYLOAD;
    case '*': /* array */
    case '~': /* set */
    case '>': /* push */
        return AGGREGATE;
    case '%': /* map */
    case '|': /* attribute */
        return PAIRS;
    default:
        return NOT_RESP;
    }
}

/* A value begins: counts it. Returns the state in which it goes on; AT_TYPE: it is no value. */
static inline uint8_t begin_value(struct resp_reply *reply, char type)
{
    reply->value_type = type;
    if (type != '|') {
        if (reply->values == 1 && !reply->type)
            reply->type = type;
        reply->values--;
    }
    enum shape shape = shape_of(type);
    if (shape == LINE)
        return IN_LINE;
    reply->number = 0;
    reply->digits = 0;
    reply->negative = false;
    return shape == NOT_RESP ? AT_TYPE : IN_NUMBER;
}

/* A number is whole: its value has a payload, or others behind it. Returns false when it cannot. */
static bool number_done(struct resp_reply *reply)
{
    uint64_t number = (uint64_t)reply->number;
    if (reply->negative) /* only the nulls of RESP2 */
        return number == 1 && (reply->value_type == '$' || reply->value_type == '*');
    switch (shape_of(reply->value_type)) {
    case PAYLOAD:
        reply->skip = number + 2;
        return true;
    case PAIRS:
        return !__builtin_add_overflow(reply->values, 2 * number, &reply->values);
    default:
        return !__builtin_add_overflow(reply->values, number, &reply->values);
    }
}

/* Reads a number up to its '\r', or as far as there are bytes. Returns where it stopped, or NULL
 * when it is no number. Eighteen digits fit; nothing is that long. */
static inline const char *read_number(struct resp_reply *reply, const char *at, const char *end)
{
    for (; at < end; at++) {
        unsigned digit = (unsigned)*at - '0';
        if (digit <= 9) {
            if (reply->digits == 18 || (reply->digits > 0 && reply->number == 0))
                return NULL;
            reply->number = reply->number * 10 + digit;
            reply->digits++;
        } else if (*at == '\r' && reply->digits > 0) {
            reply->state = AFTER_NUMBER;
            return at + 1;
        } else if (*at == '-' && reply->digits == 0 && !reply->negative) {
            reply->negative = true;
        } else {
            return NULL;
        }
    }
    return at;
}

/* Passes over text up to the "\r\n" that ends it, or as far as there are bytes. Returns where it
 * stopped, and the state AT_TYPE when the end was found. */
static inline const char *find_line_end(struct resp_reply *reply, const char *at, const char *end)
{
    while (at < end) {
        if (reply->state == IN_LINE) {
            const char *found = memchr(at, '\r', (size_t)(end - at));
            if (!found)
                return end;
            reply->state = IN_END;
            at = found + 1;
        } else if (*at == '\n') {
            reply->state = AT_TYPE;
            return at + 1;
        } else {
            reply->state = *at++ == '\r' ? IN_END : IN_LINE;
        }
    }
    return at;
}

/* The same for a text that has a bound; NULL: it is longer. While it goes on, `skip` counts it. */
static inline const char *skip_line(struct resp_reply *reply, const char *at, const char *end)
{
    const char *stop = find_line_end(reply, at, end);
    reply->skip += (uint64_t)(stop - at);
    if (reply->skip > RESP_LINE_MAX)
        return NULL;
    if (reply->state == AT_TYPE)
        reply->skip = 0;
    return stop;
}

/* Passes over a payload, or as much of it as there is. */
static inline const char *skip_payload(struct resp_reply *reply, const char *at, const char *end)
{
    size_t there = (size_t)(end - at);
    if (there < reply->skip) {
        reply->skip -= there;
        return end;
    }
    at += reply->skip;
    reply->skip = 0;
    reply->state = AT_TYPE;
    return at;
}

/* Takes the bytes of one state. Returns where the next one goes on, or NULL: this is not RESP.
 * AT_TYPE is the state in which a value has ended. */
static inline const char *step(struct resp_reply *reply, const char *at, const char *end)
{
    switch (reply->state) {
    case AT_TYPE:
        reply->state = begin_value(reply, *at);
        if (reply->state == AT_TYPE)
            return NULL;
        return reply->state == IN_NUMBER ? read_number(reply, at + 1, end) : at + 1;
    case IN_LINE:
    case IN_END:
        return skip_line(reply, at, end);
    case IN_NUMBER:
        return read_number(reply, at, end);
    case AFTER_NUMBER:
        if (*at != '\n' || !number_done(reply))
            return NULL;
        reply->state = reply->skip ? IN_PAYLOAD : AT_TYPE;
        return at + 1;
    default:
        return skip_payload(reply, at, end);
    }
}

static enum resp_result parse_closely(struct resp_reply *reply, const char *data, size_t len,
                                      size_t *used)
{
    struct resp_reply local = *reply; /* a copy that lives in registers */
    const char *at = data, *end = data + len;
    enum resp_result result = RESP_MORE;
    while (at < end && result == RESP_MORE) {
        const char *next = step(&local, at, end);
        if (!next) {
            result = RESP_ERROR;
            break;
        }
        at = next;
        if (local.state == AT_TYPE && local.values == 0)
            result = RESP_DONE;
    }
    *used = (size_t)(at - data);
    local.total += *used;
    *reply = local;
    return result;
}

/* The length of "$<digits>\r\n...\r\n", if it is wholly there and has few digits; otherwise 0. */
static inline size_t quick_bulk(const char *data, size_t len)
{
    size_t at = 2, number = len > 1 ? (size_t)((unsigned)data[1] - '0') : 10;
    if (len >= 5 && memcmp(data, "$-1\r\n", 5) == 0)
        return 5;
    if (number > 9 || (number == 0 && len > 2 && data[2] != '\r'))
        return 0;
    for (; at < len && at < 10 && (unsigned)data[at] - '0' <= 9; at++)
        number = number * 10 + ((unsigned)data[at] - '0');
    if (len - at < 2 || data[at] != '\r' || data[at + 1] != '\n' || len - at - 2 < number + 2)
        return 0;
    return at + 2 + number + 2;
}

/* The usual replies, wholly there, in one look. Returns the length, or 0 for "look closer". */
static inline size_t quick_reply(const char *data, size_t len)
{
    const char *end;
    switch (data[0]) {
    case '$':
        return quick_bulk(data, len);
    case '+':
    case '-':
    case ':':
    case '_':
        end = memchr(data, '\r', len - 1);
        return end && end[1] == '\n' ? (size_t)(end - data) + 2 : 0;
    default:
        return 0;
    }
}

enum resp_result resp_reply_parse(struct resp_reply *reply, const char *data, size_t len,
                                  size_t *used)
{
    if (reply->state == AT_START && len > 0) {
        *used = quick_reply(data, len);
        if (*used) {
            reply->type = data[0];
            reply->total = *used;
            return RESP_DONE;
        }
        reply->state = AT_TYPE;
        reply->values = 1;
    }
    return parse_closely(reply, data, len, used);
}
