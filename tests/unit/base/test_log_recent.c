/*
 * log_recent: the last lines are kept, in order, each with its number; what is older is gone.
 */
#include "base/log_recent.h"

#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void put(int number)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "line %d\n", number);
    log_recent_put(line, (size_t)len);
}

static void expect_next(uint64_t *number, const char *wanted)
{
    char line[LOG_LINE_MAX];
    size_t len = log_recent_next(number, line);
    cr_assert_eq(len, strlen(wanted), "%.*s instead of %s", (int)len, line, wanted);
    cr_expect_eq(memcmp(line, wanted, len), 0);
}

Test(log_recent, lines_come_in_order_without_their_ends)
{
    uint64_t number = 0;
    char line[LOG_LINE_MAX];
    cr_expect_eq(log_recent_newest(), 0);
    cr_expect_eq(log_recent_next(&number, line), 0);
    put(1);
    put(2);
    cr_expect_eq(log_recent_newest(), 2);
    expect_next(&number, "line 1");
    expect_next(&number, "line 2");
    cr_expect_eq(number, 2);
    cr_expect_eq(log_recent_next(&number, line), 0);
    put(3);
    expect_next(&number, "line 3");
}

Test(log_recent, what_is_older_is_gone)
{
    uint64_t number = 0;
    char wanted[64];
    for (int i = 1; i <= 3 * LOG_RECENT_MAX + 7; i++)
        put(i);
    for (int i = 2 * LOG_RECENT_MAX + 8; i <= 3 * LOG_RECENT_MAX + 7; i++) {
        snprintf(wanted, sizeof(wanted), "line %d", i);
        expect_next(&number, wanted);
        cr_expect_eq(number, i);
    }
    cr_expect_eq(number, log_recent_newest());
}

Test(log_recent, a_line_that_is_too_long_is_cut)
{
    static char line[2 * LOG_LINE_MAX], out[LOG_LINE_MAX];
    uint64_t number = 0;
    memset(line, 'x', sizeof(line));
    log_recent_put(line, sizeof(line));
    cr_expect_eq(log_recent_next(&number, out), LOG_LINE_MAX);
    log_recent_put("\n", 1);
    cr_expect_eq(log_recent_newest(), 1, "an empty line is none");
}

Test(log_recent, the_log_puts_its_lines_there_but_for_debug)
{
    char line[LOG_LINE_MAX];
    uint64_t number = 0;
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, "noise", "");
    log_event(LOG_WARN, "news", "a=%d", 1);
    size_t len = log_recent_next(&number, line);
    line[len] = '\0';
    cr_expect(strstr(line, " level=warn msg=\"news\" a=1"), "%s", line);
    cr_expect_eq(log_recent_newest(), 1);
}
