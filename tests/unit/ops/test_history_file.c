/*
 * history_file: what was written is read again, whatever else has got into the file, and nobody waits for the disk.
 */
#include "ops/history_file.h"

#include "base/clock.h"
#include "ops/history_json.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/redisproxy-history-XXXXXX";
static struct switchover found[HISTORY_MAX];

static void begin(void)
{
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void end(void)
{
    unlink(path);
}

static struct switchover number(int n)
{
    struct switchover s = {.began_ms = 1764345121000 + n,
                           .group = "mymaster",
                           .from = "127.0.0.1:6379",
                           .reason = "a failover has begun",
                           .result = n % 2 ? SWITCH_TO_OLD : SWITCH_TO_NEW,
                           .provisional = n % 3 == 0,
                           .epoch = (uint64_t)n,
                           .phase_ms = {n, 2, 3, 4},
                           .counts = {1, 2, 3, (uint64_t)n}};
    snprintf(s.to, sizeof(s.to), "[::1]:%d", n);
    return s;
}

static void expect_number(const struct switchover *got, int n)
{
    struct switchover s = number(n);
    cr_assert_eq(got->began_ms, s.began_ms);
    cr_assert_str_eq(got->group, s.group);
    cr_assert_str_eq(got->from, s.from);
    cr_assert_str_eq(got->to, s.to);
    cr_assert_str_eq(got->reason, s.reason);
    cr_assert(got->result == s.result && got->provisional == s.provisional &&
              got->epoch == s.epoch);
    cr_assert_eq(memcmp(got->phase_ms, s.phase_ms, sizeof(s.phase_ms)), 0);
    cr_assert_eq(memcmp(got->counts, s.counts, sizeof(s.counts)), 0);
}

/* Starts with the file, adds those from `from` to before `to`, and stops. Returns how many were remembered; all are in
 * `found`. */
static size_t run(int from, int to)
{
    struct history *history = history_new(1);
    struct history_file *file = history_file_start(history, path);
    size_t remembered = history_copy(history, found, HISTORY_MAX);
    for (int n = from; n < to; n++) {
        struct switchover s = number(n);
        history_add(history, 0, &s);
    }
    history_file_stop(file);
    history_free(history);
    return remembered;
}

static void append(const char *text)
{
    FILE *file = fopen(path, "a");
    fputs(text, file);
    fclose(file);
}

Test(history_file, what_was_written_is_read_again, .init = begin, .fini = end)
{
    cr_expect_eq(run(0, 3), 0);
    cr_assert_eq(run(3, 5), 3);
    cr_assert_eq(run(0, 0), 5);
    for (int n = 0; n < 5; n++)
        expect_number(&found[n], n);
}

static void add(struct history *history, int n)
{
    struct switchover s = number(n);
    history_add(history, 0, &s);
}

/* While one takes over from the other both see the same switchovers: each is there once. */
Test(history_file, of_two_processes_one_writes, .init = begin, .fini = end)
{
    struct history *old = history_new(1), *new = history_new(1);
    struct history_file *old_file = history_file_start(old, path);
    struct history_file *new_file = history_file_start(new, path);
    for (int n = 0; n < 2; n++) {
        add(new, n);
        add(old, n);
    }
    history_file_stop(new_file); /* first: so it has worked off all while the other one was there */
    history_file_stop(old_file);
    cr_assert_eq(run(0, 0), 2);
    for (int n = 0; n < 2; n++)
        expect_number(&found[n], n);
    history_free(old);
    history_free(new);
}

/* Nobody else is there any more. */
Test(history_file, who_is_left_writes, .init = begin, .fini = end)
{
    struct history *old = history_new(1), *new = history_new(1);
    struct history_file *old_file = history_file_start(old, path);
    struct history_file *new_file = history_file_start(new, path);
    add(old, 0);
    history_file_stop(old_file);
    add(new, 1);
    history_file_stop(new_file);
    cr_assert_eq(run(0, 0), 2);
    expect_number(&found[1], 1);
    history_free(old);
    history_free(new);
}

/* The file is moved away while it is open: a new one is made, and is written by the same process. */
Test(history_file, one_that_was_moved_away, .init = begin, .fini = end)
{
    char away[80];
    struct history *history = history_new(1);
    snprintf(away, sizeof(away), "%s.1", path);
    struct history_file *file = history_file_start(history, path);
    cr_assert_eq(rename(path, away), 0);
    add(history, 3);
    history_file_stop(file);
    cr_assert_eq(run(0, 0), 1);
    expect_number(&found[0], 3);
    unlink(away);
    history_free(history);
}

Test(history_file, the_last_hundred_of_a_long_file, .init = begin, .fini = end)
{
    for (int n = 0; n < 3 * HISTORY_MAX; n++) {
        struct switchover s = number(n);
        char *text = history_to_text(&s);
        append(text);
        append("\n");
        free(text);
    }
    cr_assert_eq(run(0, 0), HISTORY_MAX);
    for (int n = 0; n < HISTORY_MAX; n++)
        expect_number(&found[n], 2 * HISTORY_MAX + n);
}

Test(history_file, what_is_no_switchover_is_passed_over, .init = begin, .fini = end)
{
    (void)run(7, 8);
    append("{\n}\n\n[]\nnull\n{\"ts\":\"2026-11-28T16:52:01.123Z\"}\n\"\xff\"\n");
    append("{\"ts\":\"2026-11-28T16:52:0");
    (void)run(8, 9); /* on a line of its own */
    cr_assert_eq(run(0, 0), 2);
    expect_number(&found[0], 7);
    expect_number(&found[1], 8);
}

/* Each value of a good line is replaced by others, and each byte. */
Test(history_file, hostile_lines, .timeout = 60)
{
    static const char *const values[] = {
        "-1",   "1e300", "1e-9", "null",        "\"\"",
        "true", "[]",    "{}",   "\"\\u0000\"", "9007199254740993"};
    struct switchover s = number(1), out;
    char *text = history_to_text(&s);
    for (const char *at = text; (at = strchr(at, ':')); at++) {
        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
            char line[2048];
            const char *rest = at + 1 + strcspn(at + 1, ",}");
            int len =
                snprintf(line, sizeof(line), "%.*s:%s%s", (int)(at - text), text, values[i], rest);
            if (history_from_text(line, (size_t)len, &out))
                cr_expect(switchover_held_ms(&out) >= 0 && out.began_ms >= 0, "%s", line);
        }
    }
    srand(1);
    for (int i = 0; i < 20000; i++) {
        char line[2048];
        size_t len = strlen(text);
        memcpy(line, text, len);
        for (int k = rand() % 4; k >= 0; k--)
            line[(size_t)rand() % len] = (char)rand();
        len = i % 3 ? len : (size_t)rand() % len;
        if (history_from_text(line, len, &out))
            cr_expect_geq(switchover_held_ms(&out), 0);
    }
    free(text);
}

Test(history_file, texts_that_are_too_long_are_cut_and_odd_ones_stay_json)
{
    struct switchover s = number(1), out;
    memset(s.group, '\xff', sizeof(s.group) - 1);
    char *text = history_to_text(&s);
    cr_assert(history_from_text(text, strlen(text), &out));
    cr_expect_eq(strlen(out.group), sizeof(s.group) - 1);
    cr_expect_eq(out.group[0], '?');
    free(text);
}

/* No reader: an open that waited would wait for ever. */
Test(history_file, a_pipe_is_no_file, .init = begin, .fini = end, .timeout = 20)
{
    unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    int64_t before = clock_ms();
    cr_expect_eq(run(0, 2), 0);
    cr_expect_lt(clock_ms() - before, 5000);
}

Test(history_file, a_folder_that_is_not_there_is_told_and_that_is_all)
{
    struct history *history = history_new(1);
    struct history_file *file = history_file_start(history, "/nowhere/at/all");
    struct switchover s = number(0);
    history_add(history, 0, &s);
    history_file_stop(file);
    cr_expect_eq(history_copy(history, found, HISTORY_MAX), 1);
    history_free(history);
}

Test(history_file, others_may_not_read_it, .init = begin, .fini = end)
{
    struct stat info;
    unlink(path);
    (void)run(0, 1);
    cr_assert_eq(stat(path, &info), 0);
    cr_expect_eq(info.st_mode & 0137, 0);
}
