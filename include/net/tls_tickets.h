/*
 * tls_tickets: the keys with which a server's session tickets are sealed. All workers seal with the same, so a client may
 * come back to another one. They change every hour; one that is older than the last change is not taken any more. They
 * outlive a change of certificates. Any thread.
 */
#ifndef REDISPROXY_NET_TLS_TICKETS_H
#define REDISPROXY_NET_TLS_TICKETS_H

#include <openssl/ssl.h>

struct tls_tickets;

struct tls_tickets *tls_tickets_new(void);
/* Each context that uses them keeps them, too: the last one frees them. NULL is allowed. */
struct tls_tickets *tls_tickets_retain(struct tls_tickets *tickets);
void tls_tickets_release(struct tls_tickets *tickets);

/* Contexts of this kind seal with these keys from now on. */
void tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *context);

/* What was sealed until now is worth nothing: for who is believed has changed. */
void tls_tickets_forget(struct tls_tickets *tickets);

#endif
