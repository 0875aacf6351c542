/*
 * tls: whom the proxy lets in, whom it believes, and what is told of the others, on each of its sides; and certificates
 * that change. The servers are plain unless TLS=1 says otherwise, but for the trios that a test makes itself.
 */
#include "certificates.h"
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const struct suite suite = {.alone = true};

/* ---- a trio, a proxy in front of it, and a folder of certificates ---- */

static struct trio trio;
static struct proxy proxy;
static char folder[] = "/tmp/redisproxy-tls-XXXXXX";
static struct certificate ca;

static void issue(const char *name, struct certificate_wish wish)
{
    wish.issuer = wish.issuer ? wish.issuer : &ca;
    struct certificate made = certificate_make(&wish);
    certificate_write(folder, text("%s.crt", name), &made, NULL);
    certificate_write_key(folder, text("%s.key", name), &made);
    certificate_free(&made);
}

static void begin(void)
{
    cr_assert(mkdtemp(folder));
    ca = certificate_make(&(struct certificate_wish){.cn = "ca", .authority = true});
    certificate_write(folder, "ca.crt", &ca, NULL);
    cr_assert_eq(trio_start(&trio, &(struct trio_options){.fast = true}), 0);
    issue("server", (struct certificate_wish){
                        .cn = "proxy", .names = text("IP:%s,DNS:proxy.test", trio.proxy_host)});
    issue("client", (struct certificate_wish){.cn = "alice"});
}

static void start(const char *proxy_lines, const char *listen_lines)
{
    cr_assert_eq(proxy_start(&proxy, &trio,
                             &(struct proxy_options){.proxy_lines = proxy_lines,
                                                     .listen_lines = listen_lines}),
                 0);
}

static const char *own_lines(const char *more)
{
    return text("tls = yes\ntls_cert = %s/server.crt\ntls_key = %s/server.key\n%s", folder, folder,
                more);
}

static void end(void)
{
    if (proxy.pid > 0)
        cr_assert_eq(proxy_stop(&proxy), 0);
    trio_stop(&trio);
    certificate_free(&ca);
    cr_assert_eq(system(text("rm -r %s", folder)), 0);
}

TestSuite(tls, .init = begin, .fini = end, .timeout = 120);

/* A client's context that believes the folder's CA, with a certificate of that name or none. */
static SSL_CTX *client_context(const char *name)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    cr_assert_eq(SSL_CTX_load_verify_file(context, text("%s/ca.crt", folder)), 1);
    if (name) {
        cr_assert_eq(SSL_CTX_use_certificate_file(context, text("%s/%s.crt", folder, name),
                                                  SSL_FILETYPE_PEM),
                     1);
        cr_assert_eq(
            SSL_CTX_use_PrivateKey_file(context, text("%s/%s.key", folder, name), SSL_FILETYPE_PEM),
            1);
    }
    return context;
}

/* What PING is answered over TLS; otherwise why not. */
static const char *ping(SSL_CTX *context, const char *name)
{
    char why[200];
    int fd = secure_connect(context, proxy.host, PROXY_MASTER, name, why, sizeof(why));
    cr_assert_geq(fd, 0);
    redisContext *c = redisConnectFd(fd);
    redisSetTimeout(c, (struct timeval){20, 0});
    const char *answer = ask(c, "PING");
    redisFree(c);
    return *why ? text("%s", why) : text("%s", answer);
}

static bool logged(const char *words)
{
    char *log = file_text(proxy.log);
    bool there = strstr(log, words) != NULL;
    free(log);
    return there;
}

#define EXPECT_LOGGED(words)                                                                       \
    cr_expect(wait_until(5000, logged(words)), "the log does not say: %s", words)

static long failures(const char *reason)
{
    return proxy_gauge(
        &proxy,
        text("redisproxy_tls_handshake_failures_total{with=\"client\",reason=\"%s\"}", reason), -1);
}

/* ---- clients ---- */

Test(tls, a_client_is_served)
{
    start(NULL, own_lines(""));
    SSL_CTX *context = client_context(NULL);
    EXPECT_TEXT(ping(context, proxy.host), "+PONG");
    EXPECT_TEXT(ping(context, "proxy.test"), "+PONG");
    cr_expect(strstr(ping(context, "other.test"), "mismatch"), "what the client verifies is there");
    SSL_CTX_free(context);
}

Test(tls, a_plain_client_never_gets_a_session)
{
    static const char *const firsts[] = {"PING\r\n", "*1\r\n$4\r\nPING\r\n", "QUIT\r\n"};
    start(NULL, own_lines(""));
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        int fd = raw_open_plain(proxy.host, PROXY_MASTER);
        cr_assert(raw_send_text(fd, firsts[i]));
        cr_expect(raw_ended(fd, 5000), "it is closed");
        close(fd);
    }
    EXPECT_LOGGED("the peer does not speak TLS");
    cr_expect(wait_until(5000, failures("plain") == 3));
    cr_expect(wait_until(5000, proxy_gauge(&proxy, "redisproxy_sessions", -1) == 0));
}

/* kubelet connects and closes. No node is bothered, and nothing is told. */
Test(tls, a_bare_connection_is_nothing)
{
    start(NULL, own_lines(""));
    long before = proxy_gauge(&proxy, "redisproxy_upstreams", -1);
    for (int i = 0; i < 20; i++)
        close(raw_open_plain(proxy.host, PROXY_MASTER));
    cr_expect(wait_until(5000, proxy_gauge(&proxy, "redisproxy_sessions", -1) == 0));
    cr_expect_eq(proxy_gauge(&proxy, "redisproxy_upstreams", -1), before);
    cr_expect_not(logged("handshake failed"));
    cr_expect_eq(failures("closed"), 0);
}

Test(tls, a_handshake_that_does_not_go_on_is_ended)
{
    start("handshake_timeout = 300ms\n", own_lines(""));
    int fd = raw_open_plain(proxy.host, PROXY_MASTER);
    cr_assert(raw_send(fd, "\x16\x03\x01\x02\x00", 5));
    cr_expect(raw_ended(fd, 10000));
    close(fd);
    EXPECT_LOGGED("the handshake takes too long");
    cr_expect(wait_until(5000, failures("timeout") == 1));
}

Test(tls, clients_need_a_certificate_where_that_is_said)
{
    struct certificate stranger =
        certificate_make(&(struct certificate_wish){.cn = "stranger", .authority = true});
    issue("strange", (struct certificate_wish){.cn = "mallory", .issuer = &stranger});
    issue("expired", (struct certificate_wish){.cn = "alice", .begins_s = -7200, .ends_s = -3600});
    start(NULL, own_lines(text("tls_verify_clients = required\ntls_ca = %s/ca.crt\n", folder)));
    SSL_CTX *with = client_context("client"), *without = client_context(NULL);
    SSL_CTX *strange = client_context("strange"), *expired = client_context("expired");
    EXPECT_TEXT(ping(with, proxy.host), "+PONG");
    cr_expect_str_neq(ping(without, proxy.host), "+PONG");
    EXPECT_LOGGED("peer did not return a certificate");
    cr_expect_str_neq(ping(strange, proxy.host), "+PONG");
    cr_expect_str_neq(ping(expired, proxy.host), "+PONG");
    EXPECT_LOGGED("certificate has expired");
    cr_expect(wait_until(5000, failures("certificate") == 2 && failures("no_certificate") == 1));
    SSL_CTX_free(with);
    SSL_CTX_free(without);
    SSL_CTX_free(strange);
    SSL_CTX_free(expired);
    certificate_free(&stranger);
}

Test(tls, old_versions_and_weak_ciphers_find_nobody)
{
    start(NULL, own_lines(""));
    SSL_CTX *context = client_context(NULL);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    cr_expect_str_neq(ping(context, proxy.host), "+PONG");
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    EXPECT_TEXT(ping(context, proxy.host), "+PONG");
    static const char *const weak[] = {"AES128-SHA",
                                       "AES256-GCM-SHA384",
                                       "ECDHE-ECDSA-AES128-SHA",
                                       "DHE-RSA-AES128-GCM-SHA256",
                                       "NULL-SHA256",
                                       "DES-CBC3-SHA",
                                       "aNULL"};
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        if (SSL_CTX_set_cipher_list(context, text("%s:@SECLEVEL=0", weak[i])) == 1)
            cr_expect_str_neq(ping(context, proxy.host), "+PONG", "%s", weak[i]);
    }
    SSL_CTX_free(context);
}

/* Each connection brings a ticket, which another worker takes. */
Test(tls, sessions_are_resumed_at_any_worker)
{
    start(NULL, own_lines(""));
    SSL_CTX *context = client_context(NULL);
    SSL_CTX_set_max_proto_version(context,
                                  TLS1_2_VERSION); /* there the ticket comes with the handshake */
    SSL_SESSION *session = NULL;
    int resumed = 0;
    for (int i = 0; i < 9; i++) {
        int fd = raw_open_plain(proxy.host, PROXY_MASTER);
        SSL *ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        if (session)
            SSL_set_session(ssl, session);
        cr_assert_eq(SSL_connect(ssl), 1);
        resumed += SSL_session_reused(ssl);
        SSL_SESSION_free(session);
        session = SSL_get1_session(ssl);
        cr_assert_eq(SSL_write(ssl, "PING\r\n", 6), 6);
        char got[16] = "";
        cr_assert_eq(SSL_read(ssl, got, sizeof(got)), 7);
        SSL_shutdown(ssl);
        SSL_free(ssl);
        close(fd);
    }
    cr_expect_eq(resumed, 8);
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
}

/* ---- users whom certificates name ---- */

static const char *ask_over(SSL_CTX *context, const char *command)
{
    redisContext *c =
        redisConnectFd(secure_connect(context, proxy.host, PROXY_MASTER, proxy.host, NULL, 0));
    redisReply *reply = redisCommand(c, command);
    const char *answer = reply ? client_text(reply) : "(closed)";
    freeReplyObject(reply);
    redisFree(c);
    return answer;
}

static void with_users(const char *from)
{
    cr_assert(trio_tell_all(&trio, "ACL SETUSER alice on >wonder ~* &* +@all"));
    cr_assert(trio_tell_all(&trio, "ACL SETUSER spiffe://example/bob on >built ~* &* +@all"));
    issue("uri", (struct certificate_wish){
                     .cn = "somebody",
                     .names = "DNS:x.test,URI:spiffe://example/bob,URI:spiffe://example/eve"});
    issue("unknown", (struct certificate_wish){.cn = "carol"});
    issue("wrong", (struct certificate_wish){.cn = "dave"});
    cr_assert_eq(
        file_write(text("%s/users", folder),
                   "# users\nalice wonder\nspiffe://example/bob built\nali x\ndave wrong\n"),
        0);
    start(NULL, own_lines(text("tls_verify_clients = optional\ntls_ca = %s/ca.crt\ntls_user_from = "
                               "%s\ntls_users_password_file = %s/users\n",
                               folder, from, folder)));
}

Test(tls, a_certificate_names_the_user)
{
    with_users("cn");
    SSL_CTX *alice = client_context("client"), *nobody = client_context(NULL),
            *carol = client_context("unknown"), *dave = client_context("wrong");
    EXPECT_TEXT(ask_over(alice, "ACL WHOAMI"), "alice");
    EXPECT_TEXT(ask_over(nobody, "ACL WHOAMI"), "default");
    EXPECT_TEXT(ask_over(carol, "ACL WHOAMI"), "default");
    cr_expect(strncmp(ask_over(dave, "ACL WHOAMI"), "-WRONGPASS", 10) == 0);
    /* the file changes: whoever comes a second later is told apart by the new one */
    cr_assert(trio_tell_all(&trio, "ACL SETUSER carol on >sings ~* &* +@all"));
    cr_assert_eq(file_write(text("%s/users", folder), "carol sings\n"), 0);
    cr_expect(wait_until(10000, strcmp(ask_over(carol, "ACL WHOAMI"), "carol") == 0));
    SSL_CTX_free(alice);
    SSL_CTX_free(nobody);
    SSL_CTX_free(carol);
    SSL_CTX_free(dave);
}

Test(tls, a_certificates_first_uri_names_the_user)
{
    with_users("uri");
    SSL_CTX *bob = client_context("uri"), *alice = client_context("client");
    EXPECT_TEXT(ask_over(bob, "ACL WHOAMI"), "spiffe://example/bob");
    EXPECT_TEXT(ask_over(alice, "ACL WHOAMI"), "default");
    SSL_CTX_free(bob);
    SSL_CTX_free(alice);
}

/* ---- certificates that change ---- */

static X509 *shown_certificate(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    int fd = raw_open_plain(proxy.host, PROXY_MASTER);
    SSL_set_fd(ssl, fd);
    X509 *shown = SSL_connect(ssl) == 1 ? SSL_get1_peer_certificate(ssl) : NULL;
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return shown;
}

static bool shows(const char *cn)
{
    char name[64] = "";
    X509 *shown = shown_certificate();
    if (shown)
        X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof(name));
    X509_free(shown);
    return strcmp(name, cn) == 0;
}

/* As Kubernetes does it: tls.crt -> ..data/tls.crt, and ..data is moved to another folder. */
Test(tls, a_new_certificate_is_shown_and_connections_stay)
{
    cr_assert_eq(
        system(text("cd %s && mkdir one two && mv server.* one && ln -s one ..data && "
                    "ln -s ..data/server.crt server.crt && ln -s ..data/server.key server.key",
                    folder)),
        0);
    start(NULL, own_lines(""));
    SSL_CTX *context = client_context(NULL);
    redisContext *stays =
        redisConnectFd(secure_connect(context, proxy.host, PROXY_MASTER, proxy.host, NULL, 0));
    EXPECT(stays, "+PONG", "PING");
    cr_expect(shows("proxy"));
    issue("two/server", (struct certificate_wish){.cn = "second"});
    int64_t began = now_ms();
    cr_assert_eq(system(text("cd %s && ln -s two ..new && mv -T ..new ..data", folder)), 0);
    cr_expect(wait_until(10000, shows("second")));
    fprintf(stderr, "the new certificate is shown after %lld ms\n", (long long)(now_ms() - began));
    EXPECT(stays, "+PONG", "PING");
    EXPECT_LOGGED("certificates were read anew");
    redisFree(stays);
    SSL_CTX_free(context);
}

Test(tls, a_key_may_come_a_moment_later)
{
    start(NULL, own_lines(""));
    struct certificate next =
        certificate_make(&(struct certificate_wish){.cn = "next", .issuer = &ca});
    certificate_write(folder, "server.crt", &next, NULL);
    cr_expect(shows("proxy"), "the pair before stays");
    certificate_write_key(folder, "server.key", &next);
    cr_expect(wait_until(10000, shows("next")));
    certificate_free(&next);
}

Test(tls, what_is_not_good_is_told_and_changes_nothing)
{
    start(NULL, own_lines(""));
    cr_assert_eq(file_write(text("%s/server.crt", folder), "no certificate\n"), 0);
    EXPECT_LOGGED("new certificates are not used, the ones before stay");
    cr_expect(shows("proxy"));
    cr_expect_eq(
        proxy_gauge(&proxy,
                    text("redisproxy_tls_reloads_total{of=\"listener %s:%d\",result=\"refused\"}",
                         proxy.host, PROXY_MASTER),
                    -1),
        1);
    issue("server", (struct certificate_wish){.cn = "mended"});
    cr_expect(wait_until(10000, shows("mended")));
}

/* ---- the HTTP endpoint ---- */

/* The status of a GET over TLS; 0: no TLS. */
static int https_status(SSL_CTX *context, const char *path)
{
    char why[200], got[200] = "";
    int status = 0,
        fd = secure_connect(context, proxy.host, PROXY_HTTP, proxy.host, why, sizeof(why));
    raw_send_text(fd, text("GET %s HTTP/1.0\r\n\r\n", path));
    raw_read(fd, got, sizeof(got) - 1, 5000);
    close(fd);
    sscanf(got, "HTTP/1.%*d %d", &status);
    return status;
}

Test(tls, the_http_endpoint_speaks_tls)
{
    start(text("http_tls_cert = %s/server.crt\nhttp_tls_key = %s/server.key\nhttp_tls_ca = "
               "%s/ca.crt\n",
               folder, folder, folder),
          "");
    SSL_CTX *with = client_context("client"), *without = client_context(NULL);
    struct certificate stranger =
        certificate_make(&(struct certificate_wish){.cn = "stranger", .authority = true});
    issue("strange", (struct certificate_wish){.cn = "mallory", .issuer = &stranger});
    SSL_CTX *strange = client_context("strange");
    cr_expect_eq(https_status(without, "/healthz"), 200);
    cr_expect_eq(https_status(without, "/metrics"), 403);
    cr_expect_eq(https_status(strange, "/metrics"), 403);
    cr_expect_eq(https_status(with, "/metrics"), 200);
    for (const char *const *path = (const char *const[]){"/", "/status", "/events", NULL}; *path;
         path++) {
        cr_expect_eq(https_status(without, *path), 403, "%s", *path);
        cr_expect_eq(https_status(strange, *path), 403, "%s", *path);
        cr_expect_eq(https_status(with, *path), 200, "%s", *path);
    }
    char body[200];
    cr_expect_eq(http_get(proxy.host, PROXY_HTTP, "/healthz", body, sizeof(body)), 0,
                 "plain HTTP is not answered");
    cr_expect_eq(
        proxy_run((const char *[]){"--check=live", "-c", proxy.config, NULL}, body, sizeof(body)),
        0, "%s", body);
    cr_expect_str_eq(body, "ok\n");
    issue("server", (struct certificate_wish){.cn = "next", .names = text("IP:%s", proxy.host)});
    EXPECT_LOGGED("certificates were read anew");
    cr_expect_eq(https_status(with, "/metrics"), 200);
    SSL_CTX_free(with);
    SSL_CTX_free(without);
    SSL_CTX_free(strange);
    certificate_free(&stranger);
}

/* ---- nodes and Sentinels ---- */

static void start_towards(const char *lines)
{
    cr_assert_eq(proxy_start(&proxy, &trio, &(struct proxy_options){.master_lines = lines}), 0);
}

/* The nodes and Sentinels are plain, and the proxy speaks TLS with them: it says so, and nothing is served. */
Test(tls, plain_servers_are_told)
{
    start_towards(text(
        "tls = verify-full\nsentinel_tls = verify-full\ntls_ca = %s/ca.crt\nhold_timeout = 500ms\n",
        folder));
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    EXPECT_PREFIX(c, "-MASTERDOWN", "PING");
    EXPECT_LOGGED("a Sentinel cannot be reached");
    redisFree(c);
}

/* ---- servers with TLS: a trio of each test's own, which wants certificates of clients ---- */

static void begin_secure(void)
{
    setenv("TLS", "servers", 1);
    begin();
}

TestSuite(tls_servers, .init = begin_secure, .fini = end, .timeout = 120);

static void expect_served(void)
{
    cr_assert_eq(proxy_wait_serving(&proxy, &trio), 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET key value");
    EXPECT(c, "value", "GET key");
    redisFree(c);
}

Test(tls_servers, plain_clients_are_served_and_a_switch_is_not_noticed)
{
    start_towards(""); /* the harness says how: verify-full, with a certificate */
    expect_served();
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    int before = trio_named(&trio), count = 0;
    cr_assert_eq(trio_failover(&trio), 0);
    do
        EXPECT(c, text(":%d", ++count), "INCR counter");
    while (trio_named(&trio) == before);
    for (int i = 0; i < 100; i++)
        EXPECT(c, text(":%d", ++count), "INCR counter");
    redisFree(c);
    cr_assert_eq(trio_wait_whole(&trio), 0);
}

Test(tls_servers, clients_with_tls_are_served)
{
    cr_assert_eq(proxy_start(&proxy, &trio, &(struct proxy_options){.listen_lines = own_lines("")}),
                 0);
    SSL_CTX *context = client_context(NULL);
    cr_expect(wait_until(10000, strcmp(ping(context, proxy.host), "+PONG") == 0));
    SSL_CTX_free(context);
}

/* ---- the proxy and its servers do not agree ---- */

/* Instead of what the harness would say. */
static void start_apart(const char *tls, const char *more)
{
    unsetenv("TLS");
    start_towards(text("tls = %s\nsentinel_tls = %s\nhold_timeout = 2s\n%s", tls, tls, more));
    setenv("TLS", "servers", 1);
}

static bool ready_says(const char *words)
{
    char body[4096] = "";
    return http_get(proxy.host, PROXY_HTTP, "/readyz", body, sizeof(body)) == 503 &&
           strstr(body, words);
}

static void expect_told(const char *words)
{
    EXPECT_LOGGED(words);
    cr_expect(wait_until(5000, ready_says("")), "it is not ready");
}

Test(tls_servers, another_ca_is_not_believed)
{
    struct certificate other =
        certificate_make(&(struct certificate_wish){.cn = "other", .authority = true});
    certificate_write(folder, "other.crt", &other, NULL);
    start_apart("verify-full", text("tls_ca = %s/other.crt\n", folder));
    expect_told("the certificate is not good: ");
    certificate_free(&other);
}

/* The servers' certificates are for numbers, not for this name. */
Test(tls_servers, another_name_is_not_believed)
{
    const char *dir = trio.scratch.dir;
    start_apart("verify-full", text("tls_ca = %s/ca.crt\ntls_cert = %s/tls.crt\ntls_key = "
                                    "%s/tls.key\ntls_server_name = other.test\n",
                                    dir, dir, dir));
    expect_told("hostname mismatch");
}

Test(tls_servers, a_name_that_all_have_is_believed)
{
    const char *dir = trio.scratch.dir;
    start_apart("verify-full", text("tls_ca = %s/ca.crt\ntls_cert = %s/tls.crt\ntls_key = "
                                    "%s/tls.key\ntls_server_name = localhost\n",
                                    dir, dir, dir));
    expect_served();
}

Test(tls_servers, require_takes_any_certificate)
{
    const char *dir = trio.scratch.dir;
    start_apart("require", text("tls_cert = %s/tls.crt\ntls_key = %s/tls.key\n", dir, dir));
    expect_served();
}

/* The nodes want one. */
Test(tls_servers, a_certificate_that_is_missing_is_told)
{
    start_apart("verify-ca", text("tls_ca = %s/ca.crt\n", trio.scratch.dir));
    expect_told("certificate required");
}

Test(tls_servers, when_certificates_end_is_a_metric)
{
    start_towards("");
    expect_served();
    for (int i = 0; i < 3; i++) {
        const char *name = text(
            "redisproxy_tls_certificate_not_after_timestamp_seconds{role=\"node\",of=\"%s:6379\"}",
            trio.host[i]);
        long ends = proxy_gauge(&proxy, name, -1), now = (long)time(NULL);
        cr_expect(ends > now + 80000 && ends <= now + 86400, "%ld", ends - now);
    }
    cr_expect(proxy_gauge(&proxy,
                          "redisproxy_tls_certificate_not_after_timestamp_seconds{role="
                          "\"sentinel\",of=\"mymaster\"}",
                          -1) > 0);
}
