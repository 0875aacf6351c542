/* secure_files: the certificates of a trio, and the lines with which its servers and the proxy use them (secure.h). */
#include "certificates.h"
#include "harness/secure.h"
#include "harness/trio.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* A host that moves has ten more in its last number (trio_move()). */
static void add_addresses(FILE *out, const char *host)
{
    const char *dot = strrchr(host, '.');
    for (int more = 0; dot && more < 40; more += 10)
        fprintf(out, ",IP:%.*s.%d", (int)(dot - host), host, (atoi(dot + 1) + more) % 250);
}

static bool is_number(const char *host)
{
    struct in_addr number;
    return inet_pton(AF_INET, host, &number) == 1;
}

void secure_prepare(const struct trio *t)
{
    char *names = NULL;
    size_t len;
    FILE *out = open_memstream(&names, &len);
    fputs("DNS:localhost", out);
    for (int i = 0; i < TRIO_MAX; i++) {
        add_addresses(out, t->host[i]);
        if (is_number(t->name[i]) && strcmp(t->name[i], t->host[i]) != 0)
            add_addresses(out, t->name[i]);
        else if (!is_number(t->name[i]))
            fprintf(out, ",DNS:%s", t->name[i]);
    }
    fprintf(out, ",IP:%s,IP:%s.101", t->proxy_host,
            t->scratch.prefix); /* where a second one listens */
    fclose(out);
    struct certificate ca = certificate_make(
        &(struct certificate_wish){.cn = "ca", .authority = true, .ends_s = 86400});
    struct certificate own = certificate_make(
        &(struct certificate_wish){.cn = "redis", .names = names, .issuer = &ca, .ends_s = 86400});
    certificate_write(t->scratch.dir, "ca.crt", &ca, NULL);
    certificate_write(t->scratch.dir, "tls.crt", &own, NULL);
    certificate_write_key(t->scratch.dir, "tls.key", &own);
    certificate_free(&own);
    certificate_free(&ca);
    free(names);
    setenv("TLS_FOLDER", t->scratch.dir, 1);
    setenv("TLS_PROXY_HOST", t->proxy_host, 1);
}

/* Sentinel has one switch for all its own connections, which includes those to the nodes. */
void secure_port_lines(FILE *out, const struct trio *t, int port, bool sentinel)
{
    const char *dir = t->scratch.dir;
    bool mixed = secure_nodes() != secure_sentinels();
    if (!secure_nodes() && !(sentinel && secure_sentinels())) {
        fprintf(out, "port %d\n", port);
        return;
    }
    if (sentinel && mixed)
        fprintf(out, "port %d\ntls-port %d\n", port, SECURE_SENTINEL_PORT);
    else
        fprintf(out, "port 0\ntls-port %d\n", port);
    fprintf(out,
            "tls-cert-file %s/tls.crt\ntls-key-file %s/tls.key\ntls-ca-cert-file %s/ca.crt\n"
            "tls-replication %s\n%s",
            dir, dir, dir, secure_nodes() ? "yes" : "no", sentinel ? "" : "tls-auth-clients yes\n");
}

void secure_master_lines(FILE *out, const struct trio *t)
{
    const char *dir = t->scratch.dir;
    if (!secure_nodes() && !secure_sentinels())
        return;
    fprintf(out,
            "tls = %s\nsentinel_tls = %s\ntls_ca = %s/ca.crt\ntls_cert = %s/tls.crt\n"
            "tls_key = %s/tls.key\n",
            secure_nodes() ? "verify-full" : "disable",
            secure_sentinels() ? "verify-full" : "disable", dir, dir, dir);
}

void secure_listen_lines(FILE *out, const struct trio *t)
{
    fprintf(out, "tls = yes\ntls_cert = %s/tls.crt\ntls_key = %s/tls.key\n", t->scratch.dir,
            t->scratch.dir);
}
