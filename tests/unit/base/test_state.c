/*
 * state: a table of transitions lets through what it has, and ends the program, loudly, at anything else.
 */
#include "base/state.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IDLE, OPEN, CLOSED };

static const struct state_row rows[] = {
    [IDLE] = {"idle", STATE_BIT(OPEN)},
    [OPEN] = {"open", STATE_BIT(OPEN) | STATE_BIT(CLOSED)},
    [CLOSED] = {"closed", 0},
};
static const struct state_table table = STATE_TABLE("door", rows);

Test(state, what_the_table_has_is_let_through)
{
    state_check(&table, IDLE, OPEN);
    state_check(&table, OPEN, OPEN);
    state_check(&table, OPEN, CLOSED);
    cr_assert_str_eq(state_name(&table, CLOSED), "closed");
    cr_assert_str_eq(state_name(&table, 3), "?");
}

/* Returns what a process says on stderr that makes this transition, and dies of it. */
static void dies(unsigned from, unsigned to, char *said, size_t size)
{
    int ends[2], status = 0;
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        state_check(&table, from, to);
        _exit(0);
    }
    close(ends[1]);
    ssize_t len = read(ends[0], said, size - 1);
    said[len > 0 ? len : 0] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "it lived on: %s", said);
}

Test(state, anything_else_names_both_states_and_aborts)
{
    char said[500];
    dies(IDLE, CLOSED, said, sizeof(said));
    cr_assert_not_null(strstr(said, "level=error"), "%s", said);
    cr_assert_not_null(strstr(said, "machine=door from=idle to=closed"), "%s", said);
    dies(IDLE, IDLE, said, sizeof(said));
    cr_assert_not_null(strstr(said, "from=idle to=idle"), "%s", said);
    dies(CLOSED, OPEN, said, sizeof(said));
    cr_assert_not_null(strstr(said, "from=closed to=open"), "%s", said);
}

Test(state, a_number_that_is_no_state_aborts_too)
{
    char said[500];
    dies(OPEN, 3, said, sizeof(said));
    cr_assert_not_null(strstr(said, "from=open to=?"), "%s", said);
    dies(77, OPEN, said, sizeof(said));
    cr_assert_not_null(strstr(said, "from=? to=open"), "%s", said);
}
