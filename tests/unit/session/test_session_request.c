/*
 * session_request: the session's part is zero in a new request, and lets go of what it holds; the wire's part is the
 * same object under another name.
 */
#include "session/session_request.h"

#include "nodes/identity.h"
#include "unit/dies.h"

struct made {
    struct request_pool pool;
    struct identities identities;
};

static void begin(struct made *m)
{
    request_pool_init(&m->pool, sizeof(struct session_request));
    identities_init(&m->identities);
}

static void end(struct made *m)
{
    cr_assert(list_empty(&m->identities.all), "an identity is still held");
    cr_assert_eq(m->pool.live, 0, "a request was forgotten");
    request_pool_free(&m->pool);
}

/* Whether every byte of the session's part is zero, but for the list that it is in no more. */
static bool is_blank(const struct session_request *r)
{
    struct session_request blank;
    const size_t part = offsetof(struct session_request, verb);
    memset(&blank, 0, sizeof(blank));
    return !list_linked(&r->in_session) &&
           memcmp((const char *)r + part, (const char *)&blank + part, sizeof(blank) - part) == 0;
}

/* What it was does not matter to the next one: all of it is overwritten here. */
static void spoil(struct session_request *r)
{
    const size_t part = offsetof(struct session_request, verb);
    memset((char *)r + part, 0x5a, sizeof(*r) - part);
    r->login = NULL;
    r->copies = NULL;
}

Test(session_request, its_part_is_blank_however_it_is_made)
{
    struct made m;
    begin(&m);
    for (int i = 0; i < 3; i++) {
        struct session_request *r = session_request_new(&m.pool, 10);
        cr_assert(is_blank(r));
        spoil(r);
        session_request_free(&m.pool, r);
        r = session_request_try_new(&m.pool, 1000);
        cr_assert(is_blank(r));
        spoil(r);
        session_request_free(&m.pool, r);
        r = session_request_own(&m.pool, (struct slice){"PING", 4}, NULL, &m);
        cr_assert(is_blank(r));
        cr_assert(r->own);
        cr_assert_eq(r->owner_data, &m);
        spoil(r);
        session_request_free(&m.pool, r);
    }
    cr_assert_leq(m.pool.kept, 2, "they were recycled");
    end(&m);
}

/* AddressSanitizer ends the program otherwise. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

Test(session_request, so_many_bytes_that_there_is_no_memory_for_them_are_no_request)
{
    struct made m;
    begin(&m);
    cr_assert_null(session_request_try_new(&m.pool, SIZE_MAX / 2));
    end(&m);
}

Test(session_request, the_upstreams_part_and_the_sessions_are_one_object)
{
    struct made m;
    begin(&m);
    struct session_request *r = session_request_new(&m.pool, 10);
    request_set_bytes(&r->wire, "PING", 4);
    cr_assert_eq(r->len, 4);
    cr_assert_eq(r->data, r->wire.data);
    r->write = true;
    cr_assert(r->wire.write);
    cr_assert_eq(session_request_of(&r->wire), r);
    cr_assert_eq(session_request(&r->in_session), r);
    cr_assert_eq(session_const_request(&r->in_session), r);
    session_request_free(&m.pool, r);
    end(&m);
}

Test(session_request, its_hold_of_an_identity_is_dropped)
{
    struct made m;
    begin(&m);
    struct session_request *r = session_request_new(&m.pool, 10);
    r->login = identity_nobody(&m.identities);
    session_request_free(&m.pool, r);
    end(&m);
}

/* Its reply is still to come: the upstream frees it then, and knows no identity. */
Test(session_request, one_whose_session_is_gone_holds_nothing_while_the_upstream_has_it)
{
    struct made m;
    begin(&m);
    struct session_request *r = session_request_new(&m.pool, 10);
    r->login = identity_nobody(&m.identities);
    session_request_leave(r);
    cr_assert(list_empty(&m.identities.all));
    request_deliver(&m.pool, &r->wire, "+OK\r\n", 5, true, true);
    end(&m);
}

static void begin_there(void *pool)
{
    (void)session_request_new(pool, 10);
}

Test(session_request, a_pool_of_other_objects_is_a_bug)
{
    struct request_pool pool;
    request_pool_init(&pool, sizeof(struct request));
    cr_assert_not_null(strstr(said_dying(begin_there, &pool), "pool->size"));
}
