/* open_files: how the descriptors are shared out, whatever the limit. */
#include "ops/open_files.h"

#include <criterion/criterion.h>

Test(open_files, a_high_limit_changes_nothing)
{
    struct traffic_options options = {.max_clients = 10000, .workers = 2};
    cr_assert(open_files_share(&options, 20000));
    cr_assert_eq(options.max_clients, 10000);
    cr_assert_eq(options.http_connections, 64);
    cr_assert_lt(options.client_files, options.lease_files);
    cr_assert_lt(options.lease_files, 20000);
    cr_assert_geq(options.client_files, 10000);
}

Test(open_files, a_low_limit_lowers_max_clients)
{
    for (size_t files = 32; files < 10000; files++) {
        struct traffic_options options = {.max_clients = 10000, .workers = 4};
        cr_assert_not(open_files_share(&options, files));
        cr_assert_eq(options.max_clients, (size_t)options.client_files);
        cr_assert_geq(options.max_clients, files / 2);
        cr_assert_lt(options.client_files, options.lease_files);
        cr_assert_lt((size_t)options.lease_files + 2 * options.http_connections, files + 1);
        cr_assert_gt(options.http_connections, 0);
    }
}

/* Nobody is refused whom the limit would have let in. */
Test(open_files, few_clients_need_few)
{
    struct traffic_options options = {.max_clients = 100, .workers = 1};
    cr_assert(open_files_share(&options, 256));
    cr_assert_eq(options.max_clients, 100);
    cr_assert_eq(traffic_max_clients(&options, options.client_files - 1), 100);
    cr_assert_eq(traffic_max_clients(&options, options.client_files), 0);
}
