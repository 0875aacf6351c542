/* tls_peer: who a peer is, as its certificate says (net/tls.h). */
#include "net/tls.h"

#include <openssl/x509v3.h>
#include <string.h>

static const char *take_name(const ASN1_STRING *name, char *out, size_t size)
{
    size_t len = name ? (size_t)ASN1_STRING_length(name) : 0;
    const unsigned char *bytes = name ? ASN1_STRING_get0_data(name) : NULL;
    out[0] = '\0';
    if (len >= size || (len > 0 && memchr(bytes, '\0', len)))
        return out;
    if (len > 0)
        memcpy(out, bytes, len);
    out[len] = '\0';
    return out;
}

const char *tls_peer_cn(const struct tls *tls, char *out, size_t size)
{
    X509 *peer = tls_peer_certificate(tls);
    const X509_NAME *subject = peer ? X509_get_subject_name(peer) : NULL;
    int at = subject ? X509_NAME_get_index_by_NID((X509_NAME *)subject, NID_commonName, -1) : -1;
    take_name(at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL, out,
              size);
    X509_free(peer);
    return out;
}

const char *tls_peer_uri(const struct tls *tls, char *out, size_t size)
{
    X509 *peer = tls_peer_certificate(tls);
    GENERAL_NAMES *names = peer ? X509_get_ext_d2i(peer, NID_subject_alt_name, NULL, NULL) : NULL;
    const ASN1_STRING *uri = NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !uri; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_URI)
            uri = name->d.uniformResourceIdentifier;
    }
    take_name(uri, out, size);
    GENERAL_NAMES_free(names);
    X509_free(peer);
    return out;
}
