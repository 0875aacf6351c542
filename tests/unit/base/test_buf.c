/*
 * buf: bytes come out as they went in, whatever is moved inside; an empty buf
 * owns no memory.
 */
#include "base/buf.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(buf, bytes_come_out_in_order)
{
    struct buf b = {0};
    unsigned char in = 0, out = 0;

    srand(7);
    for (int turn = 0; turn < 2000; turn++) {
        size_t add = (size_t)rand() % 300, take;
        char *to = buf_reserve(&b, add);
        for (size_t i = 0; i < add; i++)
            to[i] = (char)in++;
        buf_grew(&b, add);
        take = (size_t)rand() % (buf_len(&b) + 1);
        for (size_t i = 0; i < take; i++)
            cr_assert_eq((unsigned char)buf_head(&b)[i], out++);
        buf_consume(&b, take);
    }
    buf_free(&b);
}

Test(buf, empty_owns_nothing)
{
    struct buf b = {0};

    buf_append(&b, "abc", 3);
    buf_consume(&b, 2);
    cr_assert_not_null(b.data);
    buf_consume(&b, 1);
    cr_assert_null(b.data);
    cr_assert_eq(b.cap, 0);
}

Test(buf, a_queue_that_stays_short_stays_small)
{
    struct buf b = {0};

    buf_append(&b, "0123456789", 10);
    for (int i = 0; i < 10000; i++) {
        buf_append(&b, "0123456789", 10);
        buf_consume(&b, 10);
    }
    cr_assert_leq(b.cap, 256);
    buf_wipe(&b);
    cr_assert_null(b.data);
}

Test(buf, printf_appends_without_a_nul)
{
    struct buf b = {0};

    buf_append(&b, ">", 1);
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i % 10);
    cr_assert_eq(buf_len(&b), 2001);
    cr_assert_eq(memcmp(buf_head(&b), ">0,1,2,", 7), 0);
    cr_assert_eq(buf_head(&b)[2000], ',');
    buf_free(&b);
}
