/*
 * address: what a person or a Sentinel writes is read, and written back, as it
 * was; what is neither a name nor a number is refused.
 */
#include "net/address.h"

#include <criterion/criterion.h>

static void reads_as(const char *text, const char *host, int port)
{
    struct endpoint e;

    cr_assert_eq(endpoint_parse(&e, text, 26379), 0, "%s", text);
    cr_assert_str_eq(e.host, host);
    cr_assert_eq(e.port, port);
}

Test(address, endpoints_are_read)
{
    reads_as("redis-0.redis:6379", "redis-0.redis", 6379);
    reads_as("redis-0", "redis-0", 26379);
    reads_as("127.0.0.1:1", "127.0.0.1", 1);
    reads_as("[::1]:65535", "::1", 65535);
    reads_as("[fe80::1]", "fe80::1", 26379);
}

Test(address, nonsense_is_refused)
{
    static const char *const bad[] = {"",       ":6379", "a:",    "a:0",  "a:65536",
                                      "a:1x",   "a:-1",  "::1",   "[::1", "[::1]6379",
                                      "[a]:1",  "a b:1", "a,b:1", "[]:1", "a:99999999999999999999",
                                      "[::1]:", "a:1 ",  "a:1:2"};
    struct endpoint e;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_assert_eq(endpoint_parse(&e, bad[i], 26379), -1, "%s", bad[i]);
    cr_assert_eq(endpoint_parse(&e, "host", 0), -1, "a port is required");
}

Test(address, text_and_back)
{
    static const char *const texts[] = {"127.0.0.1:6379", "[::1]:6379", "name:1"};
    char out[ENDPOINT_TEXT_MAX];
    struct endpoint e;
    struct address a;

    for (int i = 0; i < 3; i++) {
        cr_assert_eq(endpoint_parse(&e, texts[i], 0), 0);
        cr_assert_str_eq(endpoint_format(out, sizeof(out), &e), texts[i]);
        if (i == 2) {
            cr_assert_eq(address_from_number(&a, e.host, e.port), -1);
            cr_assert_str_eq(address_format(out, sizeof(out), &a), "none");
            continue;
        }
        cr_assert_eq(address_from_number(&a, e.host, e.port), 0);
        cr_assert_str_eq(address_format(out, sizeof(out), &a), texts[i]);
    }
}

Test(address, equality)
{
    struct address a, b, none = {0};

    cr_assert_eq(address_from_number(&a, "10.0.0.1", 1), 0);
    cr_assert_eq(address_from_number(&b, "10.0.0.1", 1), 0);
    cr_assert(address_equal(&a, &b));
    cr_assert_eq(address_from_number(&b, "10.0.0.1", 2), 0);
    cr_assert(!address_equal(&a, &b));
    cr_assert(!address_equal(&a, &none));
    cr_assert(address_equal(&none, &none));
    cr_assert_eq(address_from_number(&a, "::1", 1), 0);
    cr_assert(!address_equal(&a, &b));
    cr_assert_eq(address_from_number(&b, "0:0::1", 1), 0);
    cr_assert(address_equal(&a, &b));
}
