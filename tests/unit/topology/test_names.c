/*
 * names: a name is answered from memory, and asked for again behind it: twice a second while it is
 * looked up, ten times while nobody answers where it led. The resolver is the test's own.
 */
#include "topology/names.h"

#include "net/resolve.h"
#include "unit/loop.h"

#include <string.h>

#define HOST "redis-1.test"

struct resolve {
    resolve_done *done;
    void *owner;
};

static struct resolve question; /* at most one is open: there is one name */
static int asked, changes;

struct resolve *resolve_start(uv_loop_t *loop, const struct endpoint *endpoint, resolve_done *done,
                              void *owner)
{
    (void)loop;
    cr_assert_str_eq(endpoint->host, HOST);
    cr_assert_null(question.done, "it is asked for once at a time");
    question = (struct resolve){done, owner};
    asked++;
    return &question;
}

void resolve_cancel(struct resolve *resolve)
{
    resolve->done = NULL;
}

static void answer(const char *number)
{
    struct address address;
    resolve_done *done = question.done;
    cr_assert_not_null(done, "nothing is asked");
    question.done = NULL;
    if (number)
        cr_assert_eq(address_from_number(&address, number, 6379), 0);
    done(question.owner, number ? 0 : UV_EAI_NONAME, &address, number != NULL);
}

static void changed(void *owner)
{
    (void)owner;
    changes++;
}

/* What the name is now; "": not known. */
static const char *looked_up(struct names *names)
{
    static char text[ENDPOINT_TEXT_MAX];
    struct endpoint endpoint = {.host = HOST, .port = 6379};
    struct address address;
    return names_lookup(names, &endpoint, &address) ? address_format(text, sizeof(text), &address)
                                                    : "";
}

static void doubt(struct names *names, const char *number)
{
    struct address address;
    cr_assert_eq(address_from_number(&address, number, 6379), 0);
    names_doubt(names, &address);
}

static void pass(uv_loop_t *loop, uint64_t ms)
{
    uint64_t until_ms = uv_now(loop) + ms;
    until(uv_now(loop) >= until_ms, (usleep(1000), uv_update_time(loop)));
}

static struct names *begin(uv_loop_t *loop)
{
    cr_assert_eq(uv_loop_init(loop), 0);
    struct names *names = names_new(loop, changed, NULL);
    cr_assert_str_eq(looked_up(names), "");
    answer("10.0.0.1");
    return names;
}

static void end(struct names *names, uv_loop_t *loop)
{
    names_free(names);
    loop_end(loop);
}

Test(names, are_answered_from_memory_and_asked_for_behind_it)
{
    uv_loop_t loop;
    struct names *names = begin(&loop);
    cr_assert_eq(changes, 1);
    cr_assert_str_eq(looked_up(names), "10.0.0.1:6379");
    cr_assert_eq(asked, 1, "it was asked for just now");
    pass(&loop, 500);
    cr_assert_str_eq(looked_up(names), "10.0.0.1:6379");
    cr_assert_eq(asked, 2);
    answer("10.0.0.1");
    cr_assert_eq(changes, 1, "the same address is no change");
    pass(&loop, 500);
    looked_up(names);
    answer("10.0.0.2");
    cr_assert_eq(changes, 2);
    cr_assert_str_eq(looked_up(names), "10.0.0.2:6379");
    end(names, &loop);
}

Test(names, keep_their_address_while_they_do_not_resolve)
{
    uv_loop_t loop;
    struct names *names = begin(&loop);
    pass(&loop, 500);
    looked_up(names);
    answer(NULL);
    cr_assert_str_eq(looked_up(names), "10.0.0.1:6379");
    cr_assert_eq(changes, 1);
    end(names, &loop);
}

Test(names, are_asked_for_soon_when_nobody_answers_there)
{
    uv_loop_t loop;
    struct names *names = begin(&loop);
    doubt(names, "10.0.0.1");
    cr_assert_eq(asked, 1, "not more often than ten times a second");
    pass(&loop, 100);
    doubt(names, "10.0.0.2");
    cr_assert_eq(asked, 1, "the name leads elsewhere");
    doubt(names, "10.0.0.1");
    cr_assert_eq(asked, 2);
    doubt(names, "10.0.0.1");
    answer("10.0.0.2");
    cr_assert_eq(changes, 2);
    cr_assert_str_eq(looked_up(names), "10.0.0.2:6379");
    end(names, &loop);
}

Test(names, that_are_being_asked_for_may_go)
{
    uv_loop_t loop;
    struct names *names = begin(&loop);
    pass(&loop, 500);
    looked_up(names);
    end(names, &loop);
    cr_assert_null(question.done, "the question is taken back");
}
