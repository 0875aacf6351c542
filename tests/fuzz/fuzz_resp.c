/*
 * fuzz_resp: wherever the bytes are cut, framing gives the same result.
 *
 * The first byte chooses requests or replies, the second seeds the cuts. The
 * rest is parsed as a stream (value after value until the end or an error),
 * once whole and once in pieces that come in memory of their own. Both have to
 * give the same borders and the same contents, and a request's arguments, an
 * inline one's after its conversion, have to fill it exactly.
 *
 * Build and run: make fuzz [SECONDS=60]
 */
#include "check.h"

#include "redis/resp.h"

#include <stdlib.h>
#include <string.h>

/* The next cut: small steps mostly, since borders are near each other. */
static size_t next_cut(unsigned *seed, size_t at, size_t len)
{
    unsigned random = (unsigned)rand_r(seed);
    size_t step = random % 4 == 0 ? random / 4 % 200 : random / 4 % 5;
    return len - at > step ? at + step : len;
}

/* ---- requests ---- */

static void check_arguments(const char *request, size_t len, int argc)
{
    struct resp_args args = resp_args(request, len);
    struct slice arg = {NULL, 0};
    int count = 0;
    while (resp_args_next(&args, &arg)) {
        CHECK(arg.data >= request && arg.data + arg.len + 2 <= request + len);
        count++;
    }
    CHECK(count == argc);
    CHECK(count == 0 || args.at == request + len);
}

static void check_inline(const char *line, size_t len)
{
    struct buf out = {0};
    int argc = resp_inline_to_multibulk(line, len, &out);
    if (argc > 0) {
        struct resp_request request = {0};
        CHECK(resp_request_parse(&request, buf_head(&out), buf_len(&out)) == RESP_DONE);
        CHECK(request.pos == buf_len(&out) && request.argc == argc && !request.is_inline);
        check_arguments(buf_head(&out), buf_len(&out), argc);
    } else {
        CHECK(buf_len(&out) == 0);
    }
    buf_free(&out);
}

static enum resp_result request_in_pieces(struct resp_request *request, const char *data,
                                          size_t len, unsigned seed)
{
    enum resp_result result = RESP_MORE;
    size_t end = 0;
    for (bool last = false; result == RESP_MORE && !last;) {
        end = next_cut(&seed, end, len);
        last = end == len;
        char *piece = malloc(end);
        if (end > 0)
            memcpy(piece, data, end);
        memset(piece, 'X', request->line_at);
        result = resp_request_parse(request, piece, end);
        CHECK(result != RESP_MORE || resp_request_missing(request, end) > 0);
        free(piece);
    }
    return result;
}

static void fuzz_requests(const char *data, size_t len, unsigned seed)
{
    while (len > 0) {
        struct resp_request whole = {0}, cut = {0};
        enum resp_result result = resp_request_parse(&whole, data, len);
        CHECK(request_in_pieces(&cut, data, len, seed) == result);
        CHECK(whole.argc == cut.argc && whole.is_inline == cut.is_inline);
        CHECK(whole.name_at == cut.name_at && whole.name_len == cut.name_len);
        CHECK(whole.sub_at == cut.sub_at && whole.sub_len == cut.sub_len);
        if (result == RESP_ERROR)
            CHECK(strcmp(whole.error, cut.error) == 0);
        if (result != RESP_DONE)
            return;
        CHECK(whole.pos == cut.pos && whole.pos > 0 && whole.pos <= len);
        if (whole.is_inline)
            check_inline(data, whole.pos);
        else
            check_arguments(data, whole.pos, whole.argc);
        data += whole.pos;
        len -= whole.pos;
    }
}

/* ---- replies ---- */

static enum resp_result reply_in_pieces(struct resp_reply *reply, const char *data, size_t len,
                                        unsigned seed)
{
    enum resp_result result = RESP_MORE;
    for (size_t at = 0; result == RESP_MORE && at < len;) {
        size_t end = next_cut(&seed, at, len), used;
        char *piece = malloc(end - at);
        if (end > at)
            memcpy(piece, data + at, end - at);
        result = resp_reply_parse(reply, piece, end - at, &used);
        CHECK(used <= end - at && (result != RESP_MORE || used == end - at));
        free(piece);
        at = end;
    }
    return result;
}

static void fuzz_replies(const char *data, size_t len, unsigned seed)
{
    while (len > 0) {
        struct resp_reply whole = {0}, cut = {0};
        size_t used;
        enum resp_result result = resp_reply_parse(&whole, data, len, &used);
        CHECK(reply_in_pieces(&cut, data, len, seed) == result);
        if (result == RESP_ERROR)
            return;
        CHECK(whole.total == used && cut.total == used && used <= len);
        CHECK(whole.type == cut.type && whole.values == cut.values && whole.skip == cut.skip);
        if (result == RESP_MORE)
            return;
        CHECK(whole.type != 0 && whole.values == 0 && used >= 3);
        data += used;
        len -= used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] & 1)
        fuzz_replies((const char *)data + 2, size - 2, data[1]);
    else
        fuzz_requests((const char *)data + 2, size - 2, data[1]);
    return 0;
}
