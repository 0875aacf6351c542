/*
 * cursor: what a client is given says which process it is of, in pieces of any size, and is read again;
 * a page of another process is not given out.
 */
#include "nodes/cursor.h"

#include "topology/topology.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MINE = 0xabcde, OTHER = 0x12345 };

static struct slice text(const char *word)
{
    return (struct slice){word, strlen(word)};
}

/* What becomes of a page; "" of one that is left alone. */
static const char *given(const char *page, uint32_t asked, uint32_t process, enum page wanted)
{
    static char out[4][256];
    static unsigned turns;
    char *into = out[turns++ % 4];
    struct buf whole = {0};
    cr_assert_eq(cursor_page(text(page), asked, process, &whole), wanted, "%s", page);
    snprintf(into, sizeof(out[0]), "%.*s", (int)buf_len(&whole),
             buf_len(&whole) ? buf_head(&whole) : "");
    buf_free(&whole);
    return into;
}

static void comes_back(uint64_t at, uint32_t process)
{
    char page[80], digits[32];
    struct cursor cursor;
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, at);
    snprintf(page, sizeof(page), "*2\r\n$%d\r\n%s\r\n*1\r\n$1\r\nk\r\n", len, digits);
    const char *out = given(page, 0, process, PAGE_MINE);
    unsigned said;
    char cursor_text[32];
    cr_assert_eq(sscanf(out, "*2\r\n$%u\r\n%31[0-9]", &said, cursor_text), 2);
    cr_assert_eq(said, strlen(cursor_text));
    cr_assert_not_null(strstr(out, "\r\n*1\r\n$1\r\nk\r\n"));
    cr_assert(cursor_read(text(cursor_text), &cursor));
    cr_assert_eq(cursor.at, at);
    cr_assert_eq(cursor.process, process);
}

Test(cursor, is_read_as_it_was_given)
{
    static const uint64_t ats[] = {
        1, 2, 4095, 1 << 20, UINT64_C(1) << 32, UINT64_MAX >> PROCESS_BITS};
    for (size_t i = 0; i < sizeof(ats) / sizeof(ats[0]); i++) {
        comes_back(ats[i], 1);
        comes_back(ats[i], MINE);
        comes_back(ats[i], (1 << PROCESS_BITS) - 1);
        comes_back(ats[i], 0);
    }
}

/* Billions of keys, and some clients' numbers have 53 bits. */
Test(cursor, fits_a_double)
{
    char page[80];
    struct cursor cursor;
    uint64_t last = (UINT64_C(1) << 33) - 1;
    snprintf(page, sizeof(page), "*2\r\n$10\r\n%" PRIu64 "\r\n*0\r\n", last);
    unsigned long long number;
    const char *out = given(page, 0, (1 << PROCESS_BITS) - 1, PAGE_MINE);
    cr_assert_eq(sscanf(out, "*2\r\n$16\r\n%llu", &number), 1);
    cr_assert_lt(number, 1ULL << 53);
    cr_assert(cursor_read(text("9007199254740991"), &cursor));
    cr_assert_eq(cursor.at, last);
}

Test(cursor, the_end_is_the_end)
{
    cr_assert_str_eq(given("*2\r\n$1\r\n0\r\n*0\r\n", 0, MINE, PAGE_MINE),
                     "*2\r\n$1\r\n0\r\n*0\r\n");
    cr_assert_str_eq(given("*2\r\n$1\r\n0\r\n*0\r\n", MINE, MINE, PAGE_MINE),
                     "*2\r\n$1\r\n0\r\n*0\r\n");
}

Test(cursor, what_the_proxy_never_gave_is_left_to_the_node)
{
    static const char *const others[] = {"0",
                                         "00",
                                         "",
                                         "x",
                                         "1x",
                                         "-1",
                                         "+1",
                                         " 1",
                                         "1 ",
                                         "18446744073709551616",
                                         "99999999999999999999999999"};
    struct cursor cursor;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_not(cursor_read(text(others[i]), &cursor), "%s", others[i]);
    cr_assert(cursor_read(text("18446744073709551615"), &cursor));
    cr_assert_not(cursor_read((struct slice){NULL, 0}, &cursor));
}

Test(cursor, a_page_of_another_process_is_not_given_out)
{
    struct cursor cursor;
    const char *page = "*2\r\n$2\r\n17\r\n*1\r\n$1\r\nk\r\n";
    const char *out = given(page, MINE, OTHER, PAGE_LOST);
    cr_assert_str_eq(out, "*2\r\n$5\r\n74565\r\n*0\r\n");
    cr_assert(cursor_read(text("74565"), &cursor));
    cr_assert_eq(cursor.at, 0, "it is the beginning");
    cr_assert_eq(cursor.process, 0, "anybody's");
    /* the last page of another one, too: what it has passed by is not known */
    given("*2\r\n$1\r\n0\r\n*0\r\n", MINE, OTHER, PAGE_LOST);
    /* it is not known whose it is, or who answers */
    given(page, 0, OTHER, PAGE_MINE);
    given(page, MINE, 0, PAGE_MINE);
}

Test(cursor, pieces_of_any_size)
{
    const char *page = "*2\r\n$2\r\n17\r\n*1\r\n$1\r\nk\r\n";
    size_t head = strlen("*2\r\n$2\r\n17\r\n");
    for (size_t len = 1; len <= strlen(page); len++) {
        struct buf out = {0};
        enum page got = cursor_page((struct slice){page, len}, 0, MINE, &out);
        cr_assert_eq(got, len < head ? PAGE_PART : PAGE_MINE, "%zu", len);
        cr_assert_eq(buf_len(&out) > 0, len >= head);
        buf_free(&out);
    }
}

Test(cursor, what_is_no_page)
{
    static const char *const others[] = {
        "-ERR invalid cursor\r\n",
        "+QUEUED\r\n",
        "*3\r\n$1\r\n",
        "*2\r\n:1\r\n*0\r\n",
        "*2\r\n$1\r\nx\r\n*0\r\n",
        "*2\r\n$20\r\n18446744073709551615\r\n*0\r\n",
        "*2\r\n$0\r\n\r\n*0\r\n",
        "*2\r\n$00000000000000000000000000000000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_str_eq(given(others[i], MINE, OTHER, PAGE_NONE), "");
}
