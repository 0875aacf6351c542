/*
 * log_queue: with a writer, nobody waits for who reads the log; what is not written is counted; and the last
 * lines before the end, whichever it is, are written if somebody reads.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, LINES = 400 };

static int saved, ends[2];

/* Stderr is a pipe from now on; its reading end does not wait. */
static void capture(void)
{
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
}

static void restore(void)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
}

/* What is in the pipe, to be freed. */
static char *read_all(void)
{
    size_t size = (size_t)1 << 20, len = 0;
    char *text = malloc(size);
    ssize_t n;
    while (len < size - 1 && (n = read(ends[0], text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return text;
}

static int count(const char *text, const char *what)
{
    int found = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        found++;
    return found;
}

/* The sum of the numbers behind `key` in all lines with `what`. */
static long sum_of(const char *text, const char *what, const char *key)
{
    long sum = 0;
    for (const char *at = text; (at = strstr(at, what)) && (at = strstr(at, key));)
        sum += atol(at + strlen(key));
    return sum;
}

Test(log_queue, lines_come_in_order_and_the_last_is_written_at_the_end)
{
    capture();
    log_start();
    for (int i = 0; i < LOG_LIMIT_BURST; i++)
        log_event(LOG_INFO, "tick", "n=%d", i);
    log_event(LOG_INFO, "the last", "");
    log_stop();
    log_event(LOG_INFO, "directly", "");
    restore();
    char *text = read_all(), *at = text, wanted[32];
    for (int i = 0; i < LOG_LIMIT_BURST; i++) {
        snprintf(wanted, sizeof(wanted), " n=%d\n", i);
        cr_assert_not_null(at = strstr(at, wanted), "%s in\n%s", wanted, text);
    }
    cr_expect_not_null(at = strstr(at, "the last"));
    cr_expect_not_null(strstr(at, "directly"));
    free(text);
}

static void *chatter(void *arg)
{
    char filler[200] = "";
    memset(filler, 'x', sizeof(filler) - 1);
    for (int i = 0; i < LINES; i++)
        log_event(LOG_DEBUG, "chatter", "thread=%d n=%d filler=%s", *(int *)arg, i, filler);
    return NULL;
}

static void chatter_of_all(void)
{
    static int numbers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, chatter, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* 400 KB into a pipe of 64 KB and a queue of 256 KB: without a queue the first thread would stand for ever. */
Test(log_queue, nobody_waits_for_who_reads_and_what_has_no_room_is_counted, .timeout = 20)
{
    log_set_level(LOG_DEBUG);
    capture();
    log_start();
    chatter_of_all();
    int64_t before = clock_ms();
    log_stop();
    cr_expect_lt(clock_ms() - before, 5000);
    unsigned long long dropped = log_dropped(LOG_DROP_QUEUE);
    cr_expect_gt(dropped, 0);
    /* Somebody reads again: all the rest comes, and the count. */
    long told = 0;
    int there = 0;
    for (int i = 0; told < (long)dropped && i < 1000; i++, usleep(10000)) {
        char *text = read_all();
        there += count(text, "chatter");
        told += sum_of(text, "lines of the log were dropped", "count=");
        free(text);
    }
    log_stop();
    restore();
    cr_expect_eq(told, (long)dropped);
    cr_expect_eq(there, THREADS * LINES - (int)dropped);
}

static long long told_left_out(const char *text)
{
    return sum_of(text, "lines of one kind were left out", "of=\"noise\" count=");
}

Test(log_queue, a_flood_of_one_kind_is_a_burst_and_a_count)
{
    capture();
    log_start();
    int64_t before = clock_ms();
    for (int i = 0; i < 10000; i++)
        log_event(LOG_WARN, "noise", "n=%d", i);
    int64_t seconds = (clock_ms() - before) / 1000 + 1;
    log_event(LOG_INFO, "something else", "");
    log_stop();
    restore();
    char *text = read_all();
    cr_expect_geq(count(text, "msg=\"noise\""), LOG_LIMIT_BURST);
    cr_expect_leq(count(text, "msg=\"noise\""), LOG_LIMIT_BURST + seconds * LOG_LIMIT_RATE);
    cr_expect_not_null(strstr(text, "something else"));
    cr_expect_eq(log_dropped(LOG_DROP_KIND), 10000 - (unsigned)count(text, "msg=\"noise\""));
    cr_expect_eq(told_left_out(text), (long long)log_dropped(LOG_DROP_KIND));
    cr_expect_eq(log_dropped(LOG_DROP_QUEUE), 0);
    free(text);
}

Test(log_queue, the_count_comes_without_a_further_line, .timeout = 20)
{
    capture();
    log_start();
    for (int i = 0; i < LOG_LIMIT_BURST + 50; i++)
        log_event(LOG_WARN, "noise", "");
    bool told = false;
    for (int i = 0; !told && i < 1000; i++, usleep(10000)) {
        char *text = read_all();
        told = told_left_out(text) > 0;
        free(text);
    }
    log_stop();
    restore();
    cr_expect(told);
}

/* Nobody is there any more: the writer does not spin over its own lines about that. */
Test(log_queue, a_stderr_that_is_gone_is_counted, .timeout = 20)
{
    signal(SIGPIPE, SIG_IGN);
    capture();
    close(ends[0]);
    log_start();
    for (int i = 0; i < 10; i++)
        log_event(LOG_INFO, "nobody hears this", "");
    log_stop();
    restore();
    cr_expect_eq(log_dropped(LOG_DROP_QUEUE), 10);
}

/* Runs `dies` in a process of its own. Returns how it ended. */
static int of_a_process(void (*dies)(void))
{
    int status = 0;
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        log_start();
        dies();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

static void aborts(void)
{
    for (int i = 0; i < 20; i++)
        log_event(LOG_ERROR, "a reason", "n=%d", i);
    abort();
}

Test(log_queue, a_process_that_aborts_says_why, .timeout = 20)
{
    capture();
    int status = of_a_process(aborts);
    restore();
    char *text = read_all();
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cr_expect_eq(count(text, "a reason"), 20, "%s", text);
    free(text);
}

static void is_aborted(void)
{
    log_event(LOG_ERROR, "a reason", "");
    kill(getpid(), SIGABRT);
}

Test(log_queue, one_that_is_aborted_from_outside_ends_too, .timeout = 20)
{
    capture();
    int status = of_a_process(is_aborted);
    restore();
    char *text = read_all();
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cr_expect_eq(count(text, "a reason"), 1);
    free(text);
}

static void aborts_unread(void)
{
    char filler[1500] = "";
    memset(filler, 'x', sizeof(filler) - 1);
    log_set_level(LOG_DEBUG);
    for (int i = 0; i < 100; i++)
        log_event(LOG_ERROR, "a reason", "filler=%s", filler);
    abort();
}

Test(log_queue, an_abort_does_not_wait_for_ever, .timeout = 20)
{
    capture();
    int status = of_a_process(aborts_unread);
    restore();
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
