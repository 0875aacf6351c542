/*
 * command: finding rows of commands.def.
 *
 * The table is made by the compiler: commands.def is read several times, with
 * other meanings for its macros. All commands stand in one array, sorted by
 * name; all subcommands in another, where those of one container stand side by
 * side. Enumerators count the rows, so that the place where a letter, or a
 * container's subcommands, begins is a constant. A lookup is a binary search
 * among the names that share a first letter (some 40 at most).
 *
 * That the rows are sorted is held by tests/unit/test_command.c.
 */
#include "redis/command.h"

#include <string.h>

/* Longer than any name of the table, its end included. */
enum { NAME_SIZE = 48 };

#define JOIN_NOW(a, b) a##b
#define JOIN(a, b) JOIN_NOW(a, b)

/* ---- where things begin ---- */

/* The number of the next row, without taking it. */
#define MARK(name) name, name##_AGAIN = (name)-1

enum subcommand_place {
#define LETTER(letter)
#define COMMAND(...)
#define CONTAINER(id, ...) MARK(SUBS_OF_##id),
#define SUBCOMMAND(...) JOIN(SUBCOMMAND_IN_LINE_, __LINE__),
#define END(id) MARK(END_OF_##id),
#include "commands.def"
#undef LETTER
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
#undef END
};

enum command_place {
#define LETTER(letter) MARK(AT_##letter),
#define COMMAND(...) JOIN(COMMAND_IN_LINE_, __LINE__),
#define CONTAINER(...) JOIN(COMMAND_IN_LINE_, __LINE__),
#define SUBCOMMAND(...)
#define END(id)
#include "commands.def"
#undef LETTER
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
    COMMAND_COUNT
};

static const uint16_t letter_at[] = {
#define LETTER(letter) AT_##letter,
#define COMMAND(...)
#define CONTAINER(...)
#define SUBCOMMAND(...)
#include "commands.def"
#undef LETTER
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
    COMMAND_COUNT,
};

/* ---- the rows ---- */

#define RO COMMAND_READONLY
#define WR COMMAND_WRITE
#define BL COMMAND_BLOCKING
#define NS COMMAND_NOSCRIPT
#define MR COMMAND_MAY_REPLICATE
#define MK COMMAND_MOVABLE_KEYS
#define RP COMMAND_READ_PORT
#define NEWER COMMAND_NEWER

#define ROW(text, args, bits, first, last, step, how, what)                                        \
    .name = (text), .arity = (args), .flags = (bits), .first_key = (first), .last_key = (last),    \
    .key_step = (step), .way = WAY_##how, .verb = VERB_##what

#define LETTER(letter)

static const struct command subcommands[] = {
#define COMMAND(...)
#define CONTAINER(...)
#define SUBCOMMAND(...) {ROW(__VA_ARGS__)},
#include "commands.def"
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
};

static const struct command commands[] = {
#define COMMAND(...) {ROW(__VA_ARGS__)},
#define CONTAINER(id, ...)                                                                         \
    {ROW(__VA_ARGS__), .subs = subcommands + SUBS_OF_##id, .nsubs = END_OF_##id - SUBS_OF_##id},
#define SUBCOMMAND(...)
#include "commands.def"
};

/* ---- finding them ---- */

static const struct command *search(const struct command *rows, size_t count, const char *name)
{
    while (count > 0) {
        const struct command *middle = rows + count / 2;
        int order = strcmp(name, middle->name);
        if (order == 0)
            return middle;
        if (order > 0) {
            rows = middle + 1;
            count--;
        }
        count /= 2;
    }
    return NULL;
}

/* Writes the text in lower case, and a NUL behind it. Returns where the NUL is. */
static char *write_lower(char *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        *out++ = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    *out = '\0';
    return out;
}

const struct command *command_find(struct slice name, struct slice sub)
{
    char text[NAME_SIZE];
    if (name.len == 0 || name.len >= sizeof(text))
        return NULL;
    char *end = write_lower(text, name);
    unsigned letter = (unsigned)text[0] - 'a';
    if (letter >= 26 || strlen(text) != name.len)
        return NULL;
    const struct command *command =
        search(commands + letter_at[letter], letter_at[letter + 1] - letter_at[letter], text);
    if (!command || !command->subs || sub.len >= sizeof(text) - name.len - 1)
        return command;
    *end++ = '|';
    write_lower(end, sub);
    const struct command *found = search(command->subs, command->nsubs, text);
    return found && strlen(end) == sub.len ? found : command;
}

bool command_is_own(struct slice name)
{
    static const char *const own[] = {"Auth", "Client", "Command", "Config", "Hello",
                                      "Info", "Ping",   "Reset",   "Role",   "Select"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (name.len == strlen(own[i]) && memcmp(name.data, own[i], name.len) == 0)
            return true;
    return false;
}

const struct command *command_table(size_t *count)
{
    *count = COMMAND_COUNT;
    return commands;
}

bool command_has_keys(const struct command *command)
{
    return command->first_key > 0 || (command->flags & COMMAND_MOVABLE_KEYS);
}

bool command_arity_ok(const struct command *command, int argc)
{
    return command->arity < 0 ? argc >= -command->arity : argc == command->arity;
}
