/*
 * config_ini: an INI text, line by line, through libinih.
 *
 * Debian's libinih passes no line numbers, reports only the first bad line,
 * cuts section names at 50 bytes, and ends them at the first "]", which is the
 * wrong one in "[listen [::1]:6379]". All of this is mended in one place: the
 * reader that libinih calls for each line. libinih reads a line and calls
 * the setting's callback before it asks for the next one, so the reader knows
 * which line a setting stands on, and that a line was nonsense when it asked for the
 * next one without having called. Section headers are taken out here and
 * libinih sees an empty line instead.
 */
#include "ops/config_ini.h"

#include <ini.h>
#include <stdbool.h>
#include <string.h>

struct reader {
    const struct ini_events *events;
    char *at, *end;
    int line;
    bool owed; /* the line given to libinih must come back as a setting */
};

static const char blanks[] = " \t\r\n";

static char *skip_blanks(char *text)
{
    return text + strspn(text, blanks);
}

/* Cuts the comment (";" after a blank or a bracket) and the blanks before it. */
static void cut_comment(char *text)
{
    for (char *at = text; (at = strchr(at, ';')); at++) {
        if (at > text && strchr(" \t]", at[-1])) {
            *at = '\0';
            break;
        }
    }
    size_t len = strlen(text);
    while (len && strchr(blanks, text[len - 1]))
        text[--len] = '\0';
}

static void take_header(struct reader *reader, char *header)
{
    const struct ini_events *events = reader->events;

    cut_comment(header);
    size_t len = strlen(header);
    if (header[len - 1] != ']') {
        events->on_nonsense(events->owner, reader->line,
                            "the section has no closing bracket: write [section]");
        return;
    }
    header[len - 1] = '\0';
    events->on_section(events->owner, reader->line, header + 1);
}

static void ask_for_owed(struct reader *reader)
{
    if (reader->owed)
        reader->events->on_nonsense(reader->events->owner, reader->line,
                                    "neither a section nor a setting: write name = value, or put "
                                    "; before a comment");
    reader->owed = false;
}

/* Moves the next line into `into`, without its line end. Returns false when it does not fit or
 * holds a NUL; the line is passed over in any case. */
static bool next_line(struct reader *reader, char *into, size_t room)
{
    char *end = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    size_t len = (size_t)((end ? end : reader->end) - reader->at);
    bool good = len + 2 <= room && !memchr(reader->at, '\0', len);

    if (good)
        memcpy(into, reader->at, len);
    into[good ? len : 0] = '\0';
    reader->at = end ? end + 1 : reader->end;
    reader->line++;
    return good;
}

/* libinih's reader, as fgets(). */
static char *read_line(char *into, int room, void *stream)
{
    struct reader *reader = stream;

    ask_for_owed(reader);
    if (reader->at == reader->end) {
        /* libinih frees this buffer as it is, and the last line may have held a secret. */
        explicit_bzero(into, (size_t)room);
        return NULL;
    }
    if (!next_line(reader, into, (size_t)room))
        reader->events->on_nonsense(reader->events->owner, reader->line,
                                    "the line is too long or holds a NUL byte: break it up");
    char *first = skip_blanks(into);
    if (*first == '[') {
        take_header(reader, first);
        into[0] = '\0';
    }
    first = skip_blanks(into);
    reader->owed = *first && *first != ';' && *first != '#';
    size_t len = strlen(into);
    memcpy(into + len, "\n", 2); /* next_line() left room for it */
    return into;
}

static int on_setting(void *user, const char *section, const char *name, const char *value)
{
    struct reader *reader = user;

    (void)section;
    reader->owed = false;
    reader->events->on_setting(reader->events->owner, reader->line, name, value);
    return 1;
}

int config_ini_read(char *text, size_t len, const struct ini_events *events)
{
    struct reader reader = {.events = events, .at = text, .end = text + len};

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        reader.at += 3;
    /* libinih's options are its global variables. */
    ini_allow_multiline = false;
    ini_allow_inline_comments = true;
    ini_allow_no_value = false;
    ini_stop_on_first_error = false;
    ini_use_stack = false;
    ini_max_line = INI_LINE_MAX;
    ini_initial_alloc = INI_LINE_MAX;
    (void)ini_parse_stream(read_line, &reader, on_setting, &reader);
    return reader.line;
}
