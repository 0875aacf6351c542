/* learn: see the header. The answer is an array of one array: name, arity, flags, first, last,
 * step. */
#include "traffic/learn.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

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

static const struct command unknown = {
    .name = "?", .arity = -1, .flags = COMMAND_WRITE, .way = WAY_LEASE, .verb = VERB_NONE};

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

/* The line that follows the one at `at`; NULL behind the last. */
static const char *next_line(const char *at, const char *end)
{
    const char *eol = at ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    return eol && eol + 1 < end ? eol + 1 : NULL;
}

/* Whether the command's own flags (its subcommands follow with theirs) hold "+flag\r\n". */
static bool has_flag(const struct buf *answer, const char *flag)
{
    const char *at = buf_head(answer), *end = at + buf_len(answer);
    for (int line = 0; line < 5; line++) /* *1, *10, $length, name, :arity */
        at = next_line(at, end);
    if (!at || *at != '*')
        return false;
    for (at = next_line(at, end); at && *at == '+'; at = next_line(at, end))
        if ((size_t)(end - at) >= strlen(flag) && memcmp(at, flag, strlen(flag)) == 0)
            return true;
    return false;
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
    if (has_flag(answer, "+readonly\r\n"))
        learnt->command.flags |= COMMAND_READONLY;
    if (has_flag(answer, "+write\r\n"))
        learnt->command.flags |= COMMAND_WRITE;
    if (has_flag(answer, "+blocking\r\n"))
        learnt->command.flags |= COMMAND_BLOCKING;
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

static const struct request_owner owner = {on_reply, on_failed};

struct learn_question *learn_ask(struct learn *learn, struct router *router, struct place *place,
                                 enum wish wish, struct slice name, learn_done *done, void *data)
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
        router_ask(router, place, wish, buf_head(&command), buf_len(&command), &owner, question);
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
