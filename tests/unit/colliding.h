/*
 * colliding: any number of keys that all have the same hash by Bob Jenkins' function, as uthash has it (HASH_JEN). A
 * key of twelve bytes is three words that are added to the function's state, which is then mixed twice; mixing can be
 * undone. So each state in which the third word, which is the hash, is the wanted one leads back to a key.
 */
#ifndef TESTS_UNIT_COLLIDING_H
#define TESTS_UNIT_COLLIDING_H

#include <stdint.h>
#include <string.h>

#define COLLIDING_LEN 12

/* The opposite of HASH_JEN_MIX: its lines from the last one to the first. */
static inline void colliding_unmix(uint32_t *a, uint32_t *b, uint32_t *c)
{
    *c ^= *b >> 15, *c += *b, *c += *a;
    *b ^= *a << 10, *b += *a, *b += *c;
    *a ^= *c >> 3, *a += *c, *a += *b;
    *c ^= *b >> 5, *c += *b, *c += *a;
    *b ^= *a << 16, *b += *a, *b += *c;
    *a ^= *c >> 12, *a += *c, *a += *b;
    *c ^= *b >> 13, *c += *b, *c += *a;
    *b ^= *a << 8, *b += *a, *b += *c;
    *a ^= *c >> 13, *a += *c, *a += *b;
}

static inline void colliding_key(uint32_t number, char key[COLLIDING_LEN])
{
    uint32_t word[3] = {number, 0x5EED, 0xC0111DE};
    colliding_unmix(&word[0], &word[1], &word[2]);
    word[2] -= COLLIDING_LEN;
    colliding_unmix(&word[0], &word[1], &word[2]);
    word[0] -= 0x9e3779b9u;
    word[1] -= 0x9e3779b9u;
    word[2] -= 0xfeedbeefu;
    memcpy(key, word, COLLIDING_LEN); /* the function reads them as little-endian numbers */
}

#endif
