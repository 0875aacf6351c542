/*
 * logins: how many tries clients have to be somebody, that a right one costs nothing, and that nobody who waits is
 * forgotten.
 */
#include "nodes/logins.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MANY = 4000 };

struct world {
    struct logins *logins;
    struct login clients[MANY];
    int turns;
    struct login *last;
};

static void on_turn(void *data, struct login *login)
{
    struct world *w = data;
    w->turns++;
    w->last = login;
}

static struct world *begin(void)
{
    static struct world w;
    memset(&w, 0, sizeof(w));
    w.logins = logins_new(2, on_turn, &w);
    for (int i = 0; i < MANY; i++)
        login_init(&w.clients[i], 0);
    return &w;
}

/* A client that guesses on and on, for so long. Returns how often it could. */
static int guesses(struct world *w, struct login *login, int64_t from_ms, int64_t ms)
{
    int tries = 0;
    for (int64_t now = from_ms; now < from_ms + ms; now++) {
        if (now % 100 == 0)
            logins_tick(w->logins, now);
        if (!logins_try(w->logins, login, now))
            continue;
        tries++;
        logins_ended(w->logins, login, false, now);
    }
    return tries;
}

Test(logins, a_client_that_guesses_waits_longer_and_longer)
{
    struct world *w = begin();
    int first = guesses(w, &w->clients[0], 1000, 3000),
        later = guesses(w, &w->clients[0], 4000, 20000);
    cr_assert_geq(first, LOGINS_FREE_FAILURES);
    cr_assert_leq(first, 12, "%d", first);
    cr_assert_geq(later, 20000 / LOGINS_PAUSE_MAX_MS - 1, "it is not refused");
    cr_assert_leq(later, 10, "%d", later);
    logins_forget(&w->clients[0]);
    logins_free(w->logins);
}

/* New connections for each guess, from one address and from many. */
static int guessers(struct world *w, unsigned addresses, int64_t ms)
{
    int tries = 0, next = 0;
    for (int64_t now = 1000; now < 1000 + ms; now++) {
        logins_tick(w->logins, now);
        for (int i = 0; i < 5; i++) { /* 5,000 a second */
            struct login *login = &w->clients[next++ % MANY];
            logins_forget(login); /* the one before has left */
            login_init(login, 0);
            login->address = ((unsigned)next % addresses) << 1 | 1;
            if (!logins_try(w->logins, login, now))
                continue;
            tries++;
            logins_ended(w->logins, login, false, now);
        }
    }
    return tries;
}

Test(logins, an_address_has_so_many_tries)
{
    struct world *w = begin();
    int tries = guessers(w, 1, 10000);
    cr_assert_leq(tries, LOGINS_ADDRESS_BURST + 10 * LOGINS_ADDRESS_RATE + 1, "%d", tries);
    cr_assert_geq(tries + w->turns, 10 * LOGINS_ADDRESS_RATE / 2);
    for (int i = 0; i < MANY; i++)
        logins_forget(&w->clients[i]);
    logins_free(w->logins);
}

Test(logins, many_addresses_have_so_many_together_and_others_do_not_wait)
{
    struct world *w = begin();
    struct login other;
    int tries = guessers(w, 500, 10000);
    cr_assert_leq(tries, LOGINS_CLEAN_BURST + 10 * LOGINS_CLEAN_RATE + LOGINS_SUSPECT_BURST +
                             10 * LOGINS_SUSPECT_RATE);
    login_init(&other, 0);
    other.address = 777 << 1 | 1;
    cr_assert(logins_try(w->logins, &other, 11000), "its address has no failures");
    logins_ended(w->logins, &other, true, 11001);
    for (int i = 0; i < MANY; i++)
        logins_forget(&w->clients[i]);
    logins_free(w->logins);
}

/* Credit comes back all the time: it is for those who wait. */
Test(logins, nobody_overtakes_those_of_his_kind)
{
    struct world *w = begin();
    int64_t now = 1000;
    for (int i = 0; i < LOGINS_ADDRESS_BURST; i++) {
        cr_assert(logins_try(w->logins, &w->clients[i], now));
        logins_ended(w->logins, &w->clients[i], false, now);
    }
    cr_assert_not(logins_try(w->logins, &w->clients[1000], now));
    now += 1000 / LOGINS_ADDRESS_RATE;
    cr_assert_not(logins_try(w->logins, &w->clients[1001], now));
    logins_tick(w->logins, now);
    cr_assert_eq(w->last, &w->clients[1000]);
    cr_assert_eq(w->turns, 1);
    cr_assert(logins_try(w->logins, &w->clients[1000], now));
    logins_free(w->logins);
}

Test(logins, what_succeeds_costs_nothing)
{
    struct world *w = begin();
    for (int i = 0; i < MANY; i++) {
        w->clients[i].address = 3;
        cr_assert(logins_try(w->logins, &w->clients[i], 1000), "number %d", i);
        logins_ended(w->logins, &w->clients[i], true, 1000);
    }
    logins_free(w->logins);
}

Test(logins, those_who_wait_go_in_order_as_soon_as_there_is_room)
{
    struct world *w = begin();
    for (int i = 0; i < 200; i++)
        cr_assert_eq(logins_try(w->logins, &w->clients[i], 1000), i < LOGINS_ADDRESS_BURST);
    for (int i = 0; i < 200 - LOGINS_ADDRESS_BURST; i++) {
        logins_ended(w->logins, &w->clients[i], true, 1000);
        cr_assert_eq(w->turns, i + 1, "one comes, one goes");
        cr_assert_eq(w->last, &w->clients[LOGINS_ADDRESS_BURST + i]);
        cr_assert(logins_try(w->logins, w->last, 1000));
    }
    logins_free(w->logins);
}

Test(logins, who_leaves_is_not_waited_for)
{
    struct world *w = begin();
    for (int i = 0; i < LOGINS_ADDRESS_BURST + 2; i++)
        (void)logins_try(w->logins, &w->clients[i], 1000);
    cr_assert(login_waits(&w->clients[LOGINS_ADDRESS_BURST]));
    logins_forget(&w->clients[LOGINS_ADDRESS_BURST]);
    logins_ended(w->logins, &w->clients[0], true, 1000);
    cr_assert_eq(w->last, &w->clients[LOGINS_ADDRESS_BURST + 1]);
    logins_free(w->logins);
}
