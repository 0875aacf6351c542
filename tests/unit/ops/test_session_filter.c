/* session_filter: which clients an operator means, and what is said about a filter that is none. */
#include "ops/session_filter.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct traffic_group_options groups[] = {{.name = "one"}, {.name = "two"}};
static const struct traffic_options options = {.groups = groups, .group_count = 2};

static struct session_row row(void)
{
    struct session_row r = {.id = 77,
                            .group = 1,
                            .address = "10.1.2.3:4567",
                            .listener = "[::1]:6379",
                            .user = "app-one",
                            .library = "redis-py/5.0",
                            .mood = MOOD_HELD,
                            .tls = true,
                            .db = 3,
                            .age_ms = 60000,
                            .idle_ms = 1500,
                            .in_flight = 2,
                            .request_bytes = 65536};
    return r;
}

static bool passes(const char *text)
{
    struct session_filter filter = {.count = 0};
    struct session_row r = row();
    char why[200];
    cr_assert(session_filter_add(&filter, text, why, sizeof(why)) == 0, "%s: %s", text, why);
    return session_filter_passes(&filter, &r, &options);
}

Test(session_filter, these_mean_it)
{
    static const char *const yes[] = {"id=77",
                                      "address=10.1.2.3:4567",
                                      "address=10.1.2.3",
                                      "address=10.1.*",
                                      "user=app-*",
                                      "user!=root",
                                      "library=redis-py*",
                                      "listener=[::1]",
                                      "group=two",
                                      "state=held",
                                      "state!=idle",
                                      "tls=yes",
                                      "db=3",
                                      "age>59s",
                                      "age<2m",
                                      "age=1m",
                                      "idle>1s",
                                      "idle<1501ms",
                                      "idle>1499ms",
                                      "in_flight=2",
                                      "in_flight>1",
                                      "requests=64kb",
                                      "requests<1mb",
                                      "waiting<1",
                                      "name="};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        cr_expect(passes(yes[i]), "%s", yes[i]);
}

Test(session_filter, these_do_not)
{
    static const char *const no[] = {
        "id=78",         "id!=77",   "address=10.1.2", "address=10.2.*", "user=app", "group=one",
        "state=idle",    "tls=no",   "db=0",           "age>1m",         "idle>2s",  "in_flight>2",
        "requests>64kb", "output>0", "library=",       "command=get"};
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        cr_expect(!passes(no[i]), "%s", no[i]);
}

Test(session_filter, these_are_none)
{
    static const char *const none[] = {"",
                                       "idle",
                                       "=",
                                       "colour=red",
                                       "idle>",
                                       "idle>soon",
                                       "idle>-1s",
                                       "idle>1d",
                                       "user>app",
                                       "state=odd",
                                       "tls=maybe",
                                       "id=x",
                                       "db>1",
                                       "requests>1tb",
                                       "id=",
                                       "age>99999999999999999999h",
                                       "in_flight>1kb",
                                       "id!77",
                                       "state<idle",
                                       "idle>9223372036854775807h"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct session_filter filter = {.count = 0};
        char why[200] = "";
        cr_expect(session_filter_add(&filter, none[i], why, sizeof(why)) != 0, "%s", none[i]);
        cr_expect(*why, "%s", none[i]);
        cr_expect_eq(filter.count, 0);
    }
}

/* Of an operator's, or anybody's, long texts. */
Test(session_filter, has_bounds)
{
    struct session_filter filter = {.count = 0};
    char why[200], text[1000];
    memset(text, 'x', sizeof(text));
    memcpy(text, "user=", 5);
    text[sizeof(text) - 1] = '\0';
    cr_expect_neq(session_filter_add(&filter, text, why, sizeof(why)), 0);
    for (int i = 0; i < FILTER_TERMS_MAX; i++)
        cr_expect_eq(session_filter_add(&filter, "idle>1s", why, sizeof(why)), 0);
    cr_expect_neq(session_filter_add(&filter, "idle>1s", why, sizeof(why)), 0);
    cr_expect_eq(filter.count, FILTER_TERMS_MAX);
}

Test(session_filter, all_terms_have_to_hold)
{
    struct session_filter filter = {.count = 0};
    struct session_row r = row();
    char why[200];
    cr_expect_eq(session_filter_add(&filter, "tls=yes", why, sizeof(why)), 0);
    cr_expect(session_filter_passes(&filter, &r, &options));
    cr_expect_eq(session_filter_add(&filter, "idle>1h", why, sizeof(why)), 0);
    cr_expect(!session_filter_passes(&filter, &r, &options));
}
