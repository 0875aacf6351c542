/*
 * blocking: where a command's timeout stands, in which unit, and what is left of it. What becomes of a session that
 * blocks: tests/unit/commands/test_session_blocking.c.
 */
#include "session/blocking.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct blocked {
    uv_loop_t loop; /* a clock: it never runs */
    struct turn *turn;
    struct session_host host;
    struct session session;
    struct session_request *request;
};

/* The words are a request of the session, which waits. */
static void asks(struct blocked *b, const char *text)
{
    char copy[200], *rest = copy, *word;
    struct slice argv[16];
    int argc = 0;
    memset(b, 0, sizeof(*b));
    cr_assert_lt(strlen(text), sizeof(copy));
    strcpy(copy, text);
    while ((word = strsep(&rest, " ")))
        argv[argc++] = (struct slice){word, strlen(word)};
    cr_assert_eq(uv_loop_init(&b->loop), 0);
    b->turn = calloc(1, sizeof(*b->turn));
    b->turn->loop = &b->loop;
    request_pool_init(&b->turn->requests, sizeof(struct session_request));
    b->host.turn = b->turn;
    b->session.host = &b->host;
    queue_init(&b->session.queue);
    b->request = session_request_begin(
        &b->turn->requests, request_own_words(&b->turn->requests, argc, argv, NULL, NULL));
    b->request->argc = argc;
    b->request->command = command_find(argv[0], (struct slice){NULL, 0});
    cr_assert_not_null(b->request->command, "%s", text);
    queue_add(&b->session.queue, b->request);
}

static void end(struct blocked *b)
{
    list_remove(&b->request->in_session);
    session_request_free(&b->turn->requests, b->request);
    request_pool_free(&b->turn->requests);
    free(b->turn);
    cr_assert_eq(uv_loop_close(&b->loop), 0);
}

static bool blocks(const char *text)
{
    struct blocked b;
    asks(&b, text);
    bool is = session_is_blocking(b.request);
    end(&b);
    return is;
}

#define NO_DEADLINE (-1)

/* How many milliseconds it blocks. */
static int64_t time_of(const char *text)
{
    struct blocked b;
    asks(&b, text);
    session_start_timeout(&b.session, b.request);
    int64_t until_ms = b.request->blocked_until_ms;
    int64_t ms = until_ms ? until_ms - turn_now(b.turn) : NO_DEADLINE;
    end(&b);
    return ms;
}

/* With so many milliseconds left, it is sent as these words. */
static void becomes(const char *text, int64_t left_ms, const char *wanted)
{
    struct blocked b;
    char words[200] = "";
    struct slice arg;
    asks(&b, text);
    b.request->blocked_until_ms = turn_now(b.turn) + left_ms;
    session_rewrite_timeout(&b.session, b.request);
    struct resp_args args = resp_args(b.request->data, b.request->len);
    while (resp_args_next(&args, &arg))
        snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%.*s", *words ? " " : "",
                 (int)arg.len, arg.data);
    cr_assert_str_eq(words, wanted);
    cr_assert_eq(b.session.queue.bytes, request_cost(b.request));
    end(&b);
}

Test(blocking, the_timeout_is_the_last_argument)
{
    cr_assert_eq(time_of("BLPOP a b 5"), 5000);
    cr_assert_eq(time_of("BRPOP a 5"), 5000);
    cr_assert_eq(time_of("BLMOVE a b LEFT RIGHT 5"), 5000);
    cr_assert_eq(time_of("BRPOPLPUSH a b 5"), 5000);
    cr_assert_eq(time_of("BZPOPMIN a b 5"), 5000);
    cr_assert_eq(time_of("BZPOPMAX 7 5"), 5000);
    cr_assert(blocks("BLPOP a 0"));
    cr_assert_not(blocks("BLPOP"), "the node will say what it lacks");
}

Test(blocking, or_the_first_where_the_number_of_keys_follows)
{
    cr_assert_eq(time_of("BLMPOP 5 1 a LEFT"), 5000);
    cr_assert_eq(time_of("BZMPOP 5 2 a b MIN COUNT 9"), 5000);
    cr_assert(blocks("BLMPOP 0 1 a LEFT"));
}

Test(blocking, or_behind_block_in_milliseconds)
{
    cr_assert_eq(time_of("XREAD BLOCK 5 STREAMS q $"), 5);
    cr_assert_eq(time_of("xread count 3 block 5 streams q $"), 5);
    cr_assert_eq(time_of("XREADGROUP GROUP g c COUNT 3 BLOCK 5 NOACK STREAMS q >"), 5);
    cr_assert(blocks("XREAD BLOCK 0 STREAMS q $"));
}

Test(blocking, without_block_a_read_of_streams_does_not_block)
{
    cr_assert_not(blocks("XREAD STREAMS q $"));
    cr_assert_not(blocks("XREAD COUNT 5 STREAMS q $"));
    cr_assert_not(blocks("XREADGROUP GROUP g c STREAMS q >"));
    cr_assert_eq(time_of("XREAD COUNT 5 STREAMS q $"), NO_DEADLINE);
}

Test(blocking, behind_streams_there_are_keys)
{
    cr_assert_not(blocks("XREAD STREAMS block 5"));
    cr_assert_not(blocks("XREAD STREAMS a BLOCK 0 5"));
    cr_assert_eq(time_of("XREAD BLOCK 7 STREAMS block 5"), 7);
}

Test(blocking, a_group_and_its_consumer_may_have_any_name)
{
    cr_assert_eq(time_of("XREADGROUP GROUP streams c BLOCK 5 STREAMS q >"), 5);
    cr_assert_eq(time_of("XREADGROUP GROUP g streams BLOCK 5 STREAMS q >"), 5);
    cr_assert_eq(time_of("XREADGROUP GROUP block 7 BLOCK 5 STREAMS q >"), 5);
    cr_assert_not(blocks("XREADGROUP GROUP block 7 STREAMS q >"));
    cr_assert_not(blocks("XREADGROUP GROUP g block STREAMS q >"));
    cr_assert_eq(time_of("XREADGROUP GROUP group count BLOCK 5 STREAMS q >"), 5);
    becomes("XREADGROUP GROUP block 700 BLOCK 500 STREAMS q >", 250,
            "XREADGROUP GROUP block 700 BLOCK 250 STREAMS q >");
}

Test(blocking, of_several_blocks_the_last_counts)
{
    cr_assert_eq(time_of("XREAD BLOCK 7 BLOCK 5 STREAMS q $"), 5);
}

Test(blocking, block_without_a_number_is_the_nodes_to_refuse)
{
    cr_assert_not(blocks("XREAD COUNT 5 BLOCK"));
}

Test(blocking, wait_is_not_what_blocks)
{
    cr_assert_not(blocks("WAIT 1 5"));
    cr_assert_not(blocks("WAITAOF 1 1 5"));
}

Test(blocking, seconds_may_have_fractions)
{
    cr_assert_eq(time_of("BLPOP a 0.25"), 250);
    cr_assert_eq(time_of("BLMPOP 1.5 1 a LEFT"), 1500);
}

Test(blocking, for_ever_and_what_is_no_time_has_no_deadline)
{
    static const char *const timeouts[] = {
        "0", "-1", "x", "5x", "inf", "nan", "1e13", "5.00000000000000000000000000000000000000"};
    char text[80];
    for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
        snprintf(text, sizeof(text), "BLPOP a %s", timeouts[i]);
        cr_assert_eq(time_of(text), NO_DEADLINE, "%s", text);
    }
    cr_assert_eq(time_of("BLPOP a 5.0000000000000000000000000000000000000"), 5000, "39 characters");
    cr_assert_eq(time_of("BLPOP a 1e12"), 1000000000000000);
    cr_assert_eq(time_of("BLPOP a "), NO_DEADLINE);
}

Test(blocking, its_time_begins_once)
{
    struct blocked b;
    asks(&b, "BLPOP a 5");
    b.request->blocked_until_ms = 77;
    session_start_timeout(&b.session, b.request);
    cr_assert_eq(b.request->blocked_until_ms, 77);
    end(&b);
}

Test(blocking, it_expires_at_its_deadline_if_it_has_one)
{
    struct session_request r = {.blocking = true, .blocked_until_ms = 100};
    cr_assert_not(session_blocked_expired(&r, 99));
    cr_assert(session_blocked_expired(&r, 100));
    cr_assert(session_blocked_expired(&r, 101));
    r.blocking = false;
    cr_assert_not(session_blocked_expired(&r, 100));
    r = (struct session_request){.blocking = true};
    cr_assert_not(session_blocked_expired(&r, 100));
}

Test(blocking, what_is_left_takes_the_place_of_the_timeout)
{
    becomes("BLPOP a b 5", 1250, "BLPOP a b 1.250");
    becomes("BLMPOP 5 1 a LEFT", 1250, "BLMPOP 1.250 1 a LEFT");
    becomes("XREADGROUP GROUP g c COUNT 3 BLOCK 5000 STREAMS q >", 1250,
            "XREADGROUP GROUP g c COUNT 3 BLOCK 1250 STREAMS q >");
}

Test(blocking, when_nothing_is_left_it_does_not_become_for_ever)
{
    becomes("BLPOP a 5", 1, "BLPOP a 0.001");
    becomes("BLPOP a 5", 0, "BLPOP a 0.001");
    becomes("BLPOP a 5", -3, "BLPOP a 0.001");
    becomes("XREAD BLOCK 5 STREAMS q $", 0, "XREAD BLOCK 1 STREAMS q $");
}
