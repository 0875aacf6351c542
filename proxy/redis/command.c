/*
 * command: finding rows of commands.def.
 *
 * The table is made by the compiler: commands.def is read several times, with
 * other meanings for its macros. All commands stand in one array, sorted by
 * name; all subcommands in another, where those of one container stand side by
 * side. Enumerators count the rows, so that the place where a container's
 * subcommands begin is a constant. A command is looked up in a hash table of the
 * names' first eight bytes, as one number; it is filled before main(). What clients
 * send never goes into it, so nobody can make it slow.
 *
 * That the rows are sorted is held by tests/unit/redis/test_command.c.
 */
#include "redis/command.h"

#include <endian.h>
#include <string.h>
#include <strings.h>

/* Longer than any name of the table, its end included. */
enum { NAME_SIZE = 48 };

#define JOIN_NOW(a, b) a##b
#define JOIN(a, b) JOIN_NOW(a, b)

/* ---- where things begin ---- */

/* The number of the next row, without taking it. */
#define MARK(name) name, name##_AGAIN = (name)-1

enum subcommand_place {
#define COMMAND(...)
#define CONTAINER(id, ...) MARK(SUBS_OF_##id),
#define SUBCOMMAND(...) JOIN(SUBCOMMAND_IN_LINE_, __LINE__),
#define END(id) MARK(END_OF_##id),
#include "commands.def"
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
#undef END
};

enum command_place {
#define COMMAND(...) JOIN(COMMAND_IN_LINE_, __LINE__),
#define CONTAINER(...) JOIN(COMMAND_IN_LINE_, __LINE__),
#define SUBCOMMAND(...)
#define END(id)
#include "commands.def"
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
#undef END
    COMMAND_COUNT
};

/* ---- the rows ---- */

#define RO COMMAND_READONLY
#define WR COMMAND_WRITE
#define BL COMMAND_BLOCKING
#define NS COMMAND_NOSCRIPT
#define MR COMMAND_MAY_REPLICATE
#define MK COMMAND_MOVABLE_KEYS
#define RP COMMAND_READ_PORT
#define RT COMMAND_RIGHTS
#define NEWER COMMAND_NEWER

#define ROW(text, args, bits, first, last, step, how, what)                                        \
    .name = (text), .arity = (args), .flags = (bits), .first_key = (first), .last_key = (last),    \
    .key_step = (step), .way = WAY_##how, .verb = VERB_##what

/* Commands are numbered first, then subcommands. */
#define COMMAND_NUMBER (1 + JOIN(COMMAND_IN_LINE_, __LINE__))
#define SUBCOMMAND_NUMBER (1 + COMMAND_COUNT + JOIN(SUBCOMMAND_IN_LINE_, __LINE__))

#define END(id)

static const struct command subcommands[] = {
#define COMMAND(...)
#define CONTAINER(...)
#define SUBCOMMAND(...) {ROW(__VA_ARGS__), .number = SUBCOMMAND_NUMBER},
#include "commands.def"
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
};

static const struct command commands[] = {
#define COMMAND(...) {ROW(__VA_ARGS__), .number = COMMAND_NUMBER},
#define CONTAINER(id, ...)                                                                         \
    {ROW(__VA_ARGS__), .number = COMMAND_NUMBER, .subs = subcommands + SUBS_OF_##id,               \
     .nsubs = END_OF_##id - SUBS_OF_##id},
#define SUBCOMMAND(...)
#include "commands.def"
#undef COMMAND
#undef CONTAINER
};

/* Of each command: its first KEY_BYTES bytes as a number, and its length. */
enum { KEY_BYTES = 8 };

#define BYTE(text, i) ((uint64_t)((i) < sizeof(text) ? (text)[(i) < sizeof(text) ? (i) : 0] : 0))
#define KEY(text)                                                                                  \
    (BYTE(text, 0) << 56 | BYTE(text, 1) << 48 | BYTE(text, 2) << 40 | BYTE(text, 3) << 32 |       \
     BYTE(text, 4) << 24 | BYTE(text, 5) << 16 | BYTE(text, 6) << 8 | BYTE(text, 7))

static const struct key {
    uint64_t begin;
    size_t len;
} keys[] = {
#define COMMAND(text, ...) {KEY(text), sizeof(text) - 1},
#define CONTAINER(id, text, ...) {KEY(text), sizeof(text) - 1},
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

static inline uint64_t byte_at(struct slice text, size_t i)
{
    return (uint64_t)(unsigned char)text.data[i] << (56 - 8 * i);
}

/* The first bytes as KEY() has them, whatever their case. Overlapping loads put every byte in its place
 * at least once. */
static inline uint64_t load(struct slice name)
{
    uint64_t all;
    uint32_t head, tail;
    if (name.len >= KEY_BYTES) {
        memcpy(&all, name.data, sizeof(all));
        return be64toh(all);
    }
    if (name.len >= 4) {
        memcpy(&head, name.data, sizeof(head));
        memcpy(&tail, name.data + name.len - 4, sizeof(tail));
        return (uint64_t)be32toh(head) << 32 | (uint64_t)be32toh(tail) << 8 * (8 - name.len);
    }
    if (name.len == 0)
        return 0;
    return byte_at(name, 0) | byte_at(name, name.len / 2) | byte_at(name, name.len - 1);
}

/* The high bit of each byte that is a capital letter, moved to where it makes a small one. */
static inline uint64_t small_letters(uint64_t bytes)
{
    const uint64_t ones = UINT64_MAX / 255, high = ones << 7;
    uint64_t low = bytes & ~high;
    uint64_t from_a = low + ones * (128 - 'A'), beyond_z = low + ones * (128 - 'Z' - 1);
    return bytes | (from_a & ~beyond_z & ~bytes & high) >> 2;
}

/* Of each different beginning the first row's number, plus one; 0: none. Linear probing, a quarter full. */
enum { SLOT_BITS = 10, SLOTS = 1 << SLOT_BITS };
static uint16_t slots[SLOTS];

_Static_assert(COMMAND_COUNT * 3 < SLOTS, "the hash table of commands is too small");

/* Multiplicative hashing, by the golden ratio. */
static inline size_t slot_of(uint64_t begin)
{
    return (size_t)(begin * 0x9e3779b97f4a7c15 >> (64 - SLOT_BITS));
}

static __attribute__((constructor)) void fill_slots(void)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t slot = slot_of(keys[i].begin);
        if (i > 0 && keys[i].begin == keys[i - 1].begin)
            continue;
        while (slots[slot])
            slot = (slot + 1) % SLOTS;
        slots[slot] = (uint16_t)(i + 1);
    }
}

/* The first row with this beginning; COMMAND_COUNT: there is none. */
static inline size_t first_with(uint64_t begin)
{
    size_t slot = slot_of(begin);
    while (slots[slot] && keys[slots[slot] - 1].begin != begin)
        slot = (slot + 1) % SLOTS;
    return slots[slot] ? slots[slot] - 1U : COMMAND_COUNT;
}

/* Among the rows with this beginning, which stand side by side. Not inlined: few names are as long. */
static __attribute__((noinline)) const struct command *find_long(size_t at, struct slice name)
{
    for (uint64_t begin = keys[at].begin; at < COMMAND_COUNT && keys[at].begin == begin; at++)
        if (keys[at].len == name.len &&
            strncasecmp(name.data + KEY_BYTES, commands[at].name + KEY_BYTES,
                        name.len - KEY_BYTES) == 0)
            return &commands[at];
    return NULL;
}

static inline const struct command *find_command(struct slice name)
{
    size_t at = first_with(small_letters(load(name)));
    if (at == COMMAND_COUNT)
        return NULL;
    if (name.len > KEY_BYTES)
        return find_long(at, name);
    return keys[at].len == name.len ? &commands[at] : NULL; /* the shortest one comes first */
}

/* Not inlined: it needs memory that most lookups do not. */
static __attribute__((noinline)) const struct command *
find_subcommand(const struct command *command, struct slice name, struct slice sub)
{
    char text[NAME_SIZE], *end;
    const struct command *found;
    if (sub.len >= sizeof(text) - name.len - 1)
        return command;
    end = write_lower(text, name);
    *end++ = '|';
    write_lower(end, sub);
    found = search(command->subs, command->nsubs, text);
    return found && strlen(end) == sub.len ? found : command;
}

const struct command *command_find(struct slice name, struct slice sub)
{
    const struct command *command = find_command(name);
    return command && command->subs ? find_subcommand(command, name, sub) : command;
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

/* ---- numbers and classes ---- */

unsigned command_numbers(void)
{
    return 1 + COMMAND_COUNT + sizeof(subcommands) / sizeof(subcommands[0]);
}

const struct command *command_by_number(unsigned number)
{
    if (number == 0)
        return NULL;
    return number <= COMMAND_COUNT ? &commands[number - 1]
                                   : &subcommands[number - 1 - COMMAND_COUNT];
}

static bool is_script(const struct command *command)
{
    return strncmp(command->name, "eval", 4) == 0 || strncmp(command->name, "fcall", 5) == 0;
}

static bool is_pubsub(const struct command *command)
{
    return command_is_subscription(command->verb) || strcmp(command->name, "publish") == 0 ||
           strcmp(command->name, "spublish") == 0;
}

enum command_class command_class(const struct command *command)
{
    if (command_is_transaction(command->verb))
        return COMMAND_CLASS_TRANSACTION;
    if (is_pubsub(command))
        return COMMAND_CLASS_PUBSUB;
    if (is_script(command))
        return COMMAND_CLASS_SCRIPT;
    if (command->way == WAY_BLOCK)
        return COMMAND_CLASS_BLOCKING;
    if (command->flags & COMMAND_READONLY)
        return COMMAND_CLASS_READ;
    return command->flags & COMMAND_WRITE ? COMMAND_CLASS_WRITE : COMMAND_CLASS_OTHER;
}

const char *command_class_name(enum command_class class)
{
#define NAME(id, name) name,
    static const char *const names[] = {COMMAND_CLASS_LIST(NAME)};
#undef NAME
    return names[class];
}

bool command_has_keys(const struct command *command)
{
    return command->first_key > 0 || (command->flags & COMMAND_MOVABLE_KEYS);
}

bool command_arity_ok(const struct command *command, int argc)
{
    return command->arity < 0 ? argc >= -command->arity : argc == command->arity;
}
