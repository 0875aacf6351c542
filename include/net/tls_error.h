/* tls_error: what went wrong with TLS, in words for people and as one of a few reasons for a counter. Any thread. */
#ifndef REDISPROXY_NET_TLS_ERROR_H
#define REDISPROXY_NET_TLS_ERROR_H

#include "net/tls_context.h"

#include <openssl/ssl.h>
#include <stddef.h>

enum tls_failure {
    TLS_FAIL_CLOSED,         /* the peer ended the connection, or it broke */
    TLS_FAIL_TIMEOUT,        /* the handshake took too long */
    TLS_FAIL_PLAIN,          /* the peer does not speak TLS */
    TLS_FAIL_VERSION,        /* no version in common */
    TLS_FAIL_CIPHER,         /* no cipher in common */
    TLS_FAIL_NO_CERTIFICATE, /* the peer gave none */
    TLS_FAIL_CERTIFICATE,    /* the peer's is not good */
    TLS_FAIL_ALERT,          /* the peer refused, and said why */
    TLS_FAIL_PROTOCOL,       /* anything else */
    TLS_FAILURES
};

/* A word for a metric's label. */
const char *tls_failure_name(enum tls_failure failure);

/* Handshakes that failed, ever, of connections that are taken (clients') and made (to nodes and Sentinels). */
void tls_count_failure(enum tls_side side, enum tls_failure failure);
unsigned long long tls_failures(enum tls_side side, enum tls_failure failure);

/* The first error that OpenSSL has queued on this thread, in its words; the queue is empty afterwards. Returns out. */
char *tls_error_first(char *out, size_t size);

/* The same, of a handshake of `ssl` that has failed: with the reason why a certificate is not good. */
enum tls_failure tls_error_of(const SSL *ssl, char *out, size_t size);

#endif
