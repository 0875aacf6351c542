/* rights: what makes old proofs count no more, and how often a stranger may. */
#include "threads/rights.h"

#include <criterion/criterion.h>

Test(rights, every_change_counts)
{
    struct rights rights = {0};
    uint64_t before = rights_generation(&rights, 5);

    rights_changed(&rights);
    cr_assert_gt(rights_generation(&rights, 5), before);
    before = rights_generation(&rights, 5);
    rights_changed(&rights);
    cr_assert_gt(rights_generation(&rights, 5), before);
}

Test(rights, one_refusal_counts_at_once)
{
    struct rights rights = {0};
    uint64_t before = rights_generation(&rights, 1000);

    rights_refused(&rights, 1000);
    cr_assert_eq(rights_generation(&rights, 1000), before + 1);
    rights_refused(&rights, 1000 + RIGHTS_PAUSE_MS);
    cr_assert_eq(rights_generation(&rights, 1000 + RIGHTS_PAUSE_MS), before + 2);
}

/* Ten thousand a second: they count ten times. */
Test(rights, a_flood_of_refusals_counts_rarely_and_to_the_last)
{
    struct rights rights = {0};
    uint64_t before = rights_generation(&rights, 5000);

    for (int i = 0; i < 10000; i++) {
        rights_refused(&rights, 5000 + i / 10);
        (void)rights_generation(&rights, 5000 + i / 10);
    }
    uint64_t grown = rights_generation(&rights, 5999) - before;
    cr_assert_geq(grown, 10);
    cr_assert_leq(grown, 11);
    cr_assert_eq(rights_generation(&rights, 6000 + RIGHTS_PAUSE_MS), before + grown + 1);
    cr_assert_eq(rights_generation(&rights, 9000), before + grown + 1);
}
