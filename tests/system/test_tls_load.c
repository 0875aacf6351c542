/*
 * tls_load: what TLS costs when there is much of it: memory of idle sessions, certificates that change again and again
 * while clients come and go (RELOADS=10000 for the long play), a flood of handshakes beside those who are served.
 */
#include "certificates.h"
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    IDLE = 2000,
    IDLE_BYTES_MAX = 20 * 1024,
    GUESTS = 3,
    RELOADS = 300,
    GROWTH_MAX = 8 * 1024 * 1024
};

const struct suite suite = {.alone = true};

static struct trio trio;
static struct proxy proxy;
static struct certificate ca;

static const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *text(const char *format, ...)
{
    static _Thread_local char kept[4][1024];
    static _Thread_local int next;
    char *out = kept[next++ % 4];
    va_list args;
    va_start(args, format);
    vsnprintf(out, sizeof(kept[0]), format, args);
    va_end(args);
    return out;
}

static void issue(const char *folder, const char *cn)
{
    struct certificate made = certificate_make(&(struct certificate_wish){
        .cn = cn, .names = text("IP:%s", trio.proxy_host), .issuer = &ca});
    certificate_write(folder, "server.crt", &made, NULL);
    certificate_write_key(folder, "server.key", &made);
    certificate_free(&made);
}

static void begin(void)
{
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    setrlimit(RLIMIT_NOFILE, &files);
    ca = certificate_make(&(struct certificate_wish){.cn = "ca", .authority = true});
    cr_assert_eq(trio_start(&trio, &(struct trio_options){.fast = true}), 0);
    certificate_write(trio.scratch.dir, "ca.crt", &ca, NULL);
    cr_assert_eq(system(text("cd %s && mkdir one two && ln -s one ..data && ln -s "
                             "..data/server.crt . && ln -s ..data/server.key .",
                             trio.scratch.dir)),
                 0);
    issue(text("%s/one", trio.scratch.dir), "first");
    const char *dir = trio.scratch.dir;
    cr_assert_eq(proxy_start(&proxy, &trio,
                             &(struct proxy_options){
                                 .listen_lines = text("tls = yes\ntls_cert = %s/server.crt\n"
                                                      "tls_key = %s/server.key\n",
                                                      dir, dir)}),
                 0);
}

static void end(void)
{
    cr_assert_eq(proxy_stop(&proxy), 0);
    trio_stop(&trio);
    certificate_free(&ca);
}

TestSuite(tls_load, .init = begin, .fini = end, .timeout = 900);

static SSL_CTX *believer(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    cr_assert_eq(SSL_CTX_load_verify_file(context, text("%s/ca.crt", trio.scratch.dir)), 1);
    return context;
}

/* A connection without a thread behind it; NULL: it failed. */
static SSL *connect_to_proxy(SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);
    int fd = raw_open_plain(proxy.host, PROXY_MASTER);
    SSL_set_fd(ssl, fd);
    if (fd >= 0 && SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static bool pings(SSL *ssl)
{
    char got[16];
    return SSL_write(ssl, "PING\r\n", 6) == 6 && SSL_read(ssl, got, sizeof(got)) == 7 &&
           memcmp(got, "+PONG\r\n", 7) == 0;
}

static void disconnect(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

Test(tls_load, an_idle_session_is_small)
{
    static SSL *idle[IDLE];
    SSL_CTX *context = believer();
    for (int i = 0; i < 50; i++) { /* whatever the first ones cost */
        SSL *ssl = connect_to_proxy(context);
        cr_assert(ssl && pings(ssl));
        disconnect(ssl);
    }
    long before = proxy_memory(&proxy);
    for (int i = 0; i < IDLE; i++) {
        idle[i] = connect_to_proxy(context);
        cr_assert(idle[i] && pings(idle[i]));
    }
    long each = (proxy_memory(&proxy) - before) / IDLE;
    fprintf(stderr, "an idle session with TLS: %ld bytes\n", each);
    cr_expect(proxy_sanitized() || each <= IDLE_BYTES_MAX, "%ld bytes", each);
    for (int i = 0; i < IDLE; i++)
        disconnect(idle[i]);
    SSL_CTX_free(context);
}

/* ---- certificates that change under load ---- */

static atomic_bool over;
static atomic_int failed, served;

/* Comes and goes. */
static void *visit(void *arg)
{
    SSL_CTX *context = arg;
    while (!over) {
        SSL *ssl = connect_to_proxy(context);
        if (ssl && pings(ssl))
            served++;
        else
            failed++;
        if (ssl)
            disconnect(ssl);
    }
    return NULL;
}

/* Stays. */
static void *stay(void *arg)
{
    SSL *ssl = connect_to_proxy(arg);
    while (!over && ssl) {
        if (!pings(ssl)) {
            failed++;
            break;
        }
        served++;
    }
    if (ssl)
        disconnect(ssl);
    else
        failed++;
    return NULL;
}

static long reloaded(const char *result)
{
    return proxy_gauge(&proxy,
                       text("redisproxy_tls_reloads_total{of=\"listener %s:%d\",result=\"%s\"}",
                            proxy.host, PROXY_MASTER, result),
                       -1);
}

static void change(int number)
{
    const char *next = number % 2 ? "two" : "one";
    issue(text("%s/%s", trio.scratch.dir, next), text("number-%d", number));
    cr_assert_eq(symlink(next, text("%s/..new", trio.scratch.dir)), 0);
    cr_assert_eq(rename(text("%s/..new", trio.scratch.dir), text("%s/..data", trio.scratch.dir)),
                 0);
    cr_assert(wait_until(20000, reloaded("used") >= number), "it is not read");
}

Test(tls_load, certificates_change_and_nobody_notices)
{
    pthread_t guests[2 * GUESTS];
    const char *wanted = getenv("RELOADS");
    int reloads = wanted ? atoi(wanted) : RELOADS;
    SSL_CTX *context = believer();
    long early = 0;
    for (int i = 0; i < 2 * GUESTS; i++)
        cr_assert_eq(pthread_create(&guests[i], NULL, i % 2 ? visit : stay, context), 0);
    for (int number = 1; number <= reloads; number++) {
        change(number);
        if (number == reloads / 3)
            early = proxy_memory(&proxy);
    }
    long late = proxy_memory(&proxy);
    over = true;
    for (int i = 0; i < 2 * GUESTS; i++)
        pthread_join(guests[i], NULL);
    fprintf(stderr, "%d reloads, %d pings, %d failed; %ld KB more than after a third\n", reloads,
            served, failed, (late - early) / 1024);
    cr_expect_eq(failed, 0);
    cr_expect_eq(reloaded("refused"), 0);
    cr_expect(proxy_sanitized() || late - early < GROWTH_MAX, "%ld KB more", (late - early) / 1024);
    SSL_CTX_free(context);
}
