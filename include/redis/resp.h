/*
 * resp: framing. Where does a request, or a reply, end? Nothing here builds
 * objects or copies bytes: the data path only needs the borders, the command's
 * name, and the first byte of a reply.
 *
 * Sources: the RESP specification (RESP2, RESP3); limits and error texts from
 * Redis' networking.c (processInlineBuffer, processMultibulkBuffer).
 * Pure functions on the caller's memory. Any thread.
 */
#ifndef REDISPROXY_REDIS_RESP_H
#define REDISPROXY_REDIS_RESP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RESP_INLINE_MAX (64 * 1024)
#define RESP_ARGS_MAX (1024 * 1024)
#define RESP_BULK_MAX (512LL * 1024 * 1024)

/* A status or an error of a reply; Redis' own are short, a script's may have any length. */
#define RESP_LINE_MAX (1024 * 1024)

enum resp_result { RESP_MORE, RESP_DONE, RESP_ERROR };

/* A run of bytes in somebody else's memory. */
struct slice {
    const char *data;
    size_t len;
};

/* What is in the buffer; good until it changes. */
static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){buf_head(b), buf_len(b)};
}

/* ---- requests ---- */

/* The progress through one request. All zero before its first byte. It holds offsets only: the
 * bytes may move between two calls. Not to be copied after RESP_ERROR (error points into it). */
struct resp_request {
    size_t pos;        /* bytes passed over so far; the request's length once RESP_DONE */
    size_t line_at;    /* where the line that is being read begins */
    int64_t bulk_len;  /* of the argument at pos, its line end included */
    int32_t args_left; /* arguments whose end was not seen yet */
    /* Arguments, the name included; 0: an empty request, to be skipped. Of an inline command only
     * this is known: 0 for a blank line, else 1. */
    int32_t argc;
    uint32_t name_at, name_len; /* the first argument's place in the request (multibulk only) */
    uint32_t sub_at, sub_len;   /* the second argument's, when argc > 1 */
    uint8_t state;              /* see resp_request.c */
    bool is_inline; /* an inline command: resp_inline_to_multibulk() turns it into a normal one */
    char error_text[38]; /* storage for an error that varies */
    const char *error;   /* after RESP_ERROR: "Protocol error: ...", without the leading "-ERR " */
};

/* Looks for the end of the request that begins at data[0], of which `len` bytes are there; goes on
 * where the last call for this request stopped, so that no byte is looked at twice. After RESP_DONE
 * or RESP_ERROR the request has to be zeroed before the next call. */
enum resp_result resp_request_parse(struct resp_request *request, const char *data, size_t len);

/* After RESP_MORE: how many more bytes are surely needed (at least 1): a hint for reserving memory.
 * It is what the client claims: up to RESP_BULK_MAX + 2, so the caller limits it. */
size_t resp_request_missing(const struct resp_request *request, size_t len);

/* After RESP_MORE, for a multibulk request that nobody will want: how many bytes at the beginning of the data were
 * passed over. The caller drops them and goes on with what was behind them; all that is known afterwards is where the
 * request ends. */
size_t resp_request_forget(struct resp_request *request, size_t len);

/* Appends the multibulk form of an inline command (with or without its line end) to `out`,
 * splitting it as Redis' sdssplitargs does. Returns the number of arguments (0: an empty line), or
 * -1 for unbalanced quotes (RESP_UNBALANCED_QUOTES); nothing is appended then. */
int resp_inline_to_multibulk(const char *line, size_t len, struct buf *out);

#define RESP_UNBALANCED_QUOTES "Protocol error: unbalanced quotes in request"

/* Walks the arguments of a complete multibulk request, as resp_request_parse() accepted it. */
struct resp_args {
    const char *at, *end;
    int left;
};

struct resp_args resp_args(const char *request, size_t len);
/* Returns false when there are no more. */
bool resp_args_next(struct resp_args *args, struct slice *arg);
/* The argument with this number (0 is the command's name); {NULL, 0} when there is none. */
struct slice resp_arg(const char *request, size_t len, int number);

/* Appends `request` with another text as its argument of this number (none has it: as it is). */
void resp_append_replaced(struct buf *out, struct slice request, int number, struct slice text);
/* Appends one argument of a multibulk request, behind its "*<number>\r\n". */
void resp_append_bulk(struct buf *out, struct slice text);
/* Appends a multibulk request. */
void resp_append_command(struct buf *out, int argc, const struct slice *argv);

/* ---- replies ---- */

/* The progress through one reply. All zero before its first byte. */
struct resp_reply {
    uint64_t total; /* bytes of this reply so far */
    uint64_t
        skip; /* bytes of a payload (and its line end) still to be passed over; of a line, those that were */
    uint64_t values; /* values still to begin before the reply is whole */
    int64_t number;  /* a length that is being read */
    uint8_t state;   /* see resp_reply.c */
    /* The first byte of the reply: '+', '-', ':', '$', '*', '%', '>', ... Attributes before it do
     * not count: 0 until the reply itself has begun. */
    char type;
    char value_type; /* the first byte of the value at hand */
    uint8_t digits;  /* how many of the length's digits were read */
    bool negative;   /* it has a minus sign */
};

/* Takes bytes of a reply, in pieces of any size; *used says how many of them belong to it.
 * RESP_DONE: it ended there; zero it before the next. RESP_ERROR: this is not RESP, or a line over RESP_LINE_MAX. Attributes
 * (RESP3 '|') belong to the reply they precede. RESP3's streamed strings and aggregates, which no
 * Redis sends, are errors. The line end behind a payload is passed over unseen. */
enum resp_result resp_reply_parse(struct resp_reply *reply, const char *data, size_t len,
                                  size_t *used);

/* ---- text ---- */

/* A signed decimal number exactly as Redis' string2ll takes it (no spaces, no plus, no leading
 * zeros). Returns false when it is none, or does not fit. */
bool resp_parse_integer(struct slice text, int64_t *out);

/* Whether `text` equals the lower-case word, ignoring the case of text. */
bool slice_is(struct slice text, const char *word);

/* The text of a bulk or verbatim string, into `reply`; {NULL, 0}: it is none, but an error. */
struct slice resp_text_of(struct slice reply);
/* And the way back, in the form in which a node gave its own: `type` is '$' or '='. */
void resp_append_text(struct buf *out, char type, const struct buf *text);

/* Whether a reply (an error line, mostly) begins with this. */
static inline bool resp_starts(const char *reply, size_t len, const char *with)
{
    size_t with_len = strlen(with);
    return len >= with_len && memcmp(reply, with, with_len) == 0;
}

#endif
