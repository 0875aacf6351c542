/*
 * spread: clients go to the worker with the fewest sessions, those on their way counted, and no more
 * are let in than may be.
 */
#include "traffic/spread.h"

#include <criterion/criterion.h>

enum { MANY = 1000 };

struct house {
    struct office *office;
    struct spread spread;
    size_t own; /* sessions of the accepting worker */
};

static void begin(struct house *h, size_t workers)
{
    *h = (struct house){.office = office_new(workers, 1)};
    spread_init(&h->spread, h->office, 0);
}

static void end(struct house *h)
{
    spread_free(&h->spread);
    office_free(h->office);
}

static size_t comes(struct house *h, size_t max)
{
    size_t to = spread_next(&h->spread, h->own, max);

    h->own += to == 0;
    return to;
}

static void goes(struct house *h, size_t worker)
{
    if (worker == 0)
        h->own--;
    else
        atomic_fetch_add(&h->office->desks[worker].ended, 1);
}

Test(spread, one_worker_has_them_all)
{
    struct house h;

    begin(&h, 1);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(comes(&h, 10), 0);
    cr_assert_eq(comes(&h, 10), SPREAD_FULL);
    goes(&h, 0);
    cr_assert_eq(comes(&h, 10), 0);
    end(&h);
}

Test(spread, nobody_has_more_than_others)
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

Test(spread, those_who_come_and_go_take_turns)
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

Test(spread, who_lost_some_gets_the_next_ones)
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

Test(spread, the_limit_is_of_all_together)
{
    struct house h;

    begin(&h, 4);
    for (int i = 0; i < 7; i++)
        cr_assert_neq(comes(&h, 7), SPREAD_FULL);
    cr_assert_eq(comes(&h, 7), SPREAD_FULL);
    goes(&h, 3);
    cr_assert_eq(comes(&h, 7), 3);
    cr_assert_eq(comes(&h, 7), SPREAD_FULL);
    end(&h);
}
