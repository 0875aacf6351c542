/*
 * balance: clients go to the worker with the fewest sessions, those on their way counted, and no more
 * are let in than may be.
 */
#include "worker/balance.h"

#include <criterion/criterion.h>

enum { MANY = 1000 };

struct house {
    struct shared *shared;
    struct balance balance;
    size_t own; /* sessions of the accepting worker */
};

static void begin(struct house *h, size_t workers)
{
    *h = (struct house){.shared = shared_new(workers, 1, 1)};
    balance_init(&h->balance, h->shared, 0);
}

static void end(struct house *h)
{
    balance_free(&h->balance);
    shared_free(h->shared);
}

static size_t comes(struct house *h, size_t max)
{
    size_t to = balance_next(&h->balance, h->own, max);

    h->own += to == 0;
    return to;
}

static void goes(struct house *h, size_t worker)
{
    if (worker == 0)
        h->own--;
    else
        atomic_fetch_add(&h->shared->slots[worker].ended, 1);
}

Test(balance, one_worker_has_them_all)
{
    struct house h;

    begin(&h, 1);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(comes(&h, 10), 0);
    cr_assert_eq(comes(&h, 10), BALANCE_FULL);
    goes(&h, 0);
    cr_assert_eq(comes(&h, 10), 0);
    end(&h);
}

Test(balance, nobody_has_more_than_others)
{
    struct house h;
    size_t got[3] = {0};

    begin(&h, 3);
    for (int i = 0; i < 50; i++)
        got[comes(&h, MANY)]++;
    for (int i = 0; i < 3; i++)
        cr_assert(got[i] == 16 || got[i] == 17, "worker %d has %zu", i, got[i]);
    end(&h);
}

Test(balance, those_who_come_and_go_take_turns)
{
    struct house h;

    begin(&h, 3);
    for (size_t i = 0; i < 9; i++) {
        size_t to = comes(&h, MANY);
        cr_assert_eq(to, i % 3);
        goes(&h, to);
    }
    end(&h);
}

Test(balance, who_lost_some_gets_the_next_ones)
{
    struct house h;

    begin(&h, 2);
    for (int i = 0; i < 20; i++)
        comes(&h, MANY);
    for (int i = 0; i < 4; i++)
        goes(&h, 1);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(comes(&h, MANY), 1);
    for (int i = 0; i < 3; i++)
        goes(&h, 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(comes(&h, MANY), 0);
    end(&h);
}

Test(balance, the_limit_is_of_all_together)
{
    struct house h;

    begin(&h, 4);
    for (int i = 0; i < 7; i++)
        cr_assert_neq(comes(&h, 7), BALANCE_FULL);
    cr_assert_eq(comes(&h, 7), BALANCE_FULL);
    goes(&h, 3);
    cr_assert_eq(comes(&h, 7), 3);
    cr_assert_eq(comes(&h, 7), BALANCE_FULL);
    end(&h);
}
