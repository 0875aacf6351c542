/* refusals: what one notes, others find, until a success takes it back. */
#include "topology/refusals.h"

#include <criterion/criterion.h>

Test(refusals, are_there_until_a_success)
{
    struct refusals *r = refusals_new();
    struct refusal found;

    cr_assert_not(refusals_find(NULL, 0, 1, &found));
    cr_assert_not(refusals_find(r, 0, 1, &found));
    cr_assert_not(refusals_clear(r, 0, 1));
    cr_assert(refusals_note(r, 0, 1, "WRONGPASS x", 1000, 500));
    cr_assert_not(
        refusals_note(r, 0, 1, "NOPERM y", 1300, 500)); /* no news: patience is the first one's */
    cr_assert(refusals_note(r, 1, 1, "another group's", 1400, 0));
    cr_assert(refusals_find(r, 0, 1, &found));
    cr_assert_str_eq(found.text, "NOPERM y");
    cr_assert_eq(found.since_ms, 1000);
    cr_assert_eq(found.until_ms, 1500);
    cr_assert_not(refusals_find(r, 0, 2, &found));
    cr_assert(refusals_clear(r, 0, 1));
    cr_assert_not(refusals_find(r, 0, 1, &found));
    cr_assert(refusals_find(r, 1, 1, &found));
    cr_assert_str_eq(found.text, "another group's");
    refusals_free(r);
}

Test(refusals, more_than_there_is_room_for)
{
    struct refusals *r = refusals_new();
    struct refusal found;

    for (uint64_t node = 1; node <= 100; node++)
        cr_assert(refusals_note(r, 0, node, "x", (int64_t)node, 0));
    cr_assert_not(refusals_find(r, 0, 1, &found)); /* the oldest */
    cr_assert(refusals_find(r, 0, 100, &found));
    refusals_free(r);
}
