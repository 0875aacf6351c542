/*
 * identity: in one worker, equal means the same pointer; it lives as long as
 * somebody holds it; and it says how a connection becomes it.
 */
#include "nodes/identity.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct slice text(const char *word)
{
    return (struct slice){word, word ? strlen(word) : 0};
}

/* `user` NULL: AUTH without one. */
static struct identity *with(struct identities *all, const char *user, const char *password,
                             int64_t db)
{
    struct identity *nobody = identity_nobody(all);
    struct identity *known = identity_with_credential(all, nobody, text(user), text(password));
    struct identity *identity = identity_with_db(all, known, db);

    identity_release(known);
    identity_release(nobody);
    return identity;
}

/* ---- interning ---- */

Test(identity, equal_means_the_same_pointer)
{
    struct identities all;
    struct identity *one, *two;
    char user[] = "alice", password[] = "wonder";

    identities_init(&all);
    one = with(&all, user, password, 3);
    memset(user, 'x', 5); /* the strings were borrowed */
    memset(password, 'x', 6);
    two = with(&all, "alice", "wonder", 3);
    cr_assert_eq(one, two);
    cr_assert_eq(one->refs, 2);
    identity_release(one);
    identity_release(two);
    cr_assert(list_empty(&all.all));
}

Test(identity, any_difference_makes_another)
{
    struct identities all;
    struct identity *different[] = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
    size_t count = sizeof(different) / sizeof(*different);

    identities_init(&all);
    different[0] = identity_nobody(&all);
    different[1] = identity_own(&all);
    different[2] = with(&all, NULL, "wonder", 0);
    different[3] = with(&all, "alice", "wonder", 0);
    different[4] = with(&all, "alicf", "wonder", 0);
    different[5] = with(&all, "alice", "wondes", 0);
    different[6] = with(&all, "alice", "wonde", 0);
    different[7] = with(&all, "alice", "wonder", 1);
    different[8] = with(&all, "", "wonder", 0); /* the user named "" is not the default user */
    different[9] = identity_with_db(&all, different[0], 1);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(different[i], different[j], "%zu and %zu", i, j);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(different[i]->refs, 1, "%zu", i);
        identity_release(different[i]);
    }
    cr_assert(list_empty(&all.all));
}

Test(identity, a_new_credential_replaces_all_of_the_old_one)
{
    struct identities all;
    struct identity *alice, *other, *expected;

    identities_init(&all);
    alice = with(&all, "alice", "wonder", 3);
    other = identity_with_credential(&all, alice, text(NULL), text("secret"));
    expected = with(&all, NULL, "secret", 3);
    cr_assert_eq(other, expected, "the database stays, the user does not");
    cr_assert_not(other->has_user);
    identity_release(alice);
    identity_release(other);
    identity_release(expected);
}

Test(identity, lives_while_somebody_holds_it)
{
    struct identities all;
    struct identity *identity;

    identities_init(&all);
    identity = with(&all, "alice", "wonder", 0);
    identity_retain(identity);
    identity_release(identity);
    cr_assert_not(list_empty(&all.all));
    cr_assert_str_eq(identity->password, "wonder");
    identity_release(identity);
    cr_assert(list_empty(&all.all));
}

/* ---- setting up a connection ---- */

static void setup_is(const struct identity *identity, int wanted, const char *wanted_bytes)
{
    struct buf out = {0};

    cr_assert_eq(identity_append_setup(identity, &out), wanted);
    buf_append(&out, "", 1);
    cr_assert_str_eq(buf_head(&out), wanted_bytes);
    buf_free(&out);
}

Test(identity, says_how_a_connection_becomes_it)
{
    struct identities all;
    struct identity *identity;

    identities_init(&all);
    identity = identity_nobody(&all);
    setup_is(identity, 0, "");
    identity_release(identity);
    identity = with(&all, NULL, "wonder", 0);
    setup_is(identity, 1, "*2\r\n$4\r\nAuth\r\n$6\r\nwonder\r\n");
    identity_release(identity);
    identity = with(&all, "alice", "wonder", 12);
    setup_is(identity, 2,
             "*3\r\n$4\r\nAuth\r\n$5\r\nalice\r\n$6\r\nwonder\r\n"
             "*2\r\n$6\r\nSelect\r\n$2\r\n12\r\n");
    identity_release(identity);
    identity = with(&all, "", "", 0);
    setup_is(identity, 1, "*3\r\n$4\r\nAuth\r\n$0\r\n\r\n$0\r\n\r\n");
    identity_release(identity);
}

/* RESP strings are binary safe: a user name or a password with a NUL in it must not be cut, and
 * what stands behind the copy must not be sent. */
Test(identity, a_nul_in_a_credential_is_a_byte_like_any_other)
{
    static const char wanted[] = "*3\r\n$4\r\nAuth\r\n$9\r\na\0bcdefgh\r\n$5\r\np\0qrs\r\n";
    struct identities all;
    struct identity *nobody, *one, *other;
    struct buf out = {0};

    identities_init(&all);
    nobody = identity_nobody(&all);
    one = identity_with_credential(&all, nobody, (struct slice){"a\0bcdefgh", 9},
                                   (struct slice){"p\0qrs", 5});
    other = identity_with_credential(&all, nobody, (struct slice){"a\0bcdefgX", 9},
                                     (struct slice){"p\0qrs", 5});
    cr_assert_neq(one, other);
    cr_assert_eq(identity_append_setup(one, &out), 1);
    cr_assert_eq(buf_len(&out), sizeof(wanted) - 1);
    cr_assert_arr_eq(buf_head(&out), wanted, sizeof(wanted) - 1);
    buf_free(&out);
    identity_release(one);
    identity_release(other);
    identity_release(nobody);
}
