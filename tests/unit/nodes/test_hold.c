/*
 * hold: who waits keeps the order in which it began to, and the counters say
 * what all of them hold, and held at most.
 */
#include "nodes/hold.h"

#include <criterion/criterion.h>

struct waiting {
    struct held_total all;
    struct hold hold;
    struct held held[4];
};

static void begin(struct waiting *w, size_t limit)
{
    w->all = (struct held_total){0};
    hold_init(&w->hold, &w->all, limit, 20000);
    for (int i = 0; i < 4; i++)
        held_init(&w->held[i]);
}

/* The waiting ones as digits, in order. */
static int order(struct waiting *w)
{
    int digits = 0;

    list_each (it, &w->hold.sessions) {
        digits = digits * 10 + (int)(container_of(it, struct held, in_hold) - w->held) + 1;
    }
    return digits;
}

Test(hold, keeps_the_order_of_arrival)
{
    struct waiting w;

    begin(&w, 1000);
    cr_assert_eq(w.hold.timeout_ms, 20000);
    hold_enter(&w.hold, &w.held[2], 1, 10);
    hold_enter(&w.hold, &w.held[0], 1, 20);
    hold_enter(&w.hold, &w.held[1], 1, 30);
    cr_assert_eq(order(&w), 312);
    hold_grow(&w.held[2], 100); /* growing does not move it */
    cr_assert_eq(order(&w), 312);
    hold_leave(&w.held[0]);
    cr_assert_eq(order(&w), 32);
    hold_enter(&w.hold, &w.held[0], 1, 40); /* coming back does */
    cr_assert_eq(order(&w), 321);
}

Test(hold, counts_bytes_and_sessions)
{
    struct waiting w;

    begin(&w, 1000);
    hold_enter(&w.hold, &w.held[0], 300, 10);
    hold_enter(&w.hold, &w.held[1], 0, 20);
    hold_grow(&w.held[1], 50);
    cr_assert_eq(w.hold.bytes, 350);
    cr_assert_eq(w.held[1].bytes, 50);
    hold_shrink(&w.held[0], 100);
    cr_assert_eq(w.hold.bytes, 250);
    cr_assert_eq(w.hold.count, 2);
    hold_leave(&w.held[0]);
    cr_assert_eq(w.hold.bytes, 50);
    cr_assert_eq(w.hold.count, 1);
    cr_assert_eq(w.held[0].bytes, 0);
    hold_leave(&w.held[1]);
    cr_assert_eq(w.hold.bytes, 0);
    cr_assert_eq(w.hold.count, 0);
}

Test(hold, remembers_the_peak_and_since_when)
{
    struct waiting w;

    begin(&w, 1000);
    hold_enter(&w.hold, &w.held[0], 300, 10);
    hold_enter(&w.hold, &w.held[1], 200, 20);
    hold_leave(&w.held[0]);
    hold_leave(&w.held[1]);
    hold_enter(&w.hold, &w.held[2], 100, 30); /* the same hold, until somebody starts a new one */
    cr_assert_eq(w.hold.since_ms, 10);
    cr_assert_eq(w.hold.peak_count, 2);
    cr_assert_eq(w.hold.peak_bytes, 500);
    hold_leave(&w.held[2]);
    w.hold.since_ms = 0;
    hold_enter(&w.hold, &w.held[2], 100, 40);
    cr_assert_eq(w.hold.since_ms, 40);
}

/* One that waits never has more than is left for the others. */
Test(hold, one_has_no_more_than_is_still_free)
{
    struct waiting w;

    begin(&w, 1000);
    hold_enter(&w.hold, &w.held[0], 0, 10);
    cr_assert(hold_has_room(&w.held[0], 500));
    cr_assert_not(hold_has_room(&w.held[0], 501));
    hold_grow(&w.held[0], 500);
    cr_assert_not(hold_has_room(&w.held[0], 1));
    hold_enter(&w.hold, &w.held[1], 0, 10);
    cr_assert(hold_has_room(&w.held[1], 250));
    cr_assert_not(hold_has_room(&w.held[1], 251));
    hold_grow(&w.held[1], 250);
    hold_enter(&w.hold, &w.held[2], 0, 10);
    cr_assert(hold_has_room(&w.held[2], 125));
    cr_assert_not(hold_has_room(&w.held[2], 126));
    hold_leave(&w.held[0]);
    cr_assert(hold_has_room(&w.held[2], 375));
    cr_assert_not(hold_has_room(&w.held[2], 751));
    cr_assert_not(hold_has_room(&w.held[2], SIZE_MAX / 2));
}

/* A quarter for all of them, and 64 KB for each. */
Test(hold, those_that_have_yet_to_log_in_have_little)
{
    enum { KB = 1024, ALL = 800 * KB };
    struct waiting w;

    begin(&w, ALL);
    for (int i = 0; i < 4; i++) {
        w.held[i].outside = true;
        hold_enter(&w.hold, &w.held[i], 0, 10);
        cr_assert_not(hold_has_room(&w.held[i], 64 * KB + 1));
        cr_assert_eq(hold_has_room(&w.held[i], 64 * KB), i < 3, "number %d", i);
        if (i < 3)
            hold_grow(&w.held[i], 64 * KB);
    }
    cr_assert(hold_has_room(&w.held[3], 8 * KB));
    cr_assert_not(hold_has_room(&w.held[3], 8 * KB + 1));
    hold_leave(&w.held[3]);
    w.held[3].outside = false;
    hold_enter(&w.hold, &w.held[3], 0, 10);
    cr_assert(hold_has_room(&w.held[3], 300 * KB), "it has logged in");
    for (int i = 0; i < 4; i++)
        hold_leave(&w.held[i]);
    cr_assert_eq(w.all.bytes, 0);
    cr_assert_eq(w.all.outside_bytes, 0);
}

Test(hold, leaving_twice_is_harmless)
{
    struct waiting w;

    begin(&w, 1000);
    cr_assert_not(hold_waits(&w.held[0]));
    hold_leave(&w.held[0]);
    hold_enter(&w.hold, &w.held[0], 7, 10);
    hold_enter(&w.hold, &w.held[1], 9, 10);
    cr_assert(hold_waits(&w.held[0]));
    hold_leave(&w.held[0]);
    hold_leave(&w.held[0]);
    cr_assert_not(hold_waits(&w.held[0]));
    cr_assert_eq(w.hold.bytes, 9);
    cr_assert_eq(w.hold.count, 1);
}

/* Two workers' holds. */
Test(hold, the_limit_is_of_all_workers)
{
    struct waiting w;
    struct hold other;

    begin(&w, 100);
    hold_init(&other, &w.all, 100, 20000);
    hold_enter(&w.hold, &w.held[0], 60, 1);
    hold_enter(&other, &w.held[1], 0, 1);
    cr_assert(hold_has_room(&w.held[1], 20));
    cr_assert_not(hold_has_room(&w.held[1], 21));
    hold_grow(&w.held[1], 40);
    hold_enter(&w.hold, &w.held[2], 0, 1);
    cr_assert_not(hold_has_room(&w.held[2], 1));
    cr_assert_eq(w.hold.bytes, 60);
    hold_shrink(&w.held[0], 10);
    cr_assert(hold_has_room(&w.held[2], 5));
    for (int i = 0; i < 3; i++)
        hold_leave(&w.held[i]);
    cr_assert_eq(w.all.bytes, 0);
}
