/* http_tls: see the header. */
#include "ops/http_tls.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Certificates between the own one and its CA's. */
#define CHAIN_MAX 8
/* A connection has 10 s for its handshake and its request (http_connections.h). */
#define KEPT_MS 60000
#define PRIORITIES "NORMAL:-RSA:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define PRIORITIES_1_3 "NORMAL:-RSA:-VERS-ALL:+VERS-TLS1.3"

/* A certificate as GnuTLS wants it. Handshakes under way point into it: it is kept for longer than one may take. */
struct pair {
    struct list in_pairs;
    struct tls_context *context; /* what it is made of */
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_len;
    gnutls_privkey_t key;
    int64_t replaced_ms; /* 0: it is the newest */
};

/* libmicrohttpd's callback has no place for data of ours. */
static struct {
    struct tls_source *source; /* NULL: plain */
    struct list pairs;         /* the newest first */
    char *authorities;         /* the file as it was at the start: what clients are told */
    struct MHD_OptionItem options[4];
} tls;

/* ---- the certificate ---- */

static struct pair *pair_of(struct list *node)
{
    return container_of(node, struct pair, in_pairs);
}

static void forget(struct pair *pair)
{
    list_remove(&pair->in_pairs);
    for (unsigned i = 0; i < pair->chain_len; i++)
        gnutls_pcert_deinit(&pair->chain[i]);
    if (pair->key)
        gnutls_privkey_deinit(pair->key);
    tls_context_release(pair->context);
    free(pair);
}

static void forget_old(int64_t now_ms)
{
    list_each (it, &tls.pairs)
        if (pair_of(it)->replaced_ms && now_ms - pair_of(it)->replaced_ms > KEPT_MS)
            forget(pair_of(it));
}

static bool add_certificate(struct pair *pair, X509 *certificate)
{
    unsigned char *der = NULL;
    int len = pair->chain_len < CHAIN_MAX ? i2d_X509(certificate, &der) : -1;
    gnutls_datum_t datum = {der, len > 0 ? (unsigned)len : 0};
    bool good = len > 0 && gnutls_pcert_import_x509_raw(&pair->chain[pair->chain_len], &datum,
                                                        GNUTLS_X509_FMT_DER, 0) == 0;
    OPENSSL_free(der);
    pair->chain_len += good;
    return good;
}

static bool add_key(struct pair *pair, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    gnutls_datum_t datum;
    bool good = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    long len = good ? BIO_get_mem_data(bio, &pem) : 0;
    datum = (gnutls_datum_t){(unsigned char *)pem, (unsigned)len};
    good = good && gnutls_privkey_init(&pair->key) == 0 &&
           gnutls_privkey_import_x509_raw(pair->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0) == 0;
    BIO_free(bio);
    return good;
}

/* Takes over the context. Returns NULL when GnuTLS does not take what OpenSSL did. */
static struct pair *pair_new(struct tls_context *context)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    SSL_CTX *ssl = tls_context_ssl(context);
    STACK_OF(X509) *between = NULL;
    bool good;
    if (!pair)
        out_of_memory(sizeof(*pair));
    list_init(&pair->in_pairs);
    pair->context = context;
    good = add_certificate(pair, SSL_CTX_get0_certificate(ssl));
    SSL_CTX_get0_chain_certs(ssl, &between);
    for (int i = 0; i < sk_X509_num(between) && good; i++)
        good = add_certificate(pair, sk_X509_value(between, i));
    if (good && add_key(pair, SSL_CTX_get0_privatekey(ssl)))
        return pair;
    forget(pair);
    return NULL;
}

/* The pair of the newest context; NULL: there is none that is good. */
static struct pair *newest(void)
{
    struct tls_context *context = tls_source_context(tls.source);
    struct pair *pair = list_empty(&tls.pairs) ? NULL : pair_of(tls.pairs.next);
    int64_t now = clock_ms();
    forget_old(now);
    if (pair && pair->context == context) {
        tls_context_release(context);
        return pair;
    }
    if (pair)
        pair->replaced_ms = now;
    pair = pair_new(context);
    if (pair)
        list_prepend(&tls.pairs, &pair->in_pairs);
    return pair;
}

static int on_handshake(gnutls_session_t session, const gnutls_datum_t *authorities,
                        int authority_count, const gnutls_pk_algorithm_t *algorithms,
                        int algorithm_count, gnutls_pcert_st **chain, unsigned *chain_len,
                        gnutls_privkey_t *key)
{
    struct pair *pair = newest();
    (void)session;
    (void)authorities;
    (void)authority_count;
    (void)algorithms;
    (void)algorithm_count;
    if (!pair)
        return -1;
    *chain = pair->chain;
    *chain_len = pair->chain_len;
    *key = pair->key;
    return 0;
}

/* ---- the options ---- */

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    if (!file)
        return NULL;
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

const struct MHD_OptionItem *http_tls_begin(struct tls_source *source)
{
    const struct tls_settings *settings = source ? tls_source_settings(source) : NULL;
    size_t count = 0;
    tls.source = source;
    list_init(&tls.pairs);
    if (source) {
        const char *priorities = settings->min_version == TLS_1_3 ? PRIORITIES_1_3 : PRIORITIES;
        tls.options[count++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)on_handshake};
        tls.options[count++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)priorities};
        tls.authorities = settings->ca ? read_text(settings->ca) : NULL;
        if (tls.authorities)
            tls.options[count++] =
                (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, tls.authorities};
    }
    tls.options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return tls.options;
}

void http_tls_end(void)
{
    list_each (it, &tls.pairs)
        forget(pair_of(it));
    free(tls.authorities);
    tls.authorities = NULL;
    tls.source = NULL;
}

/* ---- clients' certificates ---- */

/* What the client has shown, the own one first. */
static STACK_OF(X509) * shown(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned count = 0;
    const gnutls_datum_t *chain =
        info ? gnutls_certificate_get_peers(info->tls_session, &count) : NULL;
    STACK_OF(X509) *out = sk_X509_new_null();
    for (unsigned i = 0; chain && i < count; i++) {
        const unsigned char *der = chain[i].data;
        X509 *certificate = d2i_X509(NULL, &der, (long)chain[i].size);
        if (certificate)
            sk_X509_push(out, certificate);
    }
    return out;
}

bool http_tls_admits(struct MHD_Connection *connection)
{
    struct tls_context *context;
    STACK_OF(X509) * chain;
    X509_STORE_CTX *check;
    bool good = false;
    if (!tls.source || !tls_source_settings(tls.source)->ca)
        return true;
    context = tls_source_context(tls.source);
    chain = shown(connection);
    check = X509_STORE_CTX_new();
    if (!check)
        out_of_memory(0);
    if (sk_X509_num(chain) > 0 &&
        X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(tls_context_ssl(context)),
                            sk_X509_value(chain, 0), chain) == 1) {
        X509_STORE_CTX_set_purpose(check, X509_PURPOSE_SSL_CLIENT);
        good = X509_verify_cert(check) == 1;
    }
    X509_STORE_CTX_free(check);
    sk_X509_pop_free(chain, X509_free);
    tls_context_release(context);
    return good;
}
