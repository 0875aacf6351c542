/*
 * learn: what the server's answer to COMMAND INFO makes of a command that the
 * table does not know. The router is this file's: it keeps the question.
 */
#include "nodes/learn.h"

#include "nodes/request.h"
#include "nodes/router.h"

#include <criterion/criterion.h>
#include <string.h>

/* Where learn_ask() leaves its request. */
struct router {
    struct request_pool requests;
    struct learn *learn;
    struct request *asked; /* NULL: there is nobody to ask */
    bool nobody;
    int answers;
    const struct command *command;
};

bool router_ask(struct router *router, struct place *place, enum target_role role,
                const char *bytes, size_t len, const struct request_owner *owner, void *owner_data)
{
    (void)place;
    (void)role;
    if (router->nobody)
        return false;
    router->asked = request_new(&router->requests, len);
    request_set_bytes(router->asked, bytes, len);
    router->asked->owner = owner;
    router->asked->owner_data = owner_data;
    return true;
}

static void begin(struct router *router)
{
    *router = (struct router){.answers = 0};
    request_pool_init(&router->requests, sizeof(struct request));
    router->learn = learn_new(&router->requests);
}

static void end(struct router *router)
{
    learn_free(router->learn);
    cr_assert_eq(router->requests.live, 0, "every question was freed");
    request_pool_free(&router->requests);
}

static void done(void *data, const struct command *command)
{
    struct router *router = data;

    router->answers++;
    router->command = command;
}

static struct slice word(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static struct learn_question *ask(struct router *router, const char *name)
{
    router->answers = 0;
    router->command = NULL;
    return learn_ask(router->learn, router, NULL, TARGET_MASTER, word(name), done, router);
}

/* The whole answer, in two pieces. */
static void answer(struct router *router, const char *reply)
{
    size_t len = strlen(reply), half = len / 2;

    request_deliver(&router->requests, router->asked, reply, half, true, false);
    cr_assert_eq(router->answers, 0, "not before it is whole");
    request_deliver(&router->requests, router->asked, reply + half, len - half, false, true);
}

static const struct command *learnt(struct router *router, const char *name, const char *reply)
{
    cr_assert_not_null(ask(router, name));
    answer(router, reply);
    cr_assert_eq(router->answers, 1);
    return router->command;
}

/* COMMAND INFO's answer of Redis 7.0 for one command with these flags. */
#define INFO(flags, subcommands)                                                                   \
    "*1\r\n*10\r\n$8\r\nmod.read\r\n:-2\r\n" flags ":1\r\n:1\r\n:1\r\n"                            \
    "*2\r\n+@read\r\n+@write\r\n*0\r\n*0\r\n" subcommands

#define WITHOUT_KEYS(flags)                                                                        \
    "*1\r\n*10\r\n$8\r\nmod.read\r\n:-2\r\n" flags ":0\r\n:0\r\n:0\r\n"                            \
    "*2\r\n+@read\r\n+@write\r\n*0\r\n*0\r\n*0\r\n"

Test(learn, asks_for_the_name)
{
    static const char wanted[] = "*3\r\n$7\r\nCommand\r\n$4\r\nINFO\r\n$8\r\nMod.Read\r\n";
    struct router router;

    begin(&router);
    cr_assert_null(learn_find(router.learn, word("mod.read")));
    cr_assert_not_null(ask(&router, "Mod.Read"));
    cr_assert_eq(router.asked->len, sizeof(wanted) - 1);
    cr_assert_arr_eq(router.asked->data, wanted, sizeof(wanted) - 1);
    answer(&router, "*1\r\n*-1\r\n");
    end(&router);
}

Test(learn, remembers_a_known_command_under_any_case)
{
    struct router router;
    const struct command *command;

    begin(&router);
    command = learnt(&router, "Mod.Read", INFO("*2\r\n+readonly\r\n+fast\r\n", "*0\r\n"));
    cr_assert_str_eq(command->name, "mod.read");
    cr_assert_eq(command->flags, COMMAND_READONLY);
    cr_assert_eq(command->arity, -2);
    cr_assert_eq(command->first_key, 1);
    cr_assert_eq(learn_find(router.learn, word("MOD.READ")), command);
    cr_assert_null(learn_find(router.learn, word("mod.rea")));
    end(&router);
}

Test(learn, knows_a_write_and_a_blocking_command)
{
    struct router router;

    begin(&router);
    cr_assert_eq(
        learnt(&router, "mod.write", INFO("*2\r\n+write\r\n+denyoom\r\n", "*0\r\n"))->flags,
        COMMAND_WRITE);
    cr_assert_eq(
        learnt(&router, "mod.block", INFO("*2\r\n+write\r\n+blocking\r\n", "*0\r\n"))->flags,
        COMMAND_WRITE | COMMAND_BLOCKING);
    cr_assert_eq(learnt(&router, "mod.odd", INFO("*0\r\n", "*0\r\n"))->flags, COMMAND_RIGHTS,
                 "no flag is guessed, its ACL categories are none; it may be anything");
    end(&router);
}

static enum command_way way(const char *reply)
{
    struct router router;
    enum command_way way;

    begin(&router);
    way = (enum command_way)learnt(&router, "mod.read", reply)->way;
    end(&router);
    return way;
}

Test(learn, what_reads_or_writes_keys_is_shared)
{
    cr_assert_eq(way(INFO("*2\r\n+readonly\r\n+fast\r\n", "*0\r\n")), WAY_SHARE);
    cr_assert_eq(way(INFO("*2\r\n+write\r\n+denyoom\r\n", "*0\r\n")), WAY_SHARE);
    cr_assert_eq(way(WITHOUT_KEYS("*2\r\n+write\r\n+movablekeys\r\n")), WAY_SHARE);
}

Test(learn, what_may_wait_goes_alone)
{
    cr_assert_eq(way(INFO("*2\r\n+readonly\r\n+module\r\n", "*0\r\n")), WAY_ALONE);
    cr_assert_eq(way(INFO("*2\r\n+write\r\n+blocking\r\n", "*0\r\n")), WAY_ALONE);
    cr_assert_eq(way(INFO("*2\r\n+write\r\n+noscript\r\n", "*0\r\n")), WAY_ALONE);
    cr_assert_eq(way("*1\r\n*7\r\n$8\r\nmod.read\r\n:-2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n"
                     ":1\r\n*1\r\n+@read\r\n"),
                 WAY_ALONE, "6.2 does not say who may wait");
}

Test(learn, what_may_be_anything_keeps_its_connection)
{
    cr_assert_eq(way(INFO("*1\r\n+fast\r\n", "*0\r\n")), WAY_LEASE, "no data");
    cr_assert_eq(way(WITHOUT_KEYS("*1\r\n+readonly\r\n")), WAY_LEASE);
    cr_assert_eq(way(INFO("*2\r\n+readonly\r\n+pubsub\r\n", "*0\r\n")), WAY_LEASE);
    cr_assert_eq(way(INFO("*2\r\n+write\r\n+no_auth\r\n", "*0\r\n")), WAY_LEASE);
    cr_assert_eq(way(INFO("*2\r\n+write\r\n+no_multi\r\n", "*0\r\n")), WAY_LEASE);
    cr_assert_eq(way("*1\r\n*10\r\n"), WAY_LEASE, "an answer that is none");
}

/* A container answers for its subcommands too: what one of them may do says nothing of another. */
Test(learn, a_subcommands_readonly_does_not_make_its_container_so)
{
    struct router router;
    const struct command *command;

    begin(&router);
    command = learnt(&router, "mod",
                     INFO("*0\r\n", "*2\r\n"
                                    "*10\r\n$7\r\nmod|get\r\n:3\r\n*1\r\n+readonly\r\n"
                                    ":2\r\n:2\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n"
                                    "*10\r\n$7\r\nmod|set\r\n:3\r\n*1\r\n+write\r\n"
                                    ":2\r\n:2\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n"));
    cr_assert_not(command->flags & COMMAND_READONLY, "mod set would be sent twice");
    end(&router);
}

static void is_unknown(struct router *router, const char *name, const char *reply)
{
    cr_assert_eq(learnt(router, name, reply), learn_unknown(), "%s", reply);
    cr_assert_null(learn_find(router->learn, word(name)), "asked again next time: %s", reply);
}

Test(learn, what_the_server_does_not_know_is_not_remembered)
{
    struct router router;

    begin(&router);
    is_unknown(&router, "mod.none", "*1\r\n*-1\r\n");
    is_unknown(&router, "mod.none", "*1\r\n$-1\r\n");
    is_unknown(&router, "mod.none", "-NOPERM this user has no permissions\r\n");
    cr_assert_not_null(learnt(&router, "mod.none", INFO("*1\r\n+write\r\n", "*0\r\n")),
                       "a module may be loaded any time");
    cr_assert_not_null(learn_find(router.learn, word("mod.none")));
    cr_assert_eq(learn_unknown()->flags, COMMAND_WRITE | COMMAND_RIGHTS,
                 "nobody knows it: the worst is assumed");
    cr_assert_eq(learn_unknown()->way, WAY_LEASE);
    end(&router);
}

Test(learn, a_name_that_nobody_would_give_is_not_asked_for)
{
    struct router router;
    char name[66];

    memset(name, 'n', sizeof(name));
    begin(&router);
    cr_assert_null(learn_find(router.learn, (struct slice){name, 64}));
    cr_assert_eq(learn_find(router.learn, (struct slice){name, 65}), learn_unknown());
    end(&router);
}

Test(learn, two_who_ask_at_once_get_the_same_answer)
{
    struct router router;
    struct request *first;
    const struct command *command;

    begin(&router);
    cr_assert_not_null(ask(&router, "mod.read"));
    first = router.asked;
    command = learnt(&router, "mod.read", INFO("*1\r\n+readonly\r\n", "*0\r\n"));
    router.asked = first;
    router.answers = 0;
    answer(&router, INFO("*1\r\n+readonly\r\n", "*0\r\n"));
    cr_assert_eq(router.command, command);
    end(&router);
}

Test(learn, no_answer_is_not_an_answer)
{
    struct router router;

    begin(&router);
    cr_assert_not_null(ask(&router, "mod.read"));
    request_fail(&router.requests, router.asked, REQUEST_LOST, NULL);
    cr_assert_eq(router.answers, 1);
    cr_assert_null(router.command);
    router.nobody = true;
    cr_assert_null(ask(&router, "mod.read"));
    cr_assert_eq(router.answers, 0, "the caller knows it at once");
    end(&router);
}

Test(learn, a_cancelled_question_is_silent_and_still_teaches)
{
    struct router router;

    begin(&router);
    learn_cancel(ask(&router, "mod.read"));
    answer(&router, INFO("*1\r\n+readonly\r\n", "*0\r\n"));
    cr_assert_eq(router.answers, 0);
    cr_assert_not_null(learn_find(router.learn, word("mod.read")));
    learn_cancel(ask(&router, "mod.other"));
    request_fail(&router.requests, router.asked, REQUEST_UNSENT, NULL);
    cr_assert_eq(router.answers, 0);
    end(&router);
}
