/*
 * tls_sessions: what a client keeps of its TLS sessions, so that the next connection to the same peer need not verify
 * certificates and sign again. They belong to one context (tls_context.h) and end with it: what was verified with its
 * CAs, shown with its certificate, is good for no other. Nor does one outlive the certificate that the peer had shown.
 * Any thread.
 */
#ifndef REDISPROXY_NET_TLS_SESSIONS_H
#define REDISPROXY_NET_TLS_SESSIONS_H

#include <openssl/ssl.h>

struct tls_sessions;

struct tls_sessions *tls_sessions_new(void);
void tls_sessions_free(struct tls_sessions *sessions);

/* Connections of this context keep their sessions here from now on. */
void tls_sessions_use(struct tls_sessions *sessions, SSL_CTX *context);

/* Before the handshake of a connection of such a context: it uses the session of an earlier one with this peer, if there
 * is a good one, and keeps its own. `peer`: who it is with, and under which name it is verified; it outlives `ssl`. */
void tls_sessions_begin(SSL *ssl, const char *peer);

/* Its handshake has failed: the next one with this peer is a full one. */
void tls_sessions_failed(SSL *ssl);

#endif
