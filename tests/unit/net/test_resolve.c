/*
 * resolve: numbers and names, each answered once and later, and what a
 * cancelled one does: nothing, and it leaves nothing behind.
 */
#include "net/resolve.h"

#include "unit/loop.h"

#include <arpa/inet.h>
#include <string.h>

struct asker {
    uv_loop_t loop;
    int answers, status;
    struct address address;
    struct resolve *cancel; /* another one, cancelled in this one's answer */
};

static void done(void *owner, int status, const struct address *addresses, size_t count)
{
    struct asker *asker = owner;

    asker->answers++;
    asker->status = status;
    cr_assert_eq(status == 0, count > 0);
    if (count > 0)
        asker->address = addresses[0];
    if (asker->cancel)
        resolve_cancel(asker->cancel);
}

static struct resolve *ask(struct asker *asker, const char *host)
{
    struct endpoint endpoint = {.port = 6379};
    struct resolve *resolve;

    strcpy(endpoint.host, host);
    resolve = resolve_start(&asker->loop, &endpoint, done, asker);
    cr_assert_eq(asker->answers, 0, "never before it returns");
    return resolve;
}

static void begin(struct asker *asker)
{
    memset(asker, 0, sizeof(*asker));
    cr_assert_eq(uv_loop_init(&asker->loop), 0);
}

static void number_is(const char *host, const char *wanted)
{
    struct asker asker;
    char text[ENDPOINT_TEXT_MAX];

    begin(&asker);
    cr_assert_not_null(ask(&asker, host));
    until(asker.answers > 0, uv_run(&asker.loop, UV_RUN_NOWAIT));
    cr_assert_eq(asker.status, 0);
    cr_assert_str_eq(address_format(text, sizeof(text), &asker.address), wanted);
    loop_end(&asker.loop);
    cr_assert_eq(asker.answers, 1);
}

Test(resolve, numbers_are_themselves)
{
    number_is("127.0.0.1", "127.0.0.1:6379");
    number_is("::1", "[::1]:6379");
}

Test(resolve, a_name_is_found)
{
    struct asker asker;
    struct addrinfo *found;

    if (getaddrinfo("localhost", NULL, NULL, &found) != 0)
        cr_skip("this machine has no name to resolve: localhost is not in its /etc/hosts");
    freeaddrinfo(found);
    begin(&asker);
    cr_assert_not_null(ask(&asker, "localhost"));
    loop_end(&asker.loop);
    cr_assert_eq(asker.answers, 1);
    cr_assert_eq(asker.status, 0, "%s", uv_strerror(asker.status));
    if (asker.address.sa.any.sa_family == AF_INET)
        cr_assert_eq(ntohl(asker.address.sa.v4.sin_addr.s_addr) >> 24, 127);
    else
        cr_assert(IN6_IS_ADDR_LOOPBACK(&asker.address.sa.v6.sin6_addr));
    cr_assert_eq(ntohs(asker.address.sa.v4.sin_port), 6379);
}

/* A label of 64 bytes: no name server has to be asked to refuse it. */
#define NO_NAME "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"

Test(resolve, a_name_that_cannot_be_is_an_error)
{
    struct asker asker;

    begin(&asker);
    cr_assert_not_null(ask(&asker, NO_NAME));
    loop_end(&asker.loop);
    cr_assert_eq(asker.answers, 1);
    cr_assert_lt(asker.status, 0);
}

Test(resolve, what_libuv_refuses_is_told_at_once)
{
    struct asker asker;

    begin(&asker);
    cr_assert_null(ask(&asker, "\xff\xfe"));
    loop_end(&asker.loop);
    cr_assert_eq(asker.answers, 0);
}

static void cancelled(const char *host)
{
    struct asker asker;

    begin(&asker);
    resolve_cancel(ask(&asker, host));
    loop_end(&asker.loop);
    cr_assert_eq(asker.answers, 0, "%s", host);
}

Test(resolve, a_cancelled_one_is_silent)
{
    cancelled("127.0.0.1");
    cancelled("localhost");
    cancelled(NO_NAME);
}

Test(resolve, an_answer_may_cancel_another)
{
    struct asker asker, other;

    begin(&asker);
    begin(&other);
    cr_assert_not_null(ask(&asker, "127.0.0.1"));
    asker.cancel = ask(&other, "127.0.0.2");
    loop_end(&asker.loop);
    loop_end(&other.loop);
    cr_assert_eq(asker.answers, 1);
    cr_assert_eq(other.answers, 0);
}
