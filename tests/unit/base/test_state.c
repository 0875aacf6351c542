/*
 * state: a table of transitions lets through what it has, and ends the program, loudly, at anything else.
 */
#include "base/state.h"
#include "unit/dies.h"

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

struct move {
    unsigned from, to;
};

static void check(void *with)
{
    const struct move *move = with;
    state_check(&table, move->from, move->to);
}

/* Returns what a process says on stderr that makes this transition, and dies of it. */
static const char *dies(unsigned from, unsigned to)
{
    struct move move = {from, to};
    return said_dying(check, &move);
}

Test(state, anything_else_names_both_states_and_aborts)
{
    const char *said = dies(IDLE, CLOSED);
    cr_assert_not_null(strstr(said, "level=error"), "%s", said);
    cr_assert_not_null(strstr(said, "machine=door from=idle to=closed"), "%s", said);
    said = dies(IDLE, IDLE);
    cr_assert_not_null(strstr(said, "from=idle to=idle"), "%s", said);
    said = dies(CLOSED, OPEN);
    cr_assert_not_null(strstr(said, "from=closed to=open"), "%s", said);
}

Test(state, a_number_that_is_no_state_aborts_too)
{
    const char *said = dies(OPEN, 3);
    cr_assert_not_null(strstr(said, "from=open to=?"), "%s", said);
    said = dies(77, OPEN);
    cr_assert_not_null(strstr(said, "from=? to=open"), "%s", said);
}
