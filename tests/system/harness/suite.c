/*
 * suite: see suite.h. Criterion starts each test by executing the program again; the environment is
 * what such a process inherits.
 */
#include "harness/suite.h"

#include "harness/servers.h"

#include <criterion/criterion.h>
#include <criterion/options.h>
#include <signal.h>
#include <stdio.h>

struct shared shared(void)
{
    struct shared s;
    cr_assert(trio_attach(&s.trio) == 0, "no shared trio");
    if (!suite.without_proxy)
        cr_assert(proxy_attach(&s.proxy) == 0, "no shared proxy");
    return s;
}

static int start_proxy(struct proxy *proxy, const struct trio *trio)
{
    if (proxy_start(proxy, trio, &suite.proxy) < 0)
        return -1;
    proxy_export(proxy);
    if (proxy_wait_serving(proxy, trio) == 0)
        return 0;
    process_kill(&proxy->pid);
    return -1;
}

/* Returns what main() returns. */
static int run_shared(struct criterion_test_set *tests)
{
    struct trio trio;
    struct proxy proxy = {0};
    int failed = 1;
    if (trio_start(&trio, &suite.trio) == 0) {
        trio_export(&trio);
        if (suite.without_proxy || start_proxy(&proxy, &trio) == 0)
            failed = !criterion_run_all_tests(tests);
    }
    if (proxy.pid > 0) {
        if (proxy_stop(&proxy) < 0)
            failed = 1;
        else if (failed)
            file_show(proxy.log);
    }
    trio_stop(&trio);
    return failed;
}

int main(int argc, char **argv)
{
    struct criterion_test_set *tests = criterion_initialize();
    int failed = 0;
    signal(SIGPIPE, SIG_IGN);
    if (!servers_have(suite.since, 0)) {
        fprintf(stderr, "skipped: its configuration needs Redis %d\n", suite.since);
        criterion_finalize(tests);
        return 0;
    }
    if (criterion_handle_args(argc, argv, true)) {
        criterion_options.jobs = suite.at_once ? (size_t)suite.at_once : 1;
        failed = suite.alone ? !criterion_run_all_tests(tests) : run_shared(tests);
    }
    criterion_finalize(tests);
    return failed;
}
