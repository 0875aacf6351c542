/*
 * certificates: keys and certificates that a test makes for itself, in a folder of its own, good or bad in whatever
 * way it asks for.
 */
#ifndef REDISPROXY_TESTS_CERTIFICATES_H
#define REDISPROXY_TESTS_CERTIFICATES_H

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>

struct certificate {
    EVP_PKEY *key;
    X509 *x509;
};

struct certificate_wish {
    const char *cn;
    const char *names; /* "DNS:localhost,IP:127.0.0.1,URI:spiffe://a/b"; NULL: none */
    const struct certificate *issuer; /* NULL: itself */
    bool authority;
    bool rsa;      /* instead of P-256 */
    long begins_s; /* from now */
    long ends_s;   /* from now; 0: in an hour */
};

static inline void certificate_extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    cr_assert(extension, "%s", value);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

static inline struct certificate certificate_make(const struct certificate_wish *wish)
{
    struct certificate made = {wish->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), X509_new()};
    X509 *issuer = wish->issuer ? wish->issuer->x509 : made.x509;
    unsigned char serial[8];
    cr_assert(made.key && made.x509 && RAND_bytes(serial, sizeof(serial)) == 1);
    serial[0] &= 0x7f;
    X509_set_version(made.x509, X509_VERSION_3);
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made.x509));
    BN_free(number);
    X509_gmtime_adj(X509_getm_notBefore(made.x509), wish->begins_s);
    X509_gmtime_adj(X509_getm_notAfter(made.x509), wish->ends_s ? wish->ends_s : 3600);
    X509_set_pubkey(made.x509, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.x509), "CN", MBSTRING_UTF8,
                               (const unsigned char *)wish->cn, -1, -1, 0);
    X509_set_issuer_name(made.x509, X509_get_subject_name(issuer));
    certificate_extend(made.x509, issuer, NID_basic_constraints,
                       wish->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    certificate_extend(made.x509, issuer, NID_subject_key_identifier, "hash");
    if (wish->names)
        certificate_extend(made.x509, issuer, NID_subject_alt_name, wish->names);
    cr_assert(X509_sign(made.x509, wish->issuer ? wish->issuer->key : made.key, EVP_sha256()) > 0);
    return made;
}

static inline void certificate_free(struct certificate *certificate)
{
    EVP_PKEY_free(certificate->key);
    X509_free(certificate->x509);
    *certificate = (struct certificate){0};
}

static inline FILE *certificate_file(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    cr_assert(file, "%s", path);
    return file;
}

/* Writes folder/name: the certificate, and those that stand between it and the root, up to a NULL. */
static inline void certificate_write(const char *folder, const char *name,
                                     const struct certificate *certificate,
                                     const struct certificate *between)
{
    FILE *file = certificate_file(folder, name);
    PEM_write_X509(file, certificate->x509);
    if (between)
        PEM_write_X509(file, between->x509);
    fclose(file);
}

static inline void certificate_write_key(const char *folder, const char *name,
                                         const struct certificate *certificate)
{
    FILE *file = certificate_file(folder, name);
    PEM_write_PrivateKey(file, certificate->key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

#endif
