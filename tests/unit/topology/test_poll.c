/*
 * poll: one question at a time, and once more when somebody wanted to know meanwhile.
 */
#include "topology/poll.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(poll, is_asked_and_answered)
{
    struct poll poll = {0};
    cr_assert_not(poll_is_open(&poll));
    cr_assert(poll_begin(&poll), "it is to be sent");
    cr_assert(poll_is_open(&poll));
    cr_assert_not(poll_end(&poll), "nobody wanted to know meanwhile");
    cr_assert_not(poll_is_open(&poll));
    cr_assert(poll_begin(&poll));
}

Test(poll, is_asked_once_more_however_often_it_was_wanted)
{
    struct poll poll = {0};
    cr_assert(poll_begin(&poll));
    cr_assert_not(poll_begin(&poll));
    cr_assert_not(poll_begin(&poll));
    cr_assert(poll_is_open(&poll));
    cr_assert(poll_end(&poll));
    cr_assert_not(poll_is_open(&poll));
    cr_assert(poll_begin(&poll));
    cr_assert_not(poll_end(&poll), "only once");
}

Test(poll, what_will_not_be_answered_is_forgotten)
{
    struct poll poll = {0};
    poll_forget(&poll);
    cr_assert_not(poll_is_open(&poll));
    cr_assert(poll_begin(&poll));
    cr_assert_not(poll_begin(&poll));
    poll_forget(&poll);
    cr_assert_not(poll_is_open(&poll));
    cr_assert(poll_begin(&poll));
    cr_assert_not(poll_end(&poll), "who wanted it once more is forgotten too");
}

Test(poll, an_answer_to_nothing_is_a_bug, .signal = SIGABRT)
{
    struct poll poll = {0};
    cr_assert_not(poll_end(&poll), "it returned");
}
