/*
 * barrier: one at most stands, and only who it stands for lowers it.
 */
#include "session/barrier.h"
#include "unit/dies.h"

/* Nobody looks into these. */
static char requests[2];
#define REQUEST(i) ((struct session_request *)(void *)&requests[i])

static const enum barrier_kind kinds[] = {BARRIER_LOGIN, BARRIER_BLOCKED, BARRIER_COPIES,
                                          BARRIER_LEARNING, BARRIER_QUESTION};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct raising {
    struct barrier *barrier;
    enum barrier_kind kind;
    struct session_request *request;
};

static void raise_it(void *with)
{
    struct raising *raising = with;
    barrier_raise(raising->barrier, raising->kind, raising->request);
}

/* Raising this aborts; returns what it says. */
static const char *must_not(struct barrier *barrier, enum barrier_kind kind,
                            struct session_request *request)
{
    return said_dying(raise_it, &(struct raising){barrier, kind, request});
}

Test(barrier, none_stands_in_the_beginning)
{
    struct barrier barrier = {0};
    cr_assert_not(barrier_stands(&barrier));
    for (size_t i = 0; i < KINDS; i++)
        cr_assert_null(barrier_of(&barrier, kinds[i]));
}

Test(barrier, a_raised_one_stands_for_its_request_and_its_kind_alone)
{
    for (size_t i = 0; i < KINDS; i++) {
        struct barrier barrier = {0};
        barrier_raise(&barrier, kinds[i], REQUEST(0));
        cr_assert(barrier_stands(&barrier));
        for (size_t j = 0; j < KINDS; j++)
            cr_assert_eq(barrier_of(&barrier, kinds[j]), i == j ? REQUEST(0) : NULL);
    }
}

Test(barrier, its_kind_and_its_request_together_lower_it)
{
    struct barrier barrier = {0};
    barrier_raise(&barrier, BARRIER_BLOCKED, REQUEST(0));
    barrier_lower(&barrier, BARRIER_LOGIN, REQUEST(0));
    cr_assert_eq(barrier_of(&barrier, BARRIER_BLOCKED), REQUEST(0), "it is another kind");
    barrier_lower(&barrier, BARRIER_BLOCKED, REQUEST(1));
    cr_assert_eq(barrier_of(&barrier, BARRIER_BLOCKED), REQUEST(0), "it is another's");
    barrier_lower(&barrier, BARRIER_BLOCKED, NULL);
    cr_assert_eq(barrier_of(&barrier, BARRIER_BLOCKED), REQUEST(0), "it is nobody's");
    barrier_lower(&barrier, BARRIER_BLOCKED, REQUEST(0));
    cr_assert_not(barrier_stands(&barrier));
    cr_assert_null(barrier.request);
}

Test(barrier, lowering_what_does_not_stand_is_harmless)
{
    struct barrier barrier = {0};
    barrier_lower(&barrier, BARRIER_COPIES, REQUEST(0));
    cr_assert_not(barrier_stands(&barrier));
    cr_assert_null(barrier.request);
}

Test(barrier, after_one_was_lowered_another_may_stand)
{
    struct barrier barrier = {0};
    barrier_raise(&barrier, BARRIER_LEARNING, REQUEST(0));
    barrier_lower(&barrier, BARRIER_LEARNING, REQUEST(0));
    barrier_raise(&barrier, BARRIER_QUESTION, REQUEST(1));
    cr_assert_eq(barrier_of(&barrier, BARRIER_QUESTION), REQUEST(1));
    cr_assert_null(barrier_of(&barrier, BARRIER_LEARNING));
}

Test(barrier, raising_one_where_any_stands_is_a_bug)
{
    for (size_t i = 0; i < KINDS; i++)
        for (size_t j = 0; j < KINDS; j++) {
            struct barrier barrier = {0};
            barrier_raise(&barrier, kinds[i], REQUEST(0));
            must_not(&barrier, kinds[j], REQUEST(1));
        }
}

Test(barrier, the_log_says_which_stands_and_which_was_raised)
{
    struct barrier barrier = {0};
    barrier_raise(&barrier, BARRIER_COPIES, REQUEST(0));
    const char *said = must_not(&barrier, BARRIER_LOGIN, REQUEST(1));
    cr_assert_not_null(strstr(said, "level=error"), "%s", said);
    cr_assert_not_null(strstr(said, "stands=3 raised=1"), "%s", said);
}

Test(barrier, one_of_no_kind_or_for_nobody_is_a_bug)
{
    struct barrier barrier = {0};
    must_not(&barrier, BARRIER_NONE, REQUEST(0));
    must_not(&barrier, BARRIER_LOGIN, NULL);
}
