/*
 * log_limit: a burst of each kind, then so many a second, and what was left out is counted.
 */
#include "base/log_limit.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct log_limit limit;

/* How many of `lines` lines of a kind are let through at one moment. */
static int admitted(const char *msg, int lines, int64_t now)
{
    int good = 0;
    for (int i = 0; i < lines; i++)
        good += log_limit_admits(&limit, msg, now);
    return good;
}

Test(log_limit, a_burst_then_so_many_a_second)
{
    cr_expect_eq(admitted("noise", 1000, 5000), LOG_LIMIT_BURST);
    cr_expect_eq(admitted("noise", 1000, 5500), LOG_LIMIT_RATE / 2);
    cr_expect_eq(admitted("noise", 1000, 6500), LOG_LIMIT_RATE);
    cr_expect_eq(admitted("noise", 1000, 6500 + 3600000), LOG_LIMIT_BURST);
}

Test(log_limit, a_second_is_not_lost_in_small_steps)
{
    int good = 0;
    admitted("noise", LOG_LIMIT_BURST, 0);
    for (int64_t now = 1; now <= 10000; now++)
        good += log_limit_admits(&limit, "noise", now);
    cr_expect(good >= 10 * LOG_LIMIT_RATE - 1 && good <= 10 * LOG_LIMIT_RATE, "%d", good);
}

Test(log_limit, one_kind_does_not_silence_another)
{
    admitted("noise", 1000, 0);
    cr_expect_eq(admitted("a node is gone", 1, 0), 1);
}

Test(log_limit, what_was_left_out_is_told_once)
{
    admitted("noise", LOG_LIMIT_BURST + 7, 0);
    struct log_kind *kind = log_limit_left_out(&limit);
    cr_assert_not_null(kind);
    cr_expect_str_eq(kind->text, "noise");
    cr_expect_eq(kind->left_out, 7);
    log_limit_told(&limit, kind);
    cr_expect_null(log_limit_left_out(&limit));
}

Test(log_limit, more_kinds_than_places_share_the_last_one)
{
    char text[32];
    for (int i = 0; i < 2 * LOG_LIMIT_KINDS; i++) {
        snprintf(text, sizeof(text), "kind %d", i);
        admitted(text, 1, 0);
    }
    cr_expect_eq(admitted("kind 0", 1000, 0), LOG_LIMIT_BURST - 1);
    cr_expect_lt(admitted("one more", 1000, 0), LOG_LIMIT_BURST);
    struct log_kind *first = log_limit_left_out(&limit);
    log_limit_told(&limit, first);
    cr_expect_str_eq(log_limit_left_out(&limit)->text, "any other");
}
