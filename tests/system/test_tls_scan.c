/*
 * tls_scan: what a scanner of TLS servers looks for, asked with `openssl s_client` of a listener with a certificate of
 * each kind, and of the HTTP endpoint: old versions, weak suites, renegotiation, compression, early data.
 */
#include "certificates.h"
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EC_PORT = 7379, RSA_PORT, OUTPUT = 64 * 1024 };

const struct suite suite = {.alone = true, .at_once = 2};

static struct trio trio;
static struct proxy proxy;

static const char *section(int port, const char *name)
{
    const char *dir = trio.scratch.dir;
    return text("\n[listen %s:%d]\nmaster = %s\ntls = yes\ntls_cert = %s/%s.crt\ntls_key = "
                "%s/%s.key\n",
                trio.proxy_host, port, TRIO_GROUP, dir, name, dir, name);
}

static void issue(const char *name, bool rsa)
{
    struct certificate made = certificate_make(&(struct certificate_wish){.cn = name, .rsa = rsa});
    certificate_write(trio.scratch.dir, text("%s.crt", name), &made, NULL);
    certificate_write_key(trio.scratch.dir, text("%s.key", name), &made);
    certificate_free(&made);
}

static void start(const char *more)
{
    const char *dir = trio.scratch.dir;
    struct proxy_options options = {
        .proxy_lines =
            text("http_tls_cert = %s/rsa.crt\nhttp_tls_key = %s/rsa.key\n%s", dir, dir, more),
        .sections = text("%s%s", section(EC_PORT, "ec"), section(RSA_PORT, "rsa"))};
    cr_assert_eq(proxy_start(&proxy, &trio, &options), 0);
}

static void begin(void)
{
    cr_assert_eq(trio_start(&trio, &(struct trio_options){.fast = true}), 0);
    issue("ec", false);
    issue("rsa", true);
}

static void end(void)
{
    cr_assert_eq(proxy_stop(&proxy), 0);
    trio_stop(&trio);
}

TestSuite(tls_scan, .init = begin, .fini = end, .timeout = 120);

/* What a command prints; good until the next call. */
static const char *printed(const char *command)
{
    static char out[OUTPUT];
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    size_t len = fread(out, 1, sizeof(out) - 1, pipe);
    out[len] = '\0';
    pclose(pipe);
    return out;
}

/* s_client with these arguments, which gets `input` and then its end. */
static const char *scan(int port, const char *arguments, const char *input)
{
    return printed(text("printf '%s' | timeout 20 openssl s_client -connect %s:%d %s 2>&1", input,
                        proxy.host, port, arguments));
}

static bool agrees(int port, const char *arguments)
{
    const char *said = scan(port, arguments, "");
    cr_assert(strstr(said, "CONNECTED"), "%s", said);
    return !strstr(said, "Cipher is (NONE)");
}

static SSL *new_client(SSL_CTX *context, int port)
{
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, raw_open_plain(proxy.host, port));
    return ssl;
}

static void free_client(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

/* ---- versions and suites ---- */

static const int all[] = {EC_PORT, RSA_PORT, PROXY_HTTP};

static void expect_versions(bool with_1_2)
{
    for (int i = 0; i < 3; i++) {
        cr_expect_not(agrees(all[i], "-tls1 -cipher ALL:@SECLEVEL=0"), "%d", all[i]);
        cr_expect_not(agrees(all[i], "-tls1_1 -cipher ALL:@SECLEVEL=0"), "%d", all[i]);
        cr_expect_eq(agrees(all[i], "-tls1_2"), with_1_2, "%d", all[i]);
        cr_expect(agrees(all[i], "-tls1_3"), "%d", all[i]);
    }
}

Test(tls_scan, only_new_versions)
{
    start("");
    expect_versions(true);
}

Test(tls_scan, only_the_newest_version)
{
    start("tls_min_version = 1.3\n");
    expect_versions(false);
}

/* Forward secrecy and authenticated encryption. */
static bool is_strong(const char *name)
{
    return strncmp(name, "ECDHE-", 6) == 0 && (strstr(name, "-GCM-") || strstr(name, "-CHACHA20-"));
}

/* Asks for each suite of TLS 1.2 that this OpenSSL knows; s_client would be a process for each. Returns how many are
 * taken. */
static int suites_taken(int port, char *list)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int taken = 0;
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    for (char *name = strtok(list, ":\n"); name; name = strtok(NULL, ":\n")) {
        cr_assert_eq(SSL_CTX_set_cipher_list(context, text("%s:@SECLEVEL=0", name)), 1);
        SSL *ssl = new_client(context, port);
        if (SSL_connect(ssl) == 1) {
            taken++;
            cr_expect(is_strong(name), "%d takes %s", port, name);
        }
        ERR_clear_error();
        free_client(ssl);
    }
    SSL_CTX_free(context);
    return taken;
}

Test(tls_scan, no_weak_suite)
{
    char list[OUTPUT];
    start("");
    snprintf(list, sizeof(list), "%s",
             printed("openssl ciphers -s -tls1_2 ALL:COMPLEMENTOFALL:@SECLEVEL=0"));
    char *again = strdup(list);
    cr_assert(strstr(list, "AES128-SHA") && strstr(list, "NULL"), "%s", list);
    cr_expect_geq(suites_taken(EC_PORT, list), 3);
    cr_expect_geq(suites_taken(RSA_PORT, again), 3);
    free(again);
}

/* ---- what a session can be made to do ---- */

/* What s_client does at a line with an R; s_client itself would not wait for the answer. */
Test(tls_scan, no_renegotiation)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    start("");
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    for (int i = 0; i < 3; i++) {
        SSL *ssl = new_client(context, all[i]);
        cr_assert_eq(SSL_connect(ssl), 1);
        cr_expect_eq(SSL_get_secure_renegotiation_support(ssl), 1);
        cr_assert_eq(SSL_renegotiate(ssl), 1);
        cr_expect_neq(SSL_do_handshake(ssl), 1, "%d renegotiates", all[i]);
        ERR_clear_error();
        free_client(ssl);
    }
    SSL_CTX_free(context);
}

Test(tls_scan, no_compression)
{
    start("");
    const char *said = scan(EC_PORT, "-tls1_2 -comp -cipher ALL:@SECLEVEL=0", "");
    cr_expect(strstr(said, "Compression: NONE"), "%s", said);
}

/* ---- early data: a write that somebody sends twice would be executed twice ---- */

static SSL_SESSION *ticket;

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static void ask_over(SSL *ssl, const char *command, const char *answer)
{
    char got[64] = "";
    cr_assert_eq(SSL_write(ssl, command, (int)strlen(command)), (int)strlen(command));
    cr_assert_gt(SSL_read(ssl, got, sizeof(got) - 1), 0);
    cr_expect_str_eq(got, answer);
}

/* A client that sends early data though the ticket does not allow it. */
Test(tls_scan, no_early_data)
{
    static const char early[] = "INCR early\r\n";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    size_t sent = 0;
    start("");
    cr_assert_eq(proxy_wait_serving(&proxy, &trio), 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    SSL *ssl = new_client(context, EC_PORT);
    cr_assert_eq(SSL_connect(ssl), 1);
    ask_over(ssl, "PING\r\n", "+PONG\r\n");
    free_client(ssl);
    cr_assert(ticket);
    cr_expect_eq(SSL_SESSION_get_max_early_data(ticket), 0);
    SSL_SESSION_set_max_early_data(ticket, 1000);
    ssl = new_client(context, EC_PORT);
    cr_assert_eq(SSL_set_session(ssl, ticket), 1);
    cr_assert_eq(SSL_write_early_data(ssl, early, sizeof(early) - 1, &sent), 1);
    cr_assert_eq(sent, sizeof(early) - 1);
    cr_expect_eq(SSL_connect(ssl), 1);
    cr_expect_eq(SSL_get_early_data_status(ssl), SSL_EARLY_DATA_REJECTED);
    ask_over(ssl, "GET early\r\n", "$-1\r\n");
    free_client(ssl);
    SSL_SESSION_free(ticket);
    SSL_CTX_free(context);
}
