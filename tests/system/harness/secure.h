/*
 * secure: TLS in the harness. With TLS=1 in the environment every server, the proxy on all its sides, and every client
 * of a test program speak TLS, with certificates that the trio makes; the tests themselves need not know. A test
 * about TLS itself makes its own certificates (certificates.h), and connects as it likes (secure_connect()).
 *
 * A client gets an ordinary socket: behind it a thread speaks TLS with the other side. So what wants a
 * descriptor (hiredis of Debian 12 speaks no TLS) gets one.
 */
#ifndef TESTS_SYSTEM_SECURE_H
#define TESTS_SYSTEM_SECURE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>

struct trio;

/* Whether the nodes, the Sentinels, and the proxy towards them, speak TLS (both: TLS=1 or TLS=servers; one: TLS=nodes or
 * TLS=sentinels); whether the proxy and its clients do (TLS=1 or TLS=clients). Several: TLS=clients,nodes. Where nodes and Sentinels differ, a
 * Sentinel listens at both TRIO_SENTINEL_PORT, plainly, and SECURE_SENTINEL_PORT. */
bool secure_nodes(void);
bool secure_sentinels(void);
bool secure_clients(void);
#define SECURE_SENTINEL_PORT 26380
/* Where the proxy finds Sentinels. */
int secure_sentinel_port(void);
/* Whether somebody does; whether who listens there does: not what listens for HTTP. */
bool secure_any(void);
bool secure_at(const char *host, int port);

/* Makes ca.crt, tls.crt and tls.key in the trio's folder, good for all its addresses and names. */
void secure_prepare(const struct trio *trio);

/* Lines for redis-server and redis-sentinel instead of "port N"; for the proxy's sections. */
void secure_port_lines(FILE *out, const struct trio *trio, int port, bool sentinel);
void secure_master_lines(FILE *out, const struct trio *trio);
void secure_listen_lines(FILE *out, const struct trio *trio);

/* A socket behind which TLS is spoken with host:port; -1: it could not be connected. Where the handshake fails, the socket is
 * at its end. */
int secure_open(const char *host, int port, int ms);

/* The same with a context and a name of one's own; `why` (of `size`, may be NULL) tells what went wrong. */
int secure_connect(SSL_CTX *context, const char *host, int port, const char *name, char *why,
                   size_t size);

#endif
