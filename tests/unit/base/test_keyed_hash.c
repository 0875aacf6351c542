/*
 * keyed_hash: keys that all have the same hash by uthash's own function, which is known and has no key, are spread
 * over a table like any others. Counted are the elements in the table's buckets, not seconds.
 */
#include "base/keyed_hash.h"

#include "unit/colliding.h"

#include <criterion/criterion.h>

enum { KEYS = 50000 };

struct entry {
    char key[COLLIDING_LEN];
    UT_hash_handle hh;
};

/* A table of all the keys, each of which it has. */
static struct entry *fill(struct entry *entries)
{
    struct entry *table = NULL, *found;
    for (unsigned i = 0; i < KEYS; i++) {
        colliding_key(i, entries[i].key);
        HASH_ADD(hh, table, key, sizeof(entries[i].key), &entries[i]);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        HASH_FIND(hh, table, entries[i].key, sizeof(entries[i].key), found);
        cr_assert_eq(found, &entries[i]);
    }
    return table;
}

static unsigned longest_chain(const UT_hash_table *table)
{
    unsigned most = 0;
    for (unsigned i = 0; i < table->num_buckets; i++)
        most = table->buckets[i].count > most ? table->buckets[i].count : most;
    return most;
}

/* That these keys are what they are for: or the test below would show nothing. */
Test(keyed_hash, the_keys_collide_by_uthashs_own_hash)
{
    char key[COLLIDING_LEN], first[COLLIDING_LEN];
    unsigned hash, hash_of_first;
    colliding_key(0, first);
    HASH_JEN(first, sizeof(first), hash_of_first);
    for (unsigned i = 1; i < KEYS; i++) {
        colliding_key(i, key);
        HASH_JEN(key, sizeof(key), hash);
        cr_assert_eq(hash, hash_of_first);
        cr_assert_neq(memcmp(key, first, sizeof(key)), 0);
    }
}

/* uthash gives a table more buckets as soon as a chain is longer than ten: with a good hash two or three times that
 * are very rare. */
Test(keyed_hash, they_are_spread_like_any_others)
{
    struct entry *entries = calloc(KEYS, sizeof(*entries)), *table = fill(entries);
    cr_assert_eq(HASH_COUNT(table), KEYS);
    cr_assert_lt(longest_chain(table->hh.tbl), 30);
    HASH_CLEAR(hh, table);
    free(entries);
}

Test(keyed_hash, it_depends_on_every_byte)
{
    const char key[] = "abcdefghijklmnopqrstuvwxyz";
    unsigned whole = keyed_hash(key, 26);
    cr_assert_eq(keyed_hash(key, 26), whole);
    cr_assert_neq(keyed_hash(key, 25), whole);
    cr_assert_neq(keyed_hash(key + 1, 25), keyed_hash(key, 25));
    (void)keyed_hash("", 0);
}
