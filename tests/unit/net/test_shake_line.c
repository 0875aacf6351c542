/* shake_line: who waits in line for a handshake, who does not, and what the waiting costs them. */
#include "net/shake_line.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MANY = 5 };

/* So long that the share of the others is plain. */
#define LONG_STEP_NS ((uint64_t)250 * 1000 * 1000)

struct peer {
    struct shaker shaker;
    uv_idle_t idle;
    char name;
    bool asks_again;
};

static uv_loop_t loop;
static struct peer peers[MANY];
static char said[32];

static void say(const struct shaker *shaker)
{
    said[strlen(said)] = container_of(shaker, struct peer, shaker)->name;
}

static void on_turn(struct shaker *shaker)
{
    say(shaker);
    shake_line_took(100);
}

static void on_timeout(struct shaker *shaker)
{
    strcat(said, "!");
    say(shaker);
}

static void open_peers(int64_t timeout_ms)
{
    cr_assert_eq(uv_loop_init(&loop), 0);
    for (int i = 0; i < MANY; i++) {
        peers[i].name = (char)('a' + i);
        uv_idle_init(&loop, &peers[i].idle);
        shake_line_init(&peers[i].shaker, &peers[i].idle, timeout_ms, on_turn, on_timeout);
    }
}

static void close_peers(void)
{
    for (int i = 0; i < MANY; i++) {
        shake_line_leave(&peers[i].shaker);
        uv_close((uv_handle_t *)&peers[i].shaker.timer, NULL);
        uv_close((uv_handle_t *)&peers[i].idle, NULL);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

static void keep_serving(uv_idle_t *idle)
{
    (void)idle;
    shake_line_serves_others();
}

/* A step has taken long, and since then somebody else was served. */
static void fall_into_debt(void)
{
    shake_line_took(LONG_STEP_NS);
    shake_line_serves_others();
}

Test(shake_line, with_nothing_else_to_do_handshakes_go_on_at_once)
{
    open_peers(0);
    shake_line_took(LONG_STEP_NS);
    cr_expect(shake_line_ask(&peers[0].shaker));
    close_peers();
}

Test(shake_line, one_that_comes_now_and_then_does_not_wait)
{
    open_peers(0);
    shake_line_serves_others();
    cr_expect(shake_line_ask(&peers[0].shaker));
    close_peers();
}

Test(shake_line, as_long_as_others_are_served_they_wait_for_their_share)
{
    uv_idle_t idle;
    uint64_t begun = uv_hrtime();
    open_peers(0);
    uv_idle_init(&loop, &idle);
    uv_idle_start(&idle, keep_serving);
    fall_into_debt();
    cr_expect_not(shake_line_ask(&peers[0].shaker));
    while (!*said)
        uv_run(&loop, UV_RUN_ONCE);
    cr_expect_geq(uv_hrtime() - begun, LONG_STEP_NS - 1000000, "after %g ms",
                  (double)(uv_hrtime() - begun) / 1e6);
    uv_close((uv_handle_t *)&idle, NULL);
    close_peers();
}

Test(shake_line, in_the_order_in_which_they_came)
{
    open_peers(0);
    fall_into_debt();
    for (int i = 0; i < MANY; i++)
        cr_expect_not(shake_line_ask(&peers[i].shaker));
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_str_eq(said, "abcde");
    close_peers();
}

Test(shake_line, who_comes_while_others_wait_does_not_overtake_them)
{
    open_peers(0);
    fall_into_debt();
    cr_expect_not(shake_line_ask(&peers[1].shaker));
    cr_expect_not(shake_line_ask(&peers[0].shaker));
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_str_eq(said, "ba");
    close_peers();
}

Test(shake_line, who_leaves_gives_the_turn_to_the_next)
{
    open_peers(0);
    fall_into_debt();
    for (int i = 0; i < 3; i++)
        cr_expect_not(shake_line_ask(&peers[i].shaker));
    shake_line_leave(&peers[0].shaker);
    shake_line_leave(&peers[0].shaker);
    shake_line_leave(&peers[1].shaker);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_str_eq(said, "c");
    close_peers();
}

/* A peer that says nothing has a timeout; one that waits for us does not use it up. */
Test(shake_line, waiting_in_line_is_not_counted_against_the_timeout)
{
    uv_idle_t idle;
    open_peers(100);
    uv_idle_init(&loop, &idle);
    uv_idle_start(&idle, keep_serving);
    fall_into_debt();
    cr_expect_not(shake_line_ask(&peers[0].shaker));
    while (!strchr(said, 'a'))
        uv_run(&loop, UV_RUN_ONCE);
    cr_expect_eq(said[strlen(said) - 1], 'a', "%s", said);
    cr_expect_eq(strstr(said, "!a"), NULL, "%s", said);
    cr_expect_not_null(strstr(said, "!b"), "who does not wait in line has timed out: %s", said);
    uv_close((uv_handle_t *)&idle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_not_null(strstr(said, "!a"), "afterwards the rest of it counts: %s", said);
    close_peers();
}

/* Many that may all go on do not keep the thread to themselves: between two steps that take long it looks after the others. */
static int turns;

static void count_turn(uv_check_t *check)
{
    (void)check;
    turns += strlen(said) < MANY;
}

static void on_long_turn(struct shaker *shaker)
{
    uint64_t begun = uv_hrtime();
    while (uv_hrtime() - begun < 1000000)
        ;
    on_turn(shaker);
}

Test(shake_line, between_two_long_steps_the_loop_looks_after_the_others)
{
    uv_check_t check;
    open_peers(0);
    uv_check_init(&loop, &check);
    uv_check_start(&check, count_turn);
    uv_unref((uv_handle_t *)&check);
    fall_into_debt();
    for (int i = 0; i < MANY; i++) {
        peers[i].shaker.go_on = on_long_turn;
        cr_expect_not(shake_line_ask(&peers[i].shaker));
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_str_eq(said, "abcde");
    cr_expect_geq(turns, MANY - 1, "%d turns", turns);
    uv_close((uv_handle_t *)&check, NULL);
    close_peers();
}
