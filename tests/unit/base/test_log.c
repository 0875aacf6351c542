/*
 * log: one line an event, whole or visibly cut, never two lines for one event.
 */
#include "base/log.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

/* What a call writes to stderr, read back through a pipe. */
static char line[8192];
static int saved, ends[2];

static void capture(void)
{
    cr_assert_eq(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static const char *captured(void)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    cr_assert_geq(n, 0);
    line[n] = '\0';
    close(ends[0]);
    return line;
}

Test(log, a_line_has_time_level_message_and_pairs)
{
    capture();
    log_event(LOG_WARN, "master elected", "group=%s port=%d", "mymaster", 6379);
    const char *got = captured();
    cr_assert_eq(strncmp(got, "ts=20", 5), 0);
    cr_assert_str_eq(strchr(got, ' '),
                     " level=warn msg=\"master elected\" group=mymaster port=6379\n");
}

Test(log, without_pairs_there_is_no_blank_at_the_end)
{
    capture();
    log_event(LOG_INFO, "stopped", "");
    cr_assert_str_eq(strchr(captured(), ' '), " level=info msg=\"stopped\"\n");
}

Test(log, a_level_below_is_dropped)
{
    capture();
    log_set_level(LOG_ERROR);
    log_event(LOG_WARN, "nobody hears this", "");
    cr_assert_str_eq(captured(), "");
    cr_assert(!log_enabled(LOG_WARN));
    cr_assert(log_enabled(LOG_ERROR));
}

Test(log, a_long_line_is_cut_and_says_so)
{
    char text[4000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    capture();
    log_event(LOG_INFO, "long", "text=%s", text);
    const char *got = captured();
    cr_assert_str_eq(got + strlen(got) - 6, "x...\"\n");
}

Test(log, quoting_keeps_a_value_in_one_piece)
{
    char out[32], small[8];

    cr_assert_str_eq(log_quote(out, sizeof(out), "a \"b\"\\\n"), "\"a \\\"b\\\"\\\\\\n\"");
    cr_assert_str_eq(log_quote(small, sizeof(small), "123456789"), "\"12345\"");
    cr_assert_str_eq(log_quote(small, sizeof(small), "1234\"789"), "\"1234\"");
    cr_assert_str_eq(log_quote(small, 2, "x"), "");
}

Test(log, what_others_named_cannot_end_the_line)
{
    capture();
    log_event(LOG_ERROR, "resolved", "host=%s", "evil\ntime=2026 level=info\x1b[2J");
    const char *got = captured();
    cr_assert_str_eq(strstr(got, "host="), "host=\"evil\\ntime=2026 level=info\\u001b[2J\"\n");
}
