/*
 * browser: the page in a real browser, before a real trio: page.js (beside this file) has the steps, and prints a line for each.
 * Not one of "make test": it needs Chromium. $SCREENSHOTS: a folder into which it writes pictures for the README.
 */
#include "harness/client.h"
#include "harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENDS_MS = 240000 };

/* One page too many has to ask by itself. */
const struct suite suite = {.trio = {.min_replicas = 1, .fast = true},
                            .proxy = {.proxy_lines = "page_streams = 3\n"}};

Test(browser, the_page, .timeout = 300)
{
    struct shared s = shared();
    char log[160], port[8], sentinel[64];
    int status = -1;
    snprintf(log, sizeof(log), "%s/browser.log", s.trio.scratch.dir);
    snprintf(port, sizeof(port), "%d", PROXY_HTTP);
    snprintf(sentinel, sizeof(sentinel), "%s", s.trio.host[0]);
    const char *argv[] = {"node", "tests/page/page.js", s.proxy.host, port, sentinel, NULL};
    pid_t pid = process_start(argv, log);
    bool ended = process_ended(pid, ENDS_MS, &status);
    char *said = file_text(log);
    fprintf(stderr, "%s", said);
    free(said);
    cr_assert(ended, "it does not end");
    cr_expect_eq(status, 0, "status %d", status);
}
