/*
 * history: the last hundred, in order, whoever reads meanwhile; and summaries: what a switchover cost is counted from
 * before the first trouble until all workers have carried out its end.
 */
#include "topology/history.h"

#include "topology/summaries.h"
#include "topology/topology.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct switchover number(int64_t n)
{
    return (struct switchover){.began_ms = n, .phase_ms = {1, 2, 3, 4}, .result = SWITCH_TO_NEW};
}

Test(history, the_last_hundred_stay_in_order)
{
    static struct switchover out[HISTORY_MAX];
    struct history *history = history_new(1);
    for (int64_t i = 0; i < 3; i++) {
        struct switchover s = number(i);
        history_remember(history, &s);
    }
    for (int64_t i = 3; i < HISTORY_MAX + 7; i++) {
        struct switchover s = number(i);
        history_add(history, 0, &s);
    }
    cr_assert_eq(history_copy(history, out, HISTORY_MAX), HISTORY_MAX);
    for (int i = 0; i < HISTORY_MAX; i++)
        cr_assert_eq(out[i].began_ms, i + 7);
    cr_assert_eq(history_copy(history, out, 2), 2);
    uint64_t newest = 0;
    cr_assert_eq(history_read(history, out, 2, &newest), 2);
    cr_expect_eq(newest, HISTORY_MAX + 7, "remembered ones are numbered, too");
    cr_expect_eq(out[0].began_ms, HISTORY_MAX + 5);
    cr_expect_eq(out[1].began_ms, HISTORY_MAX + 6);
    history_free(history);
}

Test(history, totals_are_of_this_process_and_this_group)
{
    struct history *history = history_new(2);
    struct history_totals totals;
    struct switchover s = number(1);
    history_remember(history, &s);
    history_add(history, 1, &s);
    s.result = SWITCH_TO_OLD;
    history_add(history, 1, &s);
    history_totals(history, 0, &totals);
    cr_expect_eq(totals.results[SWITCH_TO_NEW], 0);
    history_totals(history, 1, &totals);
    cr_expect_eq(totals.results[SWITCH_TO_NEW], 1);
    cr_expect_eq(totals.results[SWITCH_TO_OLD], 1);
    cr_expect_eq(totals.phase_ms[PHASE_RELEASE], 8);
    cr_expect_eq(switchover_held_ms(&s), 10);
    history_free(history);
}

static void *adds(void *arg)
{
    for (int64_t i = 0; i < 2000; i++) {
        struct switchover s = number(i);
        history_add(arg, 0, &s);
    }
    return NULL;
}

Test(history, a_copy_is_of_one_moment)
{
    static struct switchover out[HISTORY_MAX];
    struct history *history = history_new(1);
    pthread_t thread;
    pthread_create(&thread, NULL, adds, history);
    for (int times = 0; times < 500; times++) {
        size_t n = history_copy(history, out, HISTORY_MAX);
        for (size_t i = 1; i < n; i++)
            cr_assert_eq(out[i].began_ms, out[i - 1].began_ms + 1);
    }
    pthread_join(thread, NULL);
    history_free(history);
}

/* ---- summaries ---- */

static struct board *board;
static uint64_t counted[SWITCH_COUNTS];
static struct summaries *summaries;
static size_t worker;

static void nothing(void *arg)
{
    (void)arg;
}

static void read_counted(const void *data, size_t group, uint64_t out[SWITCH_COUNTS])
{
    cr_assert_eq(group, 0);
    memcpy(out, data, sizeof(counted));
}

static void begin(void)
{
    board = board_new(1);
    worker = board_subscribe(board, nothing, NULL);
    board_count_from(board, read_counted, counted);
    summaries = summaries_new(board, 1);
}

static void end(void)
{
    summaries_free(summaries);
    board_unsubscribe(board, nothing, NULL);
    board_free(board);
}

static void count(enum switch_count what, int times)
{
    counted[what] += (uint64_t)times;
}

static void note(enum group_state state, int64_t now_ms)
{
    struct topology_node node = {.id = 1};
    struct topology_group group = {
        .state = state, .master = 0, .writable = state == GROUP_STEADY, .nodes = &node};
    struct topology shown = {.group_count = 1, .groups = &group};
    summaries_note(summaries, &shown, now_ms);
}

static struct switchover last(void)
{
    struct switchover s = {0};
    cr_assert_eq(history_copy(board_history(board), &s, 1), 1);
    return s;
}

Test(summaries, trouble_before_the_hold_counts_and_older_things_do_not, .init = begin, .fini = end)
{
    struct switchover s = number(1100);
    count(SWITCH_REFUSED, 5);
    note(GROUP_STEADY, 1000);
    note(GROUP_STEADY, 2000);
    count(SWITCH_UNKNOWN, 2); /* the master has just died, and is not known to have */
    note(GROUP_STEADY, 3000);
    count(SWITCH_HELD, 7);
    note(GROUP_SWITCHING, 4000);
    summaries_ended(summaries, 0, &s, 5000);
    summaries_published(summaries, 9);
    cr_expect(summaries_settle(summaries, 5010), "a worker has not carried it out yet");
    count(SWITCH_RETRIED, 3);
    board_acknowledge(board, worker, 9);
    cr_expect(!summaries_settle(summaries, 5020));
    s = last();
    cr_expect_eq(s.counts[SWITCH_REFUSED], 0);
    cr_expect_eq(s.counts[SWITCH_UNKNOWN], 2);
    cr_expect_eq(s.counts[SWITCH_HELD], 7);
    cr_expect_eq(s.counts[SWITCH_RETRIED], 3);
}

Test(summaries, a_worker_that_stands_still_is_not_waited_for, .init = begin, .fini = end)
{
    struct switchover s = number(0);
    note(GROUP_STEADY, 1000);
    summaries_ended(summaries, 0, &s, 5000);
    summaries_published(summaries, 9);
    cr_expect(summaries_settle(summaries, 5000 + SUMMARY_WAIT_MS - 1));
    cr_expect(!summaries_settle(summaries, 5000 + SUMMARY_WAIT_MS));
    (void)last();
}

Test(summaries, the_next_one_begins_where_the_last_one_ended, .init = begin, .fini = end)
{
    struct switchover s = number(0);
    note(GROUP_STEADY, 1000);
    count(SWITCH_HELD, 4);
    summaries_ended(summaries, 0, &s, 2000);
    cr_expect(!summaries_settle(summaries, 4000));
    cr_expect_eq(last().counts[SWITCH_HELD], 4);
    count(SWITCH_HELD, 1);
    summaries_ended(summaries, 0, &s, 4500);
    cr_expect(!summaries_settle(summaries, 6000));
    cr_expect_eq(last().counts[SWITCH_HELD], 1);
}
