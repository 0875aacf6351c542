/* scripts: texts are found by their SHA1, the oldest go first, and it is known who had them. */
#include "nodes/scripts.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define SHA_7 "bc70ae583496ef68242126e5f723b4224435af02" /* of return(7) */
#define SHA_1 "e0e1f9fabfc9d4800c877a703b823ac0578ff8db" /* of return 1 */

#define ENOUGH ((size_t)100000)

static struct slice of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static bool is(struct slice got, const char *text)
{
    return got.len == strlen(text) && memcmp(got.data, text, got.len) == 0;
}

/* What so many short texts take, when they were asked for by their SHA1. */
static size_t room_for(int count)
{
    static const char *const texts[] = {"return(7)", "return 1"};
    struct scripts *s = scripts_new(ENOUGH);
    size_t bytes;
    for (int i = 0; i < count; i++)
        scripts_saw(s, of(texts[i]));
    (void)scripts_text(s, of(SHA_7));
    bytes = scripts_bytes(s);
    scripts_free(s);
    return bytes;
}

Test(scripts, found_by_sha1_in_any_case)
{
    struct scripts *s = scripts_new(ENOUGH);
    cr_assert_null(scripts_text(s, of(SHA_7)).data);
    scripts_saw(s, of("return(7)"));
    scripts_saw(s, of("return 1"));
    cr_assert(is(scripts_text(s, of(SHA_7)), "return(7)"));
    cr_assert(is(scripts_text(s, of("BC70AE583496EF68242126E5F723B4224435AF02")), "return(7)"));
    cr_assert(is(scripts_text(s, of(SHA_1)), "return 1"));
    cr_assert_null(scripts_text(s, of("bc70")).data);
    cr_assert_null(scripts_text(s, (struct slice){NULL, 0}).data);
    scripts_clear(s);
    cr_assert_null(scripts_text(s, of(SHA_7)).data);
    scripts_free(s);
}

Test(scripts, the_oldest_go_first)
{
    struct scripts *s = scripts_new(room_for(1) + 100);
    char text[32];
    scripts_saw(s, of("return(7)"));
    cr_assert(scripts_text(s, of(SHA_7)).data);
    scripts_saw(s, of("return 1")); /* for two there is no room */
    cr_assert_null(scripts_text(s, of(SHA_7)).data);
    cr_assert(is(scripts_text(s, of(SHA_1)), "return 1"));
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "return %d", i % 10);
        scripts_saw(s, of(text));
        if (i % 3 == 0)
            cr_assert_null(scripts_text(s, of(SHA_7)).data);
    }
    scripts_saw(s, of("return 'longer than all that is kept'"));
    cr_assert_null(scripts_text(s, of(SHA_1)).data);
    scripts_free(s);
}

/* A text of some bytes takes some hundred: all of them count. */
Test(scripts, the_bound_is_of_memory_and_not_of_text)
{
    enum { MAX = 1 << 20 };
    struct scripts *s = scripts_new(MAX);
    size_t before, taken;
    char text[32];
    (void)room_for(1); /* libcrypto has its own memory from now on */
    before = mallinfo2().uordblks;
    for (int i = 0; i < 100000; i++) {
        snprintf(text, sizeof(text), "return %d", i);
        scripts_saw(s, of(text));
        cr_assert_leq(scripts_bytes(s), MAX);
        if (i % 10000 == 0) /* then there is a second table, for which the next text makes room */
            (void)scripts_text(s, of(SHA_1));
    }
    taken = mallinfo2().uordblks - before;
    /* The allocator keeps some freed pieces at hand. With a sanitizer's allocator this is 0. */
    cr_assert_leq(taken, MAX + MAX / 50, "%zu", taken);
    cr_assert_gt(scripts_bytes(s), MAX * 9 / 10);
    scripts_clear(s);
    cr_assert_eq(scripts_bytes(s), 0);
    scripts_free(s);
}

Test(scripts, what_is_used_stays)
{
    struct scripts *s = scripts_new(room_for(2) + 100);
    const void *on;
    scripts_saw(s, of("return(7)"));
    scripts_saw(s, of("return 1"));
    cr_assert_eq(scripts_at(s, of(SHA_7), 1, NULL, &on), SCRIPT_MISSING);
    scripts_saw(s, of("return 2"));
    cr_assert(scripts_text(s, of(SHA_7)).data);
    cr_assert_null(scripts_text(s, of(SHA_1)).data);
    scripts_free(s);
}

Test(scripts, who_has_it)
{
    struct scripts *s = scripts_new(ENOUGH);
    static const int conn, other, anna, bert;
    const void *on;
    cr_assert_eq(scripts_at(s, of(SHA_7), 1, &anna, &on), SCRIPT_UNSEEN);
    scripts_saw(s, of("return(7)"));
    cr_assert_eq(scripts_at(s, of(SHA_7), 1, &anna, &on), SCRIPT_MISSING);
    scripts_load(s, of(SHA_7), 1, &conn);
    cr_assert_eq(scripts_at(s, of(SHA_7), 1, &anna, &on), SCRIPT_LOADING);
    cr_assert_eq(on, &conn);
    cr_assert_eq(scripts_at(s, of(SHA_7), 2, &anna, &on), SCRIPT_MISSING);
    scripts_loaded(s, of(SHA_7), 1, &other, SCRIPT_THERE, &anna);
    cr_assert_eq(scripts_at(s, of(SHA_7), 1, &anna, &on), SCRIPT_LOADING, "another one's");
    scripts_loaded(s, of(SHA_7), 1, &conn, SCRIPT_THERE, &anna);
    cr_assert_eq(scripts_at(s, of(SHA_7), 1, &anna, &on), SCRIPT_THERE);
    scripts_load(s, of(SHA_7), 2, &conn);
    scripts_loaded(s, of(SHA_7), 2, &conn, SCRIPT_REFUSED, &anna);
    cr_assert_eq(scripts_at(s, of(SHA_7), 2, &anna, &on), SCRIPT_REFUSED);
    cr_assert_eq(scripts_at(s, of(SHA_7), 2, &bert, &on), SCRIPT_MISSING);
    scripts_forget_node(s, 1);
    cr_assert_eq(scripts_at(s, of(SHA_7), 1, &anna, &on), SCRIPT_MISSING);
    scripts_load(s, of(SHA_7), 3, &conn);
    scripts_forget_nodes(s);
    scripts_loaded(s, of(SHA_7), 3, &conn, SCRIPT_THERE, &anna);
    cr_assert_eq(scripts_at(s, of(SHA_7), 3, &anna, &on), SCRIPT_MISSING, "of a process before");
    for (uint64_t node = 10; node < 30; node++) {
        scripts_load(s, of(SHA_7), node, &conn);
        scripts_loaded(s, of(SHA_7), node, &conn, SCRIPT_THERE, &anna);
        cr_assert_eq(scripts_at(s, of(SHA_7), node, &anna, &on), SCRIPT_THERE);
    }
    cr_assert_eq(scripts_at(s, of(SHA_7), 10, &anna, &on), SCRIPT_MISSING, "long ago");
    scripts_free(s);
}

static void note(void *data, struct slice sha)
{
    strncat(data, sha.data, 4);
}

/* The last one used first, in bounds, and only what somebody asked for by its SHA1. */
Test(scripts, the_recent_ones)
{
    struct scripts *s = scripts_new(ENOUGH);
    static const int conn;
    char told[40] = "";
    const void *on;
    scripts_saw(s, of("return(7)"));
    scripts_saw(s, of("return 1"));
    scripts_saw(s, of("return 'never asked for'"));
    scripts_each_recent(s, 1, NULL, 1000, note, told);
    cr_assert_str_empty(told);
    (void)scripts_at(s, of(SHA_1), 1, NULL, &on);
    (void)scripts_at(s, of(SHA_7), 1, NULL, &on);
    scripts_each_recent(s, 1, NULL, 1000, note, told);
    cr_assert_str_eq(told, "bc70e0e1");
    told[0] = '\0';
    scripts_each_recent(s, 1, NULL, 10, note, told);
    cr_assert_str_eq(told, "bc70");
    told[0] = '\0';
    scripts_load(s, of(SHA_7), 1, &conn);
    scripts_each_recent(s, 1, NULL, 1000, note, told);
    cr_assert_str_eq(told, "e0e1");
    cr_assert_not(scripts_told(s, 1));
    cr_assert(scripts_told(s, 1));
    cr_assert_not(scripts_told(s, 2));
    scripts_forget_nodes(s);
    cr_assert_not(scripts_told(s, 2));
    scripts_free(s);
}
