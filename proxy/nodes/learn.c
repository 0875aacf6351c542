/* learn: see the header. The answer is an array of one array: name, arity, flags, first key, last key,
 * step, and more: ten of them since 7.0. */
#include "nodes/learn.h"

#include "base/keyed_hash.h"
#include "nodes/request.h"
#include "nodes/router.h"

#include <stdlib.h>
#include <string.h>

/* Longer names, and more of them than this, are not remembered: a client could make them up. */
#define NAME_MAX_LEN 64
#define REMEMBER_MAX 4096

struct learnt {
    struct command command;
    char name[NAME_MAX_LEN + 1];
    UT_hash_handle hh;
};

struct learn {
    struct request_pool *requests;
    struct learnt *known;
};

struct learn_question {
    struct learn *learn;
    learn_done *done;
    void *data;
    char name[NAME_MAX_LEN + 1];
};

static const struct command unknown = {.name = "?",
                                       .arity = -1,
                                       .flags = COMMAND_WRITE | COMMAND_RIGHTS,
                                       .way = WAY_LEASE,
                                       .verb = VERB_NONE};

const struct command *learn_unknown(void)
{
    return &unknown;
}

struct learn *learn_new(struct request_pool *requests)
{
    struct learn *learn = calloc(1, sizeof(*learn));
    if (!learn)
        abort();
    learn->requests = requests;
    return learn;
}

void learn_free(struct learn *learn)
{
    struct learnt *it, *next;
    HASH_ITER (hh, learn->known, it, next) {
        HASH_DEL(learn->known, it);
        free(it);
    }
    free(learn);
}

static bool lower_name(struct slice name, char *out)
{
    if (name.len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < name.len; i++)
        out[i] =
            name.data[i] >= 'A' && name.data[i] <= 'Z' ? (char)(name.data[i] | 0x20) : name.data[i];
    out[name.len] = '\0';
    return true;
}

const struct command *learn_find(const struct learn *learn, struct slice name)
{
    char lower[NAME_MAX_LEN + 1];
    struct learnt *found;
    if (!lower_name(name, lower))
        return &unknown;
    HASH_FIND(hh, learn->known, lower, (unsigned)name.len, found);
    return found ? &found->command : NULL;
}

/* ---- the answer ---- */

/* Takes the next line, without its end. */
static struct slice take_line(struct slice *rest)
{
    const char *eol = memmem(rest->data, rest->len, "\r\n", 2);
    struct slice line = {rest->data, eol ? (size_t)(eol - rest->data) : rest->len};
    size_t taken = line.len + (eol ? 2 : 0);
    *rest = (struct slice){rest->data + taken, rest->len - taken};
    return line;
}

/* The number behind the line's first byte, which says what it is; 0: it is something else. */
static int take_number(struct slice *rest, char type)
{
    struct slice line = take_line(rest);
    return line.len > 1 && line.data[0] == type ? atoi(line.data + 1) : 0;
}

/* Flags of a command that may do something to its connection, and of one that may keep it waiting: a
 * module's can, whatever it says of itself. */
enum trait { MAY_CHANGE = 1, MAY_WAIT = 2 };

static unsigned take_flag(struct command *command, struct slice name)
{
    static const struct {
        const char *name;
        uint16_t flag;
        unsigned trait;
    } known[] = {
        {"+readonly", COMMAND_READONLY, 0},
        {"+write", COMMAND_WRITE, 0},
        {"+movablekeys", COMMAND_MOVABLE_KEYS, 0},
        {"+blocking", COMMAND_BLOCKING, MAY_WAIT},
        {"+module", COMMAND_MODULE, MAY_WAIT},
        {"+noscript", COMMAND_NOSCRIPT, MAY_WAIT},
        {"+admin", 0, MAY_WAIT},
        {"+pubsub", 0, MAY_CHANGE},
        {"+no_auth", 0, MAY_CHANGE},
        {"+no_multi", 0, MAY_CHANGE},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (name.len != strlen(known[i].name) || memcmp(name.data, known[i].name, name.len) != 0)
            continue;
        command->flags |= known[i].flag;
        return known[i].trait;
    }
    return 0;
}

/* What reads or writes keys leaves its connection alone. A container (no such flags of its own), and
 * what has no keys, may be anything. */
static enum command_way way_of(const struct command *command, unsigned traits)
{
    bool data = command->flags & (COMMAND_READONLY | COMMAND_WRITE);
    if (!data || !command_has_keys(command) || (traits & MAY_CHANGE))
        return WAY_LEASE;
    return traits & MAY_WAIT ? WAY_ALONE : WAY_SHARE;
}

static void read_answer(struct command *command, struct slice rest)
{
    unsigned traits = 0;
    take_line(&rest);                   /* *1 */
    if (take_number(&rest, '*') < 10) { /* before 7.0 nothing was said of that */
        traits = MAY_WAIT;
        command->flags |= COMMAND_MODULE;
    }
    take_line(&rest); /* $length */
    take_line(&rest);
    command->arity = (int16_t)take_number(&rest, ':');
    for (int left = take_number(&rest, '*'); left > 0; left--)
        traits |= take_flag(command, take_line(&rest));
    command->first_key = (int16_t)take_number(&rest, ':');
    command->last_key = (int16_t)take_number(&rest, ':');
    command->key_step = (int16_t)take_number(&rest, ':');
    command->way = (uint8_t)way_of(command, traits);
    if (command->way == WAY_LEASE && !(command->flags & COMMAND_READONLY))
        command->flags |= COMMAND_RIGHTS; /* a module's: who knows */
}

static const struct command *remember(struct learn *learn, const char *name,
                                      const struct buf *answer)
{
    struct learnt *learnt;
    if (buf_len(answer) < 8 || memcmp(buf_head(answer), "*1\r\n*", 5) != 0 ||
        memcmp(buf_head(answer) + 4, "*-1", 3) == 0 || HASH_COUNT(learn->known) >= REMEMBER_MAX)
        return &unknown;
    learnt = calloc(1, sizeof(*learnt));
    if (!learnt)
        abort();
    memcpy(learnt->name, name, strlen(name) + 1);
    learnt->command = unknown;
    learnt->command.name = learnt->name;
    learnt->command.flags = 0;
    read_answer(&learnt->command, (struct slice){buf_head(answer), buf_len(answer)});
    HASH_ADD_KEYPTR(hh, learn->known, learnt->name, (unsigned)strlen(learnt->name), learnt);
    return &learnt->command;
}

static void finish(struct request *request, const struct command *command)
{
    struct learn_question *question = request->owner_data;
    struct learn *learn = question->learn;
    if (question->done)
        question->done(question->data, command);
    free(question);
    request_free(learn->requests, request);
}

static void on_reply(struct request *request, const char *data, size_t len, bool first, bool last)
{
    struct learn_question *question = request->owner_data;
    const struct command *command;
    (void)first;
    buf_append(&request->reply, data, len);
    if (!last)
        return;
    command = learn_find(question->learn, (struct slice){question->name, strlen(question->name)});
    if (!command)
        command = remember(question->learn, question->name, &request->reply);
    finish(request, command);
}

static void on_failed(struct request *request, enum request_failure why, const char *text)
{
    (void)why;
    (void)text;
    finish(request, NULL);
}

static const struct request_owner owner = {on_reply, on_failed, NULL};

struct learn_question *learn_ask(struct learn *learn, struct router *router, struct place *place,
                                 enum target_role role, struct slice name, learn_done *done,
                                 void *data)
{
    struct learn_question *question = calloc(1, sizeof(*question));
    struct slice argv[3] = {{"Command", 7}, {"INFO", 4}, name};
    struct buf command = {0};
    bool asked;
    if (!question)
        abort();
    *question = (struct learn_question){.learn = learn, .done = done, .data = data};
    if (!lower_name(name, question->name))
        abort(); /* learn_find() answered for such a name */
    resp_append_command(&command, 3, argv);
    asked =
        router_ask(router, place, role, buf_head(&command), buf_len(&command), &owner, question);
    buf_free(&command);
    if (asked)
        return question;
    free(question);
    return NULL;
}

void learn_cancel(struct learn_question *question)
{
    question->done = NULL;
}
