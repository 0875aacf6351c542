/* log_text: see the header. */
#include "base/log_text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The longest escaped character: \u1234. */
#define ESCAPE_MAX 6

/* ---- UTF-8 ---- */

/* What a first byte promises: how many bytes there are, and the least number that needs so many. */
static size_t promised(unsigned char first, uint32_t *bits, uint32_t *least)
{
    static const struct {
        unsigned char mask, sign;
        uint32_t least;
    } kinds[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if ((first & kinds[i].mask) != kinds[i].sign)
            continue;
        *bits = first & (unsigned char)~kinds[i].mask;
        *least = kinds[i].least;
        return i + 1;
    }
    return 0;
}

/* Reads the character at the front of `text`. Returns its length, 0: it is none. */
static size_t decode(const char *text, size_t len, uint32_t *character)
{
    uint32_t least;
    size_t bytes = promised((unsigned char)text[0], character, &least);

    if (!bytes || bytes > len)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        unsigned char next = (unsigned char)text[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (next & 0x3f);
    }
    bool half = *character >= 0xd800 && *character <= 0xdfff; /* of a pair in UTF-16 */
    return *character < least || *character > 0x10ffff || half ? 0 : bytes;
}

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

/* ---- escaping ---- */

/* Writes one character. Returns its length there, and how many bytes it was in `*taken`. */
static size_t escape(char out[ESCAPE_MAX + 1], const char *text, size_t len, size_t *taken)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"'};
    uint32_t c;

    *taken = decode(text, len, &c);
    if (!*taken) {
        *taken = 1;
        return (size_t)snprintf(out, ESCAPE_MAX + 1, "\\ufffd");
    }
    if (c == '\\' || (c < sizeof(letters) && letters[c]))
        return (size_t)snprintf(out, ESCAPE_MAX + 1, "\\%c", c == '\\' ? '\\' : letters[c]);
    if (is_control(c))
        return (size_t)snprintf(out, ESCAPE_MAX + 1, "\\u%04x", (unsigned)c);
    memcpy(out, text, *taken);
    return *taken;
}

size_t log_text_escape(char *out, size_t room, const char **text, const char *end)
{
    char piece[ESCAPE_MAX + 1];
    size_t len = 0, taken;

    while (*text < end) {
        size_t more = escape(piece, *text, (size_t)(end - *text), &taken);
        if (len + more > room)
            break;
        memcpy(out + len, piece, more);
        len += more;
        *text += taken;
    }
    return len;
}

/* ---- what a text is ---- */

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && isdigit((unsigned char)*at))
        at++;
    return at;
}

bool log_text_is_number(const char *text, size_t len)
{
    const char *at = text, *end = text + len, *from;

    at += at < end && *at == '-';
    from = at;
    at = skip_digits(at, end);
    if (at == from || (*from == '0' && at - from > 1))
        return false;
    if (at < end && *at == '.') {
        from = ++at;
        at = skip_digits(at, end);
        if (at == from)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        from = at;
        at = skip_digits(at, end);
        if (at == from)
            return false;
    }
    return at == end;
}

bool log_text_is_bare(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f || strchr("\"\\=", text[i]))
            return false;
    return len > 0;
}

/* The length of the escape at the front; 0: it is none. */
static size_t escape_length(const char *text, size_t len)
{
    if (len >= 2 && text[1] && strchr("\"\\/bfnrt", text[1]))
        return 2;
    if (len < 6 || text[1] != 'u')
        return 0;
    for (int i = 2; i < 6; i++)
        if (!isxdigit((unsigned char)text[i]))
            return 0;
    return 6;
}

bool log_text_is_quoted(const char *text, size_t len)
{
    uint32_t c = 0;

    if (len < 2 || text[0] != '"' || text[len - 1] != '"')
        return false;
    for (size_t i = 1, more; i < len - 1; i += more) {
        more = text[i] == '\\' ? escape_length(text + i, len - 1 - i)
                               : decode(text + i, len - 1 - i, &c);
        if (!more || text[i] == '"' || (more == 1 && is_control(c)))
            return false;
    }
    return true;
}
