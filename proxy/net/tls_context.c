/*
 * tls_context: see the header.
 *
 * What a scan would complain of is off: no renegotiation, no compression, no early data (a replayed write would be
 * executed twice), and of TLS 1.2 only suites with forward secrecy and authenticated encryption.
 */
#include "net/tls_context.h"

#include "base/memory.h"
#include "net/tls_error.h"
#include "net/tls_sessions.h"
#include "net/tls_tickets.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TLS_1_2_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls_context {
    atomic_uint refs;
    struct tls_settings settings;
    struct tls_tickets *tickets;
    SSL_CTX *ssl;
    struct tls_sessions *sessions; /* a client's */
    int64_t cert_ends, ca_ends;
};

/* Where a loading writes what is wrong. */
struct complaint {
    char *text;
    size_t size;
};

/* `what` could not be done, `of` this file or setting, for OpenSSL's reason. Returns false. */
static bool complain(const struct complaint *complaint, const char *what, const char *of)
{
    char why[160];
    snprintf(complaint->text, complaint->size, "%s %s: %s", what, of,
             tls_error_first(why, sizeof(why)));
    return false;
}

/* ---- settings ---- */

enum { TEXTS = 7 };

static void find_texts(struct tls_settings *settings, const char **texts[TEXTS])
{
    const char **all[TEXTS] = {&settings->cert,       &settings->key,          &settings->ca,
                               &settings->ciphers,    &settings->ciphersuites, &settings->groups,
                               &settings->server_name};
    memcpy(texts, all, sizeof(all));
}

struct tls_settings tls_settings_copy(const struct tls_settings *settings)
{
    struct tls_settings copy = *settings;
    const char **texts[TEXTS];
    find_texts(&copy, texts);
    for (int i = 0; i < TEXTS; i++) {
        if (!*texts[i])
            continue;
        *texts[i] = strdup(*texts[i]);
        if (!*texts[i])
            out_of_memory(0);
    }
    return copy;
}

void tls_settings_free(struct tls_settings *settings)
{
    const char **texts[TEXTS];
    find_texts(settings, texts);
    for (int i = 0; i < TEXTS; i++)
        free((char *)*texts[i]);
}

bool tls_settings_equal(const struct tls_settings *a, const struct tls_settings *b)
{
    struct tls_settings one = *a, other = *b;
    const char **texts[TEXTS], **others[TEXTS];
    find_texts(&one, texts);
    find_texts(&other, others);
    for (int i = 0; i < TEXTS; i++)
        if (*texts[i] && *others[i] ? strcmp(*texts[i], *others[i]) != 0 : *texts[i] != *others[i])
            return false;
    return a->side == b->side && a->verify == b->verify && a->min_version == b->min_version;
}

/* ---- how long it lasts ---- */

int64_t tls_certificate_ends(const X509 *certificate)
{
    const ASN1_TIME *end = certificate ? X509_get0_notAfter(certificate) : NULL;
    struct tm tm;
    if (!end || !ASN1_TIME_to_tm(end, &tm))
        return 0;
    return (int64_t)timegm(&tm);
}

/* Of the CAs that were read from a file: the first to end. */
static int64_t first_end(X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    int64_t first = 0;
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        int64_t end = tls_certificate_ends(X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i)));
        if (end && (!first || end < first))
            first = end;
    }
    return first;
}

/* ---- reading ---- */

/* An encrypted key has nobody who could type its password. */
static int no_password(char *into, int size, int writing, void *data)
{
    (void)into;
    (void)size;
    (void)writing;
    (void)data;
    return -1;
}

static bool read_pair(struct tls_context *context, const struct complaint *complaint)
{
    const struct tls_settings *settings = &context->settings;
    const char *key = settings->key ? settings->key : settings->cert;
    if (!settings->cert)
        return true;
    SSL_CTX_set_default_passwd_cb(context->ssl, no_password);
    if (SSL_CTX_use_certificate_chain_file(context->ssl, settings->cert) != 1)
        return complain(complaint, "the certificate cannot be read from", settings->cert);
    if (SSL_CTX_use_PrivateKey_file(context->ssl, key, SSL_FILETYPE_PEM) != 1)
        return complain(complaint,
                        ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH
                            ? "the certificate does not belong to the key in"
                            : "the key cannot be read from",
                        key);
    context->cert_ends = tls_certificate_ends(SSL_CTX_get0_certificate(context->ssl));
    return true;
}

static bool read_authorities(struct tls_context *context, const struct complaint *complaint)
{
    const struct tls_settings *settings = &context->settings;
    if (settings->verify == TLS_VERIFY_NONE)
        return true;
    if (!settings->ca) {
        SSL_CTX_set_default_verify_paths(context->ssl);
        return true;
    }
    if (SSL_CTX_load_verify_file(context->ssl, settings->ca) != 1)
        return complain(complaint, "the certificates of the CAs cannot be read from", settings->ca);
    if (settings->side == TLS_SERVER)
        SSL_CTX_set_client_CA_list(context->ssl, SSL_load_client_CA_file(settings->ca));
    context->ca_ends = first_end(SSL_CTX_get_cert_store(context->ssl));
    return true;
}

/* ---- versions and ciphers ---- */

static bool set_ciphers(struct tls_context *context, const struct complaint *complaint)
{
    const struct tls_settings *settings = &context->settings;
    SSL_CTX *ssl = context->ssl;
    const char *ciphers = settings->ciphers ? settings->ciphers : TLS_1_2_CIPHERS;
    SSL_CTX_set_min_proto_version(ssl, settings->min_version == TLS_1_3 ? TLS1_3_VERSION
                                                                        : TLS1_2_VERSION);
    if (SSL_CTX_set_cipher_list(ssl, ciphers) != 1)
        return complain(complaint, "tls_ciphers names nothing that OpenSSL knows:", ciphers);
    if (settings->ciphersuites && SSL_CTX_set_ciphersuites(ssl, settings->ciphersuites) != 1)
        return complain(complaint, "tls_ciphersuites names nothing that OpenSSL knows:",
                        settings->ciphersuites);
    if (settings->groups && SSL_CTX_set1_groups_list(ssl, settings->groups) != 1)
        return complain(complaint,
                        "tls_groups names nothing that OpenSSL knows:", settings->groups);
    return true;
}

static void set_options(struct tls_context *context)
{
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* An idle connection owns no buffers of 16 KB. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_early_data(ssl, 0);
}

static void set_verify(struct tls_context *context)
{
    int mode = SSL_VERIFY_NONE;
    if (context->settings.verify != TLS_VERIFY_NONE)
        mode = SSL_VERIFY_PEER;
    if (context->settings.verify == TLS_VERIFY_CA && context->settings.side == TLS_SERVER)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context->ssl, mode, NULL);
}

/* Sessions are resumed by tickets only: nothing is kept for a client that may never come again. A client keeps its own. */
static void set_resumption(struct tls_context *context, struct tls_tickets *tickets)
{
    static const unsigned char id[] = "redisproxy";
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    if (context->settings.side == TLS_CLIENT) {
        context->sessions = tls_sessions_new();
        tls_sessions_use(context->sessions, context->ssl);
        return;
    }
    SSL_CTX_set_session_id_context(context->ssl, id, sizeof(id) - 1);
    SSL_CTX_set_num_tickets(context->ssl, tickets ? 1 : 0);
    if (tickets)
        tls_tickets_use(tickets, context->ssl);
    else
        SSL_CTX_set_options(context->ssl, SSL_OP_NO_TICKET);
}

/* ---- life ---- */

struct tls_context *tls_context_load(const struct tls_settings *settings,
                                     struct tls_tickets *tickets, char *error, size_t size)
{
    const struct complaint complaint = {error, size};
    struct tls_context *context = calloc(1, sizeof(*context));
    if (!context)
        out_of_memory(sizeof(*context));
    atomic_init(&context->refs, 1);
    context->settings = tls_settings_copy(settings);
    context->tickets = tls_tickets_retain(tickets);
    ERR_clear_error();
    context->ssl =
        SSL_CTX_new(settings->side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
    if (!context->ssl)
        out_of_memory(0);
    set_options(context);
    set_verify(context);
    set_resumption(context, tickets);
    if (set_ciphers(context, &complaint) && read_pair(context, &complaint) &&
        read_authorities(context, &complaint))
        return context;
    tls_context_release(context);
    return NULL;
}

struct tls_context *tls_context_retain(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void tls_context_release(struct tls_context *context)
{
    if (!context || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(context->ssl);
    tls_sessions_free(context->sessions);
    tls_tickets_release(context->tickets);
    tls_settings_free(&context->settings);
    free(context);
}

const struct tls_settings *tls_context_settings(const struct tls_context *context)
{
    return &context->settings;
}

void tls_expect_name(const struct tls_context *context, SSL *ssl, const char *name)
{
    const struct tls_settings *settings = &context->settings;
    bool verified = settings->verify == TLS_VERIFY_NAME;
    unsigned char number[sizeof(struct in6_addr)];
    if (settings->server_name)
        name = settings->server_name;
    if (inet_pton(AF_INET, name, number) == 1 || inet_pton(AF_INET6, name, number) == 1) {
        if (verified)
            X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
        return;
    }
    SSL_set_tlsext_host_name(ssl, name);
    if (verified) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(ssl, name);
    }
}

SSL_CTX *tls_context_ssl(const struct tls_context *context)
{
    return context->ssl;
}

int64_t tls_context_cert_ends(const struct tls_context *context)
{
    return context->cert_ends;
}

int64_t tls_context_ca_ends(const struct tls_context *context)
{
    return context->ca_ends;
}
