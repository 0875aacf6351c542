/*
 * request: it completes exactly once, a swallowed one without anybody hearing
 * of it; it is recycled without a trace of what it was, and without the heap.
 */
#include "nodes/request.h"

#include "nodes/identity.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* What an owner heard. */
struct heard {
    char bytes[64];
    int firsts, lasts, pieces, failures;
    enum request_failure why;
    const char *text;
};

static void on_reply(struct request *request, const char *data, size_t len, bool first, bool last)
{
    struct heard *heard = request->owner_data;

    strncat(heard->bytes, data, len);
    heard->pieces++;
    heard->firsts += first;
    heard->lasts += last;
}

static void on_failed(struct request *request, enum request_failure why, const char *text)
{
    struct heard *heard = request->owner_data;

    heard->failures++;
    heard->why = why;
    heard->text = text;
}

static const struct request_owner owner = {on_reply, on_failed, NULL};

static struct request *owned(struct request_pool *pool, struct heard *heard)
{
    struct request *request = request_new(pool, 0);

    *heard = (struct heard){.pieces = 0};
    request->owner = &owner;
    request->owner_data = heard;
    return request;
}

/* ---- the states ---- */

/* Whether the table lets a request go from one state to the other. */
static bool may_move(enum request_state from, enum request_state to)
{
    return (request_states.rows[from].next & STATE_BIT(to)) != 0;
}

Test(request, only_these_moves_are_allowed)
{
    static const char *const allowed[] = {/*  to:                W  Q  S  R  A */
                                          [REQUEST_WAITING] = "01001",
                                          [REQUEST_QUEUED] = "10101",
                                          [REQUEST_SENT] = "00111",
                                          [REQUEST_REJECTED] = "10001",
                                          [REQUEST_ANSWERED] = "10001"};

    cr_assert_eq(request_states.count, 5);
    for (unsigned from = 0; from < 5; from++)
        for (unsigned to = 0; to < 5; to++)
            cr_assert_eq(may_move(from, to), allowed[from][to] == '1', "%s to %s",
                         state_name(&request_states, from), state_name(&request_states, to));
}

Test(request, a_move_ends_in_its_state)
{
    struct request request = {.state = REQUEST_WAITING};

    request_move(&request, REQUEST_QUEUED);
    cr_assert_eq(request.state, REQUEST_QUEUED);
    request_move(&request, REQUEST_SENT);
    request_move(&request, REQUEST_SENT); /* another piece of it */
    request_move(&request, REQUEST_REJECTED);
    request_move(&request, REQUEST_WAITING);
    cr_assert_eq(request.state, REQUEST_WAITING);
}

Test(request, what_was_not_queued_cannot_be_sent, .signal = SIGABRT)
{
    struct request request = {.state = REQUEST_WAITING};

    request_move(&request, REQUEST_SENT);
}

/* ---- commands of the proxy's own ---- */

Test(request, one_of_the_proxys_own_carries_its_bytes_and_its_owner)
{
    struct request_pool pool;
    struct heard heard = {.pieces = 0};
    char bytes[] = "PING\r\n";
    struct request *request;

    request_pool_init(&pool, sizeof(struct request));
    request = request_own(&pool, (struct slice){bytes, 4}, &owner, &heard);
    memset(bytes, 'x', sizeof(bytes)); /* it has a copy */
    cr_assert_eq(request->len, 4);
    cr_assert_eq(memcmp(request->data, "PING", 4), 0);
    cr_assert_eq(request->state, REQUEST_WAITING);
    cr_assert_not(request->secret || request->write);
    request_deliver(&pool, request, "+PONG\r\n", 7, true, true);
    cr_assert_str_eq(heard.bytes, "+PONG\r\n");
    request_free(&pool, request);
    request_pool_free(&pool);
}

Test(request, one_of_words_is_the_command_as_redis_wants_it)
{
    static const struct slice argv[2] = {{"Info", 4}, {"server", 6}};
    static const char wanted[] = "*2\r\n$4\r\nInfo\r\n$6\r\nserver\r\n";
    struct request_pool pool;
    struct request *request;

    request_pool_init(&pool, sizeof(struct request));
    request = request_own_words(&pool, 2, argv, NULL, NULL);
    cr_assert_eq(request->len, sizeof(wanted) - 1);
    cr_assert_eq(memcmp(request->data, wanted, request->len), 0);
    cr_assert_null(request->owner);
    request_deliver(&pool, request, "$0\r\n\r\n", 6, true, true);
    cr_assert_eq(pool.live, 0, "nobody waits for the reply: it is freed with it");
    request_pool_free(&pool);
}

/* ---- completing ---- */

Test(request, a_reply_reaches_its_owner_in_pieces)
{
    struct request_pool pool;
    struct heard heard;
    struct request *request;

    request_pool_init(&pool, sizeof(struct request));
    request = owned(&pool, &heard);
    request_deliver(&pool, request, "$5\r\nhe", 6, true, false);
    request_deliver(&pool, request, "llo\r\n", 5, false, true);
    cr_assert_str_eq(heard.bytes, "$5\r\nhello\r\n");
    cr_assert_eq(heard.pieces, 2);
    cr_assert_eq(heard.firsts, 1);
    cr_assert_eq(heard.lasts, 1);
    cr_assert_eq(heard.failures, 0);
    cr_assert_eq(pool.live, 1, "it is its owner's to free");
    request_free(&pool, request);
    cr_assert_eq(pool.live, 0);
    request_pool_free(&pool);
}

Test(request, a_failure_reaches_its_owner_with_its_text)
{
    struct request_pool pool;
    struct heard heard;
    struct request *request;

    request_pool_init(&pool, sizeof(struct request));
    request = owned(&pool, &heard);
    request_fail(&pool, request, REQUEST_REFUSED, "WRONGPASS no");
    cr_assert_eq(heard.failures, 1);
    cr_assert_eq(heard.why, REQUEST_REFUSED);
    cr_assert_str_eq(heard.text, "WRONGPASS no");
    cr_assert_eq(heard.pieces, 0);
    cr_assert_eq(pool.live, 1);
    request_free(&pool, request);
    request_pool_free(&pool);
}

Test(request, a_swallowed_one_frees_itself_with_the_last_byte)
{
    struct request_pool pool;
    struct heard heard;
    struct request *request;

    request_pool_init(&pool, sizeof(struct request));
    request = owned(&pool, &heard);
    request_deliver(&pool, request, "$5\r\n", 4, true, false);
    request->owner = NULL; /* its session left in the middle of the reply */
    request_deliver(&pool, request, "hel", 3, false, false);
    cr_assert_eq(pool.live, 1);
    request_deliver(&pool, request, "lo\r\n", 4, false, true);
    cr_assert_eq(pool.live, 0);
    cr_assert_eq(heard.pieces, 1);
    request_pool_free(&pool);
}

Test(request, a_swallowed_one_frees_itself_when_it_fails)
{
    struct request_pool pool;

    request_pool_init(&pool, sizeof(struct request));
    request_fail(&pool, request_new(&pool, 0), REQUEST_LOST, NULL);
    cr_assert_eq(pool.live, 0);
    cr_assert_eq(pool.kept, 1);
    request_pool_free(&pool);
}

/* ---- bytes ---- */

Test(request, its_bytes_survive_growing)
{
    struct request_pool pool;
    struct request *request;
    char bytes[5000];

    memset(bytes, 'b', sizeof(bytes));
    request_pool_init(&pool, sizeof(struct request));
    request = request_new(&pool, 10);
    cr_assert_eq(request->data, request->own_data);
    request_set_bytes(request, bytes, REQUEST_INLINE);
    cr_assert_eq(request->data, request->own_data, "no allocation of its own up to here");
    request_reserve(request, REQUEST_INLINE + 1);
    cr_assert_neq(request->data, request->own_data);
    cr_assert_arr_eq(request->data, bytes, REQUEST_INLINE);
    request_reserve(request, 5000);
    cr_assert_arr_eq(request->data, bytes, REQUEST_INLINE);
    request_reserve(request, 3);
    cr_assert_eq(request->cap, 5000, "it never shrinks");
    request_set_bytes(request, bytes, sizeof(bytes));
    cr_assert_eq(request->len, sizeof(bytes));
    cr_assert_arr_eq(request->data, bytes, sizeof(bytes));
    request_free(&pool, request);
    request_pool_free(&pool);
}

static bool holds(const char *memory, size_t len, const char *word)
{
    return memmem(memory, len, word, strlen(word)) != NULL;
}

Test(request, a_secret_is_wiped_wherever_it_was)
{
    struct request_pool pool;
    struct request *request;

    request_pool_init(&pool, sizeof(struct request));
    request = request_new(&pool, 0);
    request->secret = true;
    request_set_bytes(request, "AUTH hunter2", 12);
    request_reserve(request, 1000);
    cr_assert_not(holds(request->own_data, REQUEST_INLINE, "hunter2"), "it has moved");
    cr_assert(holds(request->data, request->len, "hunter2"));
    request_free(&pool, request);
    request = request_new(&pool, 0);
    request->secret = true;
    request_set_bytes(request, "AUTH hunter2", 12);
    request_free(&pool, request); /* the pool keeps its memory */
    cr_assert_not(holds(request->own_data, REQUEST_INLINE, "hunter2"));
    request_pool_free(&pool);
}

/* ---- recycling ---- */

#define ROUND 10

Test(request, steady_state_needs_no_allocation)
{
    struct request_pool pool;
    struct request *first[ROUND], *now[ROUND];

    request_pool_init(&pool, sizeof(struct request));
    for (int i = 0; i < ROUND; i++)
        first[i] = request_new(&pool, 20);
    for (int i = 0; i < ROUND; i++)
        request_free(&pool, first[i]);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < ROUND; i++) {
            bool known = false;
            now[i] = request_new(&pool, 20);
            for (int j = 0; j < ROUND; j++)
                known |= now[i] == first[j];
            cr_assert(known, "a request that was not recycled");
            cr_assert_eq(now[i]->data, now[i]->own_data);
        }
        cr_assert_eq(pool.live, ROUND);
        cr_assert_eq(pool.kept, 0);
        for (int i = 0; i < ROUND; i++)
            request_free(&pool, now[i]);
    }
    cr_assert_eq(pool.live, 0);
    cr_assert_eq(pool.kept, ROUND);
    request_pool_free(&pool);
    cr_assert_eq(pool.kept, 0);
}

Test(request, a_recycled_one_is_as_new)
{
    struct request_pool pool;
    struct request *request, *again;

    request_pool_init(&pool, sizeof(struct request));
    request = request_new(&pool, 1000);
    request->owner = &owner;
    request->owner_data = &pool;
    request->state = REQUEST_ANSWERED;
    request->write = request->secret = request->own = request->blocking = true;
    request->parts_left = 5;
    buf_append(&request->reply, "+OK\r\n", 5);
    request_free(&pool, request);
    again = request_new(&pool, 0);
    cr_assert_eq(again, request);
    cr_assert_eq(again->state, REQUEST_WAITING);
    cr_assert_null(again->owner);
    cr_assert_null(again->owner_data);
    cr_assert_not(again->write || again->secret || again->own || again->blocking);
    cr_assert_eq(again->parts_left, 0);
    cr_assert_eq(buf_len(&again->reply), 0);
    cr_assert_eq(again->len, 0);
    cr_assert_eq(again->data, again->own_data);
    cr_assert_eq(again->cap, REQUEST_INLINE);
    request_free(&pool, again);
    request_pool_free(&pool);
}

/* Behind each request its owners may keep something: it is there, the pool's memory moves with it, and nothing of the pool
 * is in it. */
Test(request, an_object_is_as_large_as_the_pool_was_told)
{
    struct larger {
        struct request request;
        char owners[40], untouched[40];
    } * larger;
    struct request_pool pool;

    request_pool_init(&pool, sizeof(*larger));
    for (int i = 0; i < 2; i++) {
        size_t len = i == 0 ? 10 : 1000; /* its bytes in itself, and on the heap */
        larger = container_of(request_new(&pool, len), struct larger, request);
        memset(larger->owners, i, sizeof(larger->owners));
        memset(larger->untouched, i, sizeof(larger->untouched));
        memset(larger->request.data, 'x', len);
        cr_assert_arr_eq(larger->owners, larger->untouched, sizeof(larger->owners));
        request_free(&pool, &larger->request);
        cr_assert_arr_eq(larger->owners, larger->untouched, sizeof(larger->owners));
    }
    request_pool_free(&pool);
}

#define CROWD 6000

Test(request, a_crowd_is_given_back_to_the_heap)
{
    struct request **crowd = malloc(CROWD * sizeof(struct request *));
    struct request_pool pool;

    request_pool_init(&pool, sizeof(struct request));
    for (int i = 0; i < CROWD; i++)
        crowd[i] = request_new(&pool, 0);
    cr_assert_eq(pool.live, CROWD);
    for (int i = 0; i < CROWD; i++)
        request_free(&pool, crowd[i]);
    cr_assert_eq(pool.live, 0);
    cr_assert_leq(pool.kept, 4096);
    cr_assert_gt(pool.kept, 0);
    request_pool_free(&pool);
    free(crowd);
}

/* What one pool gave out, whatever became of it: in the bounds of a worker's memory counts also what nobody waits for. */
Test(request, the_pool_counts_what_the_requests_take)
{
    enum { OBJECT = sizeof(struct request) + 40 };
    struct request_pool pool;
    request_pool_init(&pool, OBJECT);
    struct request *small = request_new(&pool, 10), *large = request_new(&pool, 100000);
    cr_assert_eq(request_pool_cost(&pool), 2 * OBJECT + 100000);
    request_reserve(small, 5000);
    cr_assert_eq(request_pool_cost(&pool), 2 * OBJECT + 105000);
    large->secret = true;
    request_reserve(large, 200000);
    cr_assert_eq(request_pool_cost(&pool), 2 * OBJECT + request_heap(small) + request_heap(large));
    request_free(&pool, large);
    cr_assert_eq(request_pool_cost(&pool), OBJECT + 5000);
    request_free(&pool, small);
    cr_assert_eq(request_pool_cost(&pool), 0);
    small = request_new(&pool, 200);
    cr_assert_eq(request_pool_cost(&pool), OBJECT + request_heap(small),
                 "it may have got more than it needs");
    request_free(&pool, small);
    request_pool_free(&pool);
}
