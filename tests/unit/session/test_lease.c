/*
 * lease: a session keeps its connection for a set of reasons, each of which comes and goes by itself.
 */
#include "session/lease_state.h"

#include <criterion/criterion.h>

/* Nobody looks into these. */
static char upstreams[2];
#define UPSTREAM(i) ((struct upstream *)(void *)&upstreams[i])

static const enum lease_reason reasons[] = {LEASE_TRANSACTION, LEASE_WATCHES,    LEASE_CHANGED,
                                            LEASE_DEDICATED,   LEASE_SUBSCRIBED, LEASE_MONITORS,
                                            LEASE_TRACKS,      LEASE_TOLD};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))
#define SETS (1u << REASONS)

Test(lease, each_reason_is_one_of_its_own)
{
    unsigned all = 0;
    for (size_t i = 0; i < REASONS; i++) {
        cr_assert_eq(__builtin_popcount(reasons[i]), 1);
        cr_assert_not(all & reasons[i]);
        all |= reasons[i];
    }
    cr_assert_eq(all, SETS - 1, "and a lease has room for all of them");
}

/* Any set of reasons joins, or leaves, any other. */
Test(lease, reasons_join_and_leave_as_sets_do)
{
    for (unsigned had = 0; had < SETS; had++)
        for (unsigned set = 0; set < SETS; set++) {
            struct lease lease = {.reasons = (uint8_t)had};
            cr_assert_eq(lease_kept_for(&lease, set), (had & set) != 0);
            lease_keep(&lease, set);
            cr_assert_eq(lease.reasons, had | set);
            lease.reasons = (uint8_t)had;
            lease_let(&lease, set);
            cr_assert_eq(lease.reasons, had & (SETS - 1 - set));
        }
}

Test(lease, a_reason_stands_exactly_as_long_as_it_is_said_to)
{
    for (unsigned had = 0; had < SETS; had++)
        for (size_t i = 0; i < REASONS; i++) {
            struct lease lease = {.reasons = (uint8_t)had};
            lease_keep_if(&lease, reasons[i], true);
            cr_assert_eq(lease.reasons, had | reasons[i]);
            lease_keep_if(&lease, reasons[i], false);
            cr_assert_eq(lease.reasons, had & ~(unsigned)reasons[i]);
        }
}

/* Of these, in the order of the enum: transaction, watches, changed, dedicated, subscribed, monitors, tracks, told. */
static void has(unsigned set, const char *wanted)
{
    for (size_t i = 0; i < REASONS; i++)
        cr_assert_eq((set & reasons[i]) != 0, wanted[i] == '1', "reason %zu", i);
}

Test(lease, what_it_hears_what_it_carries_and_what_it_needs)
{
    has(LEASE_HEARS, "00001110");
    has(LEASE_CARRIED, "00001101");
    has(LEASE_NEEDED, "10011000");
}

Test(lease, a_renewed_one_is_as_fresh_as_the_pool_gives_it)
{
    struct lease lease = {
        .upstream = UPSTREAM(0), .dirty = true, .named = true, .unblocks = 2, .reasons = 0};
    lease_renew(&lease, UPSTREAM(1));
    cr_assert_eq(lease.upstream, UPSTREAM(1));
    cr_assert_not(lease.dirty);
    cr_assert_not(lease.named);
    cr_assert_eq(lease.unblocks, 0);
}

Test(lease, the_reasons_outlive_the_connection)
{
    for (unsigned had = 0; had < SETS; had++) {
        struct lease lease = {.upstream = UPSTREAM(0), .reasons = (uint8_t)had};
        lease_renew(&lease, UPSTREAM(1));
        cr_assert_eq(lease.reasons, had);
    }
}
