/* tls_error: see the header. */
#include "net/tls_error.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

const char *tls_failure_name(enum tls_failure failure)
{
    static const char *const names[TLS_FAILURES] = {
        [TLS_FAIL_CLOSED] = "closed",
        [TLS_FAIL_TIMEOUT] = "timeout",
        [TLS_FAIL_PLAIN] = "plain",
        [TLS_FAIL_VERSION] = "version",
        [TLS_FAIL_CIPHER] = "cipher",
        [TLS_FAIL_NO_CERTIFICATE] = "no_certificate",
        [TLS_FAIL_CERTIFICATE] = "certificate",
        [TLS_FAIL_ALERT] = "alert",
        [TLS_FAIL_PROTOCOL] = "protocol",
    };
    return names[failure];
}

static atomic_ullong counts[TLS_CLIENT + 1][TLS_FAILURES];

void tls_count_failure(enum tls_side side, enum tls_failure failure)
{
    atomic_fetch_add_explicit(&counts[side][failure], 1, memory_order_relaxed);
}

unsigned long long tls_failures(enum tls_side side, enum tls_failure failure)
{
    return atomic_load_explicit(&counts[side][failure], memory_order_relaxed);
}

/* A system's error (a file that is not there) has no reason of OpenSSL's. */
static const char *words_of(unsigned long error)
{
    const char *words =
        ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
    return words ? words : "OpenSSL does not say why";
}

char *tls_error_first(char *out, size_t size)
{
    unsigned long error = ERR_peek_error();
    snprintf(out, size, "%s", words_of(error));
    ERR_clear_error();
    return out;
}

static enum tls_failure failure_of(int reason)
{
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
        return TLS_FAIL_PLAIN;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return TLS_FAIL_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_GROUPS:
        return TLS_FAIL_CIPHER;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return TLS_FAIL_NO_CERTIFICATE;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return TLS_FAIL_CERTIFICATE;
    default:
        return reason >= SSL_AD_REASON_OFFSET ? TLS_FAIL_ALERT : TLS_FAIL_PROTOCOL;
    }
}

enum tls_failure tls_error_of(const SSL *ssl, char *out, size_t size)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        snprintf(out, size, "the certificate is not good: %s",
                 X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    else if (failure_of(reason) == TLS_FAIL_PLAIN)
        snprintf(out, size, "the peer does not speak TLS");
    else
        snprintf(out, size, "%s", words_of(error));
    ERR_clear_error();
    return failure_of(reason);
}
