/* tls_tickets: see the header. The construction (AES-256-CBC, HMAC-SHA-256, a name of 16 bytes) is that of RFC 5077, section 4. */
#include "net/tls_tickets.h"

#include "base/clock.h"
#include "base/memory.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_MS ((int64_t)60 * 60 * 1000)
#define KEYS 2

struct key {
    unsigned char name[16], cipher[32], mac[32];
};

struct tls_tickets {
    atomic_uint refs;
    pthread_mutex_t lock;
    struct key keys[KEYS]; /* the first seals */
    int64_t changed_ms;
};

static void make(struct key *key)
{
    if (RAND_bytes((unsigned char *)key, sizeof(*key)) != 1)
        abort(); /* nothing can be secret without random numbers */
}

struct tls_tickets *tls_tickets_new(void)
{
    struct tls_tickets *tickets = calloc(1, sizeof(*tickets));
    if (!tickets)
        out_of_memory(sizeof(*tickets));
    atomic_init(&tickets->refs, 1);
    pthread_mutex_init(&tickets->lock, NULL);
    tls_tickets_forget(tickets);
    return tickets;
}

struct tls_tickets *tls_tickets_retain(struct tls_tickets *tickets)
{
    if (tickets)
        atomic_fetch_add_explicit(&tickets->refs, 1, memory_order_relaxed);
    return tickets;
}

void tls_tickets_release(struct tls_tickets *tickets)
{
    if (!tickets || atomic_fetch_sub_explicit(&tickets->refs, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&tickets->lock);
    explicit_bzero(tickets->keys, sizeof(tickets->keys));
    free(tickets);
}

void tls_tickets_forget(struct tls_tickets *tickets)
{
    pthread_mutex_lock(&tickets->lock);
    for (int i = 0; i < KEYS; i++)
        make(&tickets->keys[i]);
    tickets->changed_ms = clock_ms();
    pthread_mutex_unlock(&tickets->lock);
}

/* The lock is held. Nobody came for longer than an hour: both are old. */
static void change(struct tls_tickets *tickets)
{
    int64_t age = clock_ms() - tickets->changed_ms;
    if (age < CHANGE_MS)
        return;
    tickets->keys[1] = tickets->keys[0];
    if (age >= 2 * CHANGE_MS)
        make(&tickets->keys[1]);
    make(&tickets->keys[0]);
    tickets->changed_ms = clock_ms();
}

/* The key that seals (`name` NULL), or the one of this name. Returns its number, or -1. */
static int find(struct tls_tickets *tickets, const unsigned char *name, struct key *out)
{
    int found = -1;
    pthread_mutex_lock(&tickets->lock);
    change(tickets);
    for (int i = 0; i < KEYS && found < 0; i++)
        if (!name || memcmp(name, tickets->keys[i].name, sizeof(out->name)) == 0)
            found = i;
    if (found >= 0)
        *out = tickets->keys[found];
    pthread_mutex_unlock(&tickets->lock);
    return found;
}

static bool set_mac(EVP_MAC_CTX *mac, struct key *key)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* What OpenSSL wants back: SSL_CTX_set_tlsext_ticket_key_evp_cb(3). 0: make a full handshake; 2: and a new ticket. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct key key;
    int number = find(tickets, sealing ? NULL : name, &key), result = -1;
    if (number < 0)
        return 0;
    if (sealing) {
        memcpy(name, key.name, sizeof(key.name));
        if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 &&
            EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1 &&
            set_mac(mac, &key))
            result = 1;
    } else if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1 &&
               set_mac(mac, &key)) {
        result = number == 0 && SSL_version(ssl) < TLS1_3_VERSION
                     ? 1
                     : 2; /* TLS 1.3 wants a new one each time */
    }
    explicit_bzero(&key, sizeof(key));
    return result;
}

void tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *context)
{
    SSL_CTX_set_app_data(context, tickets);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}
