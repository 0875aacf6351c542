/*
 * tls_context: what the TLS connections of one side have in common: certificate and key, the CAs that are believed,
 * versions and ciphers. It is read from files as one unit, never changes afterwards, and is counted: a connection keeps the one
 * that it began with. Any thread.
 */
#ifndef REDISPROXY_NET_TLS_CONTEXT_H
#define REDISPROXY_NET_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_tickets;

enum tls_side { TLS_SERVER, TLS_CLIENT };

/* Whether the peer's certificate is looked at. */
enum tls_verify {
    TLS_VERIFY_NONE,     /* a server asks for none; a client takes any */
    TLS_VERIFY_OPTIONAL, /* of a server only: asked for, and must be good where there is one */
    TLS_VERIFY_CA,       /* must be there, and issued by one of `ca` */
    TLS_VERIFY_NAME,     /* of a client only: and for the name of who was connected to */
};

/* The same as people write it, of a group. */
enum tls_mode { TLS_DISABLE, TLS_REQUIRE, TLS_VERIFY_AUTHORITY, TLS_VERIFY_FULL, TLS_YES };

enum tls_version { TLS_1_2, TLS_1_3 };

struct tls_settings {
    enum tls_side side;
    enum tls_verify verify;
    enum tls_version min_version;
    const char *cert, *key; /* paths of PEM files; NULL: none, which a server cannot do without */
    const char *ca;         /* NULL: the system's, where somebody is verified */
    const char *ciphers;    /* of TLS 1.2; NULL: those with forward secrecy and authentication */
    const char *ciphersuites, *groups; /* NULL: OpenSSL's */
    const char *
        server_name; /* what a client asks for and expects instead of the name that it connects to; NULL: that */
};

/* A copy with strings of its own, and their end. */
struct tls_settings tls_settings_copy(const struct tls_settings *settings);
void tls_settings_free(struct tls_settings *settings);
bool tls_settings_equal(const struct tls_settings *a, const struct tls_settings *b);

struct tls_context;

/* Reads the files. The settings are copied; `tickets` (of a server; NULL: none) are kept. Returns NULL and says in
 * `error` what is wrong, with the file's name. */
struct tls_context *tls_context_load(const struct tls_settings *settings,
                                     struct tls_tickets *tickets, char *error, size_t size)
    __attribute__((warn_unused_result));

struct tls_context *tls_context_retain(struct tls_context *context);
void tls_context_release(struct tls_context *context);

const struct tls_settings *tls_context_settings(const struct tls_context *context);
SSL_CTX *tls_context_ssl(const struct tls_context *context);

/* A client's connection asks for this name (or the settings' own), and expects it in the certificate where certificates are
 * looked at for that: a host name, or a number that must be among the IP addresses there. Before the handshake. */
void tls_expect_name(const struct tls_context *context, SSL *ssl, const char *name);

/* When the certificate ends, and the first of the CAs to end: seconds since 1970; 0: there is none. */
int64_t tls_context_cert_ends(const struct tls_context *context);
int64_t tls_context_ca_ends(const struct tls_context *context);

/* The same of any certificate; 0 where that cannot be told. */
int64_t tls_certificate_ends(const X509 *certificate);

#endif
