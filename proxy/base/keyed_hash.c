/* keyed_hash: see the header. */
#include "base/keyed_hash.h"

#include <errno.h>
#include <sodium/crypto_shorthash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static unsigned char secret[crypto_shorthash_KEYBYTES];

/* Before main(), so that no table can be made without a key. So few bytes come whole, or not at all. */
__attribute__((constructor)) static void draw_secret(void)
{
    ssize_t got;
    do
        got = getrandom(secret, sizeof(secret), 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(secret)) {
        perror("redisproxy: no random bytes for the key of its tables (getrandom)");
        abort();
    }
}

unsigned keyed_hash(const void *key, size_t len)
{
    unsigned char hash[crypto_shorthash_BYTES];
    unsigned low;
    (void)crypto_shorthash(hash, key, len, secret);
    memcpy(&low, hash, sizeof(low));
    return low;
}
