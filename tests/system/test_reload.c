/*
 * reload: SIGHUP. The whole file is checked, and what has changed is taken up while clients go on: those that need not
 * change do not notice, and a wrong file changes nothing. RELOAD_MS: for how long it is reloaded ten times a second.
 */
#include "certificates.h"
#include "harness/client.h"
#include "harness/load.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROXY_FOURTH = 6390,
    PROXY_OTHER_HTTP = 8889,
    LOAD_MS = 2500,
    GROWTH_MAX = 4 * 1024 * 1024,
};

#define OTHER_GROUP "othermaster"

const struct suite suite = {.without_proxy = true, .trio = {.fast = true}};

static struct shared s;

/* ---- files and reloads ---- */

static void start(const struct proxy_options *options)
{
    s = shared();
    cr_assert_eq(proxy_start(&s.proxy, &s.trio, options), 0);
    cr_assert_eq(proxy_wait_serving(&s.proxy, &s.trio), 0);
}

static void stop(void)
{
    cr_expect_eq(proxy_stop(&s.proxy), 0);
}

static int reload_with(const struct proxy_options *options)
{
    cr_assert_eq(proxy_configure(&s.proxy, &s.trio, options), 0);
    return proxy_reload(&s.proxy);
}

#define RELOADS(...)                                                                               \
    cr_assert_eq(reload_with(&(struct proxy_options){__VA_ARGS__}), 1, "%s",                       \
                 (file_show(s.proxy.log), "it was not reloaded"))
#define DOES_NOT_RELOAD(...)                                                                       \
    cr_assert_eq(reload_with(&(struct proxy_options){__VA_ARGS__}), 0, "%s",                       \
                 (file_show(s.proxy.log), "it was reloaded"))
#define SAID(wanted) cr_assert(proxy_said(&s.proxy, wanted), "%s", (file_show(s.proxy.log), wanted))

static const char *listener(int port, const char *lines)
{
    char *out;
    size_t len;
    FILE *file = open_memstream(&out, &len);
    fprintf(file, "\n[listen %s:%d]\n%s", s.proxy.host, port, lines);
    if (secure_clients())
        secure_listen_lines(file, &s.trio);
    fclose(file);
    const char *kept = text("%s", out);
    free(out);
    return kept;
}

/* Another group of the same nodes: the Sentinels watch them under two names. */
static const char *other_group(void)
{
    char *out;
    size_t len;
    FILE *file = open_memstream(&out, &len);
    fprintf(file, "\n[master %s]\nsentinels = ", OTHER_GROUP);
    for (int i = 0; i < s.trio.options.sentinels; i++)
        fprintf(file, "%s%s:%d", i ? ", " : "", s.trio.name[i], secure_sentinel_port());
    fputc('\n', file);
    secure_master_lines(file, &s.trio);
    fclose(file);
    const char *kept = text("%s", out);
    free(out);
    return kept;
}

static void watch_other_group(void)
{
    int master = trio_master(&s.trio);
    trio_tell_sentinels(&s.trio, text("SENTINEL MONITOR %s %s %d 2", OTHER_GROUP,
                                      s.trio.name[master], s.trio.port[master]));
}

/* Gives the first setting of this name another value. */
static void rewrite(const char *name, const char *value)
{
    char *file = file_text(s.proxy.config), *changed;
    size_t len;
    FILE *out = open_memstream(&changed, &len);
    char *at = strstr(file, text("\n%s = ", name));
    cr_assert_not_null(at);
    fprintf(out, "%.*s\n%s = %s%s", (int)(at - file), file, name, value, strchr(at + 1, '\n'));
    fclose(out);
    cr_assert_eq(file_write(s.proxy.config, changed), 0);
    free(file);
    free(changed);
}

static bool accepts(int port)
{
    int fd = raw_open_plain(s.proxy.host, port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool blocked(int wanted)
{
    redisContext *c = trio_node(&s.trio, trio_master(&s.trio));
    bool yes = clients_blocked_in(c, "blpop") == wanted;
    redisFree(c);
    return yes;
}

/* ---- what changes ---- */

Test(reload, settings_change_and_sessions_do_not_notice, .timeout = 60)
{
    start(&(struct proxy_options){0});
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *subscriber = proxy_client(&s.proxy, PROXY_MASTER);
    const char *id = strdup(ask(c, "CLIENT ID"));
    EXPECT(subscriber, "[subscribe, news, :1]", "SUBSCRIBE news");
    EXPECT(c, "+OK", "MULTI");
    EXPECT(c, "+QUEUED", "SET in:transaction 1");
    RELOADS(.proxy_lines = "log = debug\noutput_high = 2mb\ndrain_timeout = 3s\n",
            .master_lines = "hold_timeout = 7s\nhold_memory = 1mb\nreplica_lag = 20s\n");
    EXPECT(c, "[+OK]", "EXEC");
    EXPECT(c, id, "CLIENT ID");
    EXPECT(c, ":1", "PUBLISH news x");
    HEAR(subscriber, "[message, news, x]");
    SAID("change=\"[proxy] log: info -> debug\"");
    SAID("change=\"[proxy] drain_timeout: 10s -> 3s\"");
    SAID("change=\"[master mymaster] hold_timeout: 20s -> 7s\"");
    redisFree(proxy_client(&s.proxy, PROXY_MASTER));
    cr_assert(wait_until(5000, proxy_said(&s.proxy, "a session ended")), "the level is debug now");
    RELOADS();
    SAID("change=\"[proxy] log: debug -> info\"");
    free((char *)id);
    redisFree(c);
    redisFree(subscriber);
    stop();
}

/* Nobody is asked who is master: what is sent waits. */
static void start_holding(redisContext **waiting)
{
    s = shared();
    cr_assert_eq(proxy_start(&s.proxy, &s.trio, &(struct proxy_options){0}), 0);
    rewrite("sentinels", "127.0.0.1:1");
    process_kill(&s.proxy.pid);
    const char *argv[] = {proxy_program(), "-c", s.proxy.config, NULL};
    s.proxy.pid = trio_run(&s.trio, TRIO_MAX, argv, s.proxy.log);
    cr_assert(s.proxy.pid > 0 && wait_until(10000, accepts(PROXY_SPLIT)));
    *waiting = proxy_client(&s.proxy, PROXY_MASTER);
    say(*waiting, "SET reload:held 1");
    say_now(*waiting);
    cr_assert(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_held_sessions", -1) == 1));
}

Test(reload, who_waits_already_waits_as_long_as_it_says_now, .timeout = 60)
{
    redisContext *c;
    start_holding(&c);
    cr_assert_not(heard(c, 50));
    rewrite("sentinels", "127.0.0.1:1\nhold_timeout = 100ms");
    int64_t since = now_ms();
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    cr_assert(heard(c, 10000) && now_ms() - since < 10000);
    cr_assert_eq(hear(c)[0], '-');
    redisFree(c);
    stop();
}

Test(reload, other_sentinels_end_a_hold, .timeout = 60)
{
    redisContext *c;
    start_holding(&c);
    RELOADS();
    HEAR(c, "+OK");
    redisFree(c);
    stop();
}

Test(reload, fewer_max_clients_end_nobody, .timeout = 60)
{
    start(&(struct proxy_options){0});
    redisContext *c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(c[i], "+PONG", "PING");
    }
    RELOADS(.proxy_lines = "max_clients = 3\n");
    for (int i = 0; i < 4; i++)
        EXPECT(c[i], "+PONG", "PING");
    redisContext *more = proxy_client(&s.proxy, PROXY_MASTER);
    const char *answer = ask(more, "PING");
    cr_assert(strstr(answer, "max number of clients") || strncmp(answer, "(closed)", 8) == 0, "%s",
              answer);
    redisFree(more);
    RELOADS(.proxy_lines = "max_clients = 10\n");
    more = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(more, "+PONG", "PING");
    redisFree(more);
    for (int i = 0; i < 4; i++)
        redisFree(c[i]);
    stop();
}

Test(reload, what_needs_a_restart_is_said_and_the_rest_is_applied, .timeout = 60)
{
    start(&(struct proxy_options){.proxy_lines = "workers = 2\n"});
    RELOADS(.proxy_lines = "workers = 3\nmax_clients = 77\n");
    SAID("change=\"[proxy] workers: 2 -> 3 (not before a restart)\"");
    SAID("change=\"[proxy] max_clients: 10000 -> 77\"");
    cr_assert_eq(proxy_gauge(&s.proxy, "redisproxy_sessions", 2), -1, "there is no third worker");
    stop();
}

/* ---- what is wrong ---- */

Test(reload, a_wrong_file_changes_nothing_and_says_why, .timeout = 60)
{
    start(&(struct proxy_options){0});
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+PONG", "PING");
    DOES_NOT_RELOAD(.proxy_lines = "max_clients = 1\nmaxclients = 2\noutput_high = 1\n");
    SAID("unknown setting maxclients in [proxy]: did you mean max_clients?");
    SAID("output_high = 1 is out of range");
    DOES_NOT_RELOAD(.proxy_lines = "max_clients = 1\n",
                    .listen_lines = "tls_users_password_file = /nonexistent\ntls = yes\n");
    DOES_NOT_RELOAD(.proxy_lines = "max_clients = 1\n",
                    .sections = text("\n[listen %s:%d]\ntls = yes\ntls_cert = /nonexistent\n",
                                     s.proxy.host, PROXY_FOURTH));
    SAID("cannot be read from /nonexistent");
    cr_assert_eq(file_write(s.proxy.config, "[proxy\n"), 0);
    cr_assert_eq(proxy_reload(&s.proxy), 0);
    cr_assert_eq(unlink(s.proxy.config), 0);
    cr_assert_eq(proxy_reload(&s.proxy), 0);
    redisContext *more = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(more, "+PONG", "PING");
    EXPECT(c, "+PONG", "PING");
    RELOADS();
    EXPECT(c, "+PONG", "PING");
    redisFree(more);
    redisFree(c);
    stop();
}

Test(reload, an_address_that_is_taken_refuses_the_whole, .timeout = 60)
{
    start(&(struct proxy_options){0});
    const char *taken =
        text("\n[listen %s:%d]\n%s", s.trio.host[0], s.trio.port[0], "") /* a node's own */;
    DOES_NOT_RELOAD(.proxy_lines = "max_clients = 1\n",
                    .sections = text("%s%s", listener(PROXY_FOURTH, ""), taken));
    SAID("is taken by");
    cr_assert_not(accepts(PROXY_FOURTH), "what was bound for it is closed again");
    redisContext *one = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *two = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(one, "+PONG", "PING");
    EXPECT(two, "+PONG", "PING");
    redisFree(one);
    redisFree(two);
    stop();
}

/* ---- listeners ---- */

Test(reload, a_listener_comes_and_goes, .timeout = 60)
{
    start(&(struct proxy_options){0});
    redisContext *stays = proxy_client(&s.proxy, PROXY_MASTER);
    const char *id = strdup(ask(stays, "CLIENT ID"));
    cr_assert_not(accepts(PROXY_FOURTH));
    RELOADS(.sections = listener(PROXY_FOURTH, ""));
    SAID(text("change=\"[listen %s:%d]: added\"", s.proxy.host, PROXY_FOURTH));
    redisContext *idle = proxy_client(&s.proxy, PROXY_FOURTH);
    redisContext *busy = proxy_client(&s.proxy, PROXY_FOURTH);
    redisContext *endless = proxy_client(&s.proxy, PROXY_FOURTH);
    EXPECT(idle, "+PONG", "PING");
    say(busy, "BLPOP reload:busy 30");
    say_now(busy);
    say(endless, "BLPOP reload:endless 0");
    say_now(endless);
    cr_assert(wait_until(5000, blocked(2)));
    RELOADS(.proxy_lines = "drain_timeout = 2s\n");
    int64_t since = now_ms();
    SAID(text("change=\"[listen %s:%d]: removed\"", s.proxy.host, PROXY_FOURTH));
    HEAR(idle, "(closed)");
    cr_assert_not(accepts(PROXY_FOURTH));
    EXPECT(stays, ":1", "RPUSH reload:busy x");
    HEAR(busy, "[reload:busy, x]");
    HEAR(busy, "(closed)");
    HEAR(endless, "(closed)");
    cr_assert(now_ms() - since >= 1500, "before drain_timeout was over: %ld ms",
              (long)(now_ms() - since));
    cr_assert(wait_until(5000, blocked(0)));
    EXPECT(stays, id, "CLIENT ID");
    free((char *)id);
    redisFree(stays);
    redisFree(idle);
    redisFree(busy);
    redisFree(endless);
    stop();
}

/* Sections for so many more listeners. */
static char *listeners(int count)
{
    char *out;
    size_t len;
    FILE *file = open_memstream(&out, &len);
    for (int i = 0; i < count; i++)
        fputs(listener(PROXY_FOURTH + i, ""), file);
    fclose(file);
    return out;
}

/* There is room for 32 more than there were at the start. */
Test(reload, one_address_too_many_refuses_the_whole, .timeout = 60)
{
    enum { SPARE = 32 };
    start(&(struct proxy_options){0});
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+PONG", "PING");
    char *fit = listeners(SPARE), *do_not = listeners(SPARE + 1);
    DOES_NOT_RELOAD(.proxy_lines = "max_clients = 1\n", .sections = do_not);
    SAID(text("[listen %s:%d] is one address too many since the proxy was started: restart it",
              s.proxy.host, PROXY_FOURTH + SPARE));
    cr_assert_not(accepts(PROXY_FOURTH), "nothing of it was bound");
    RELOADS(.sections = fit);
    redisContext *last = proxy_client(&s.proxy, PROXY_FOURTH + SPARE - 1);
    EXPECT(last, "+PONG", "PING");
    EXPECT(c, "+PONG", "PING");
    redisFree(last);
    redisFree(c);
    free(fit);
    free(do_not);
    stop();
}

/* Sessions keep the route that they began with. */
Test(reload, a_listeners_settings_are_for_new_sessions, .timeout = 60)
{
    start(&(struct proxy_options){0});
    RELOADS(.sections = listener(PROXY_FOURTH, "route = master\n"));
    redisContext *old = proxy_client(&s.proxy, PROXY_FOURTH);
    EXPECT(old, "+OK", "SET reload:route 1");
    RELOADS(.sections = listener(PROXY_FOURTH, "route = replica\n"));
    redisContext *new = proxy_client(&s.proxy, PROXY_FOURTH);
    EXPECT_PREFIX(new, "-READONLY", "SET reload:route 2");
    EXPECT(old, "+OK", "SET reload:route 3");
    redisFree(old);
    redisFree(new);
    stop();
}

Test(reload, http_moves, .timeout = 60)
{
    start(&(struct proxy_options){0});
    cr_assert(accepts(PROXY_HTTP));
    rewrite("http", text("%s:%d", s.proxy.host, PROXY_OTHER_HTTP));
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    cr_assert(accepts(PROXY_OTHER_HTTP));
    cr_assert_not(accepts(PROXY_HTTP));
    rewrite("http", "off");
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    cr_assert_not(accepts(PROXY_OTHER_HTTP));
    RELOADS();
    cr_assert(proxy_gauge(&s.proxy, "redisproxy_sessions", -1) >= 0);
    stop();
}

/* ---- groups ---- */

Test(reload, a_group_comes_and_goes, .timeout = 60)
{
    start(&(struct proxy_options){0});
    watch_other_group();
    redisContext *stays = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(stays, "+PONG", "PING");
    for (int round = 0; round < 2; round++) {
        RELOADS(.proxy_lines = "drain_timeout = 1s\n",
                .sections = text("%s%s", other_group(),
                                 listener(PROXY_FOURTH, "master = " OTHER_GROUP "\n")));
        redisContext *other = proxy_client(&s.proxy, PROXY_FOURTH);
        EXPECT(other, "+OK", "SET reload:other 1");
        RELOADS(.proxy_lines = "drain_timeout = 1s\n");
        HEAR(other, "(closed)");
        redisFree(other);
        if (round == 0)
            cr_assert(wait_until(
                10000,
                proxy_said(&s.proxy, "\"a group that is not configured any more is let go\"")));
    }
    /* The listener goes to another group: who is there leaves. */
    RELOADS(.sections = text("%s%s", other_group(), listener(PROXY_FOURTH, "")));
    redisContext *moved = proxy_client(&s.proxy, PROXY_FOURTH);
    EXPECT(moved, "+PONG", "PING");
    RELOADS(.sections =
                text("%s%s", other_group(), listener(PROXY_FOURTH, "master = " OTHER_GROUP "\n")));
    HEAR(moved, "(closed)");
    redisFree(moved);
    EXPECT(stays, "+OK", "SET reload:stays 1");
    redisFree(stays);
    stop();
    trio_tell_sentinels(&s.trio, "SENTINEL REMOVE " OTHER_GROUP);
}

static void each_node(const char *command)
{
    for (int i = 0; i < s.trio.options.nodes; i++) {
        redisContext *c = trio_node(&s.trio, i);
        const char *answer = ask(c, command, NULL);
        cr_assert(answer[0] != '-', "%s: %s", command, answer);
        redisFree(c);
    }
}

/* The node's user has another password; connections that stand live on, new ones log in with it. */
Test(reload, passwords_change, .timeout = 60)
{
    s = shared();
    each_node("ACL SETUSER probe reset on >one ~* &* +@all");
    start(&(struct proxy_options){.master_lines = "username = probe\npassword = one\n"});
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET reload:password 1");
    /* Too early: nobody is disconnected for it, and as soon as it is good, it is good. */
    RELOADS(.master_lines = "username = probe\npassword = two\n");
    cr_assert(wait_until(10000, proxy_said(&s.proxy, "password is refused") > 0));
    EXPECT(c, "+OK", "SET reload:password early");
    each_node("ACL SETUSER probe <one >two");
    cr_assert_eq(proxy_wait_serving(&s.proxy, &s.trio), 0);
    SAID("change=\"[master mymaster] password: (secret) -> (another secret)\"");
    cr_assert_eq(proxy_said(&s.proxy, "password = two"), 0);
    EXPECT(c, "+OK", "SET reload:password 2");
    each_node("CLIENT KILL USER probe");
    cr_assert_eq(proxy_wait_serving(&s.proxy, &s.trio), 0);
    EXPECT(c, "+OK", "SET reload:password 3");
    redisFree(c);
    stop();
    each_node("ACL DELUSER probe");
}

/* Two of three Sentinels first, then the third instead of one of them. */
Test(reload, sentinels_change, .timeout = 60)
{
    start(&(struct proxy_options){0});
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    char *file = file_text(s.proxy.config), *fewer = strdup(file);
    char *line = strstr(fewer, "sentinels = "), *comma = strchr(line, ',');
    char *second = strchr(comma + 1, ',');
    cr_assert(comma && second);
    memset(second, ' ', strcspn(second, "\n"));
    cr_assert_eq(file_write(s.proxy.config, fewer), 0);
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    SAID("\"a Sentinel is not in the configuration any more\"");
    EXPECT(c, "+OK", "SET reload:sentinels 1");
    cr_assert_eq(file_write(s.proxy.config, file), 0);
    cr_assert_eq(proxy_reload(&s.proxy), 1);
    EXPECT(c, "+OK", "SET reload:sentinels 2");
    free(file);
    free(fewer);
    redisFree(c);
    stop();
}

/* ---- certificates ---- */

static struct certificate ca;

static void issue(const char *name)
{
    struct certificate made = certificate_make(&(struct certificate_wish){
        .cn = name, .names = text("IP:%s", s.trio.proxy_host), .issuer = &ca});
    certificate_write(s.trio.scratch.dir, text("%s.crt", name), &made, NULL);
    certificate_write_key(s.trio.scratch.dir, text("%s.key", name), &made);
    certificate_free(&made);
}

static const char *tls_listener(const char *name)
{
    const char *dir = s.trio.scratch.dir;
    return text("\n[listen %s:%d]\ntls = yes\ntls_cert = %s/%s.crt\ntls_key = %s/%s.key\n",
                s.proxy.host, PROXY_FOURTH, dir, name, dir, name);
}

/* The name in the certificate that is shown there; "": none. */
static const char *shown(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    int fd = raw_open_plain(s.proxy.host, PROXY_FOURTH);
    char name[64] = "";
    SSL_set_fd(ssl, fd);
    if (fd >= 0 && SSL_connect(ssl) == 1) {
        X509 *certificate = SSL_get1_peer_certificate(ssl);
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                                  sizeof(name));
        X509_free(certificate);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return text("%s", name);
}

Test(reload, certificates_move, .timeout = 60)
{
    s = shared();
    ca = certificate_make(&(struct certificate_wish){.cn = "ca", .authority = true});
    issue("first");
    issue("second");
    start(&(struct proxy_options){0});
    RELOADS(.sections = tls_listener("first"));
    cr_assert_str_eq(shown(), "first");
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *stays = SSL_new(context);
    int fd = raw_open_plain(s.proxy.host, PROXY_FOURTH);
    char got[16];
    SSL_set_fd(stays, fd);
    cr_assert_eq(SSL_connect(stays), 1);
    RELOADS(.sections = tls_listener("second"));
    cr_assert_str_eq(shown(), "second");
    DOES_NOT_RELOAD(.sections = tls_listener("third"));
    cr_assert_str_eq(shown(), "second");
    cr_assert_eq(SSL_write(stays, "PING\r\n", 6), 6);
    cr_assert_eq(SSL_read(stays, got, sizeof(got)), 7);
    /* The files at the new place are watched. */
    struct certificate made = certificate_make(&(struct certificate_wish){
        .cn = "renewed", .names = text("IP:%s", s.trio.proxy_host), .issuer = &ca});
    certificate_write(s.trio.scratch.dir, "second.crt", &made, NULL);
    certificate_write_key(s.trio.scratch.dir, "second.key", &made);
    cr_assert(wait_until(10000, strcmp(shown(), "renewed") == 0));
    /* It speaks plainly now: who is there leaves. */
    RELOADS(.sections = text("\n[listen %s:%d]\n", s.proxy.host, PROXY_FOURTH));
    cr_assert(SSL_read(stays, got, sizeof(got)) <= 0);
    SSL_free(stays);
    SSL_CTX_free(context);
    close(fd);
    certificate_free(&made);
    certificate_free(&ca);
    stop();
}

/* ---- asked for by an operator ---- */

static char out[64 * 1024];

static void ctl(int status, const char *line)
{
    int got = proxy_ctl(&s.proxy, out, sizeof(out), "%s", line);
    cr_assert_eq(got, status, "ctl %s: %d, wanted %d: %s", line, got, status, out);
}

static void said(const char *wanted)
{
    cr_assert(strstr(out, wanted), "<%s> is not in: %s", wanted, out);
}

static void configure(const char *proxy_lines, const char *sections)
{
    cr_assert_eq(
        proxy_configure(&s.proxy, &s.trio,
                        &(struct proxy_options){.proxy_lines = proxy_lines, .sections = sections}),
        0);
}

#define LAST_GOOD "redisproxy_config_last_reload_successful"

/* Who names the socket by a file with errors (-c) reaches the proxy that runs all the same. */
static void by_the_wrong_file(void)
{
    const char *status[] = {"ctl", "-c", s.proxy.config, "status", NULL};
    const char *reload[] = {"ctl", "-c", s.proxy.config, "reload", NULL};
    const char *doctor[] = {"ctl", "-c", s.proxy.config, "doctor", NULL};
    cr_expect_eq(proxy_run(status, out, sizeof(out)), 0, "%s", out);
    cr_expect(strstr(out, "the file has errors") && strstr(out, "max clients"), "%s", out);
    cr_expect_eq(proxy_run(reload, out, sizeof(out)), 1, "%s", out);
    cr_expect(strstr(out, "output_high = 1 is out of range"), "%s", out);
    cr_expect_eq(proxy_run(doctor, out, sizeof(out)), 1, "it needs the file");
    cr_expect(strstr(out, "output_high = 1 is out of range"), "%s", out);
}

Test(reload, by_ctl_tells_what_has_changed_or_is_wrong, .timeout = 60)
{
    start(&(struct proxy_options){0});
    ctl(0, "config diff");
    said("no changes");
    ctl(0, "reload");
    said("no changes");
    configure("max_clients = 77\n", NULL);
    ctl(0, "config diff");
    said("[proxy] max_clients: 10000 -> 77");
    ctl(0, "config get max_clients");
    said("10000");
    ctl(0, "reload --json");
    said("\"change\":\"[proxy] max_clients: 10000 -> 77\"");
    SAID("msg=\"administration\" verb=reload");
    ctl(0, "config get max_clients");
    said(" 77 ");
    ctl(0, "status --json");
    said("\"max_clients\":77");
    ctl(0, "config diff");
    said("no changes");
    configure("maxclients = 5\noutput_high = 1\n", NULL);
    ctl(1, "config diff");
    said("unknown setting maxclients in [proxy]: did you mean max_clients?");
    cr_expect_eq(proxy_gauge(&s.proxy, LAST_GOOD, -1), 1, "it was only looked at");
    ctl(1, "reload");
    said("output_high = 1 is out of range");
    cr_expect_eq(proxy_gauge(&s.proxy, LAST_GOOD, -1), 0);
    by_the_wrong_file();
    ctl(0, "config get max_clients");
    said(" 77 ");
    ctl(1, "config differ");
    configure("", NULL);
    ctl(0, "reload");
    cr_expect_eq(proxy_gauge(&s.proxy, LAST_GOOD, -1), 1);
    stop();
    ctl(2, "reload");
}

/* What was counted of a listener is still there when it comes back; a group that is gone is not told of. */
Test(reload, what_is_counted_and_shown_follows, .timeout = 60)
{
    start(&(struct proxy_options){0});
    watch_other_group();
    long before = proxy_gauge(&s.proxy, "redisproxy_sessions_opened_total", -1);
    const char *sections =
        text("%s%s", other_group(), listener(PROXY_FOURTH, "master = " OTHER_GROUP "\n"));
    for (int round = 1; round <= 2; round++) {
        configure("drain_timeout = 1s\n", sections);
        ctl(0, "reload");
        said("[master " OTHER_GROUP "]: added");
        redisContext *c = proxy_client(&s.proxy, PROXY_FOURTH);
        EXPECT(c, "+OK", "SET reload:counted 1");
        cr_expect_eq(proxy_gauge(&s.proxy, "redisproxy_sessions_opened_total", -1), before + round);
        ctl(0, "sessions group=" OTHER_GROUP " --json");
        said(text("\"listener\":\"%s:%d\"", s.proxy.host, PROXY_FOURTH));
        ctl(0, "pause " OTHER_GROUP " --for 15s");
        say(c, "SET reload:counted 2");
        say_now(c);
        cr_assert(wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_held_sessions", -1) == 1));
        ctl(0, "resume " OTHER_GROUP);
        HEAR(c, "+OK");
        configure("drain_timeout = 1s\n", NULL);
        ctl(0, "reload");
        said("[master " OTHER_GROUP "]: removed");
        HEAR(c, "(closed)");
        redisFree(c);
        ctl(1, "pause " OTHER_GROUP);
        said("there is no group " OTHER_GROUP);
        cr_expect_eq(proxy_gauge(&s.proxy, "redisproxy_sessions_opened_total", -1), before,
                     "the others', which nobody has used");
        cr_assert(wait_until(10000, (ctl(0, "status"), !strstr(out, OTHER_GROUP))), "%s", out);
        cr_expect(strstr(out, TRIO_GROUP) != NULL);
        cr_assert_eq(proxy_gauge(&s.proxy, "redisproxy_group_votes", -1),
                     proxy_gauge(&s.proxy, "redisproxy_group_sentinels", -1));
    }
    stop();
    trio_tell_sentinels(&s.trio, "SENTINEL REMOVE " OTHER_GROUP);
}

/* ---- under load ---- */

/* Everything changes, back and forth; what clients of the three other ports do goes on. */
static void reload_variant(int number)
{
    const char *lines = number % 2 ? "max_clients = 500\noutput_high = 2mb\nrequest_memory = 64mb\n"
                                   : "drain_timeout = 1s\n";
    const char *master = number % 3
                             ? "hold_timeout = 30s\nconnect_timeout = 2s\nsettle_timeout = 5s\n"
                             : "replica_lag = 20s\npassword = unused\n";
    const char *sections = "";
    if (number % 4 == 1)
        sections =
            text("%s%s", other_group(), listener(PROXY_FOURTH, "master = " OTHER_GROUP "\n"));
    else if (number % 4 == 2)
        sections = listener(PROXY_FOURTH, "route = replica\n");
    RELOADS(.proxy_lines = lines, .master_lines = master, .sections = sections);
}

/* An operator who asks all the time: whatever is told reads a configuration that may be replaced at any moment. */
static pid_t ask_all_the_time(void)
{
    static const char *const lines[] = {
        "status", "sessions group=mymaster", "config", "nodes", "sentinels", "config diff"};
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    for (unsigned i = 0;; i++) {
        int status = proxy_ctl(&s.proxy, out, sizeof(out), "%s", lines[i % 6]);
        if (status != 0) {
            fprintf(stderr, "ctl %s: %d: %s\n", lines[i % 6], status, out);
            _exit(1);
        }
    }
}

static void stop_asking(pid_t pid)
{
    int status;
    cr_expect_eq(waitpid(pid, &status, WNOHANG), 0, "an answer was wrong");
    kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
}

Test(reload, again_and_again_under_load, .timeout = 120)
{
    start(&(struct proxy_options){0});
    watch_other_group();
    struct load *load = load_start(&(struct load_options){.host = s.proxy.host,
                                                          .name = "reload",
                                                          .write_port = PROXY_MASTER,
                                                          .writers = 4,
                                                          .read_port = PROXY_SPLIT,
                                                          .readers = 3,
                                                          .stray_port = PROXY_REPLICA,
                                                          .strays = 2,
                                                          .guests = 3});
    pid_t asking = ask_all_the_time();
    int number = 0, load_ms = getenv("RELOAD_MS") ? atoi(getenv("RELOAD_MS")) : LOAD_MS;
    long before = 0;
    for (int64_t until = now_ms() + load_ms; now_ms() < until; number++) {
        int64_t next = now_ms() + 100;
        reload_variant(number);
        if (number == 10)
            before = proxy_memory(&s.proxy);
        if (next > now_ms())
            usleep((useconds_t)(next - now_ms()) * 1000); /* ten a second: the pace, not a wait */
    }
    stop_asking(asking);
    load_finish(load);
    struct load_report report;
    cr_assert_eq(load_report(load, &s.trio, &report), 0);
    load_report_print(stderr, &report);
    fprintf(stderr, "reloads: %d\n", number);
    cr_expect(report.acknowledged > 100 && report.reads > 100);
    cr_expect_eq(report.errors + report.unknown + report.refused, 0, "%s", report.first_error);
    cr_expect_eq(report.disconnects, 0);
    cr_expect_eq(report.read_errors + report.read_disconnects, 0, "%s", report.first_error);
    cr_expect_eq(report.strays_accepted + report.stray_errors + report.stray_disconnects, 0);
    cr_expect_eq(report.lost + report.doubled + report.out_of_order, 0);
    long growth = before ? proxy_memory(&s.proxy) - before : 0;
    fprintf(stderr, "memory: %ld KB more than after ten\n", growth / 1024);
    cr_expect(proxy_sanitized() || growth < GROWTH_MAX);
    load_free(load);
    trio_tell_sentinels(&s.trio, "SENTINEL REMOVE " OTHER_GROUP);
    stop();
}

/* A reload in the middle of a switchover, whatever it finds there, costs nobody anything. */
Test(reload, while_the_master_is_switched_over, .timeout = 120)
{
    start(&(struct proxy_options){0});
    int before = trio_master(&s.trio), number = 0;
    struct load *load = load_start(&(struct load_options){.host = s.proxy.host,
                                                          .name = "reload",
                                                          .write_port = PROXY_MASTER,
                                                          .writers = 4,
                                                          .read_port = PROXY_SPLIT,
                                                          .readers = 3,
                                                          .stray_port = PROXY_REPLICA,
                                                          .strays = 2});
    cr_assert_eq(trio_failover(&s.trio), 0);
    for (int64_t until = now_ms() + 20000;
         now_ms() < until && (trio_master(&s.trio) < 0 || trio_master(&s.trio) == before ||
                              load_take_gap(load) > 100000);
         number++)
        RELOADS(.master_lines = number % 2 ? "hold_timeout = 30s\npromotion = eager\n"
                                           : "connect_timeout = 2s\nfence = write\n");
    cr_assert_neq(trio_master(&s.trio), before);
    load_finish(load);
    cr_assert_eq(trio_wait_whole(&s.trio), 0);
    struct load_report report;
    cr_assert_eq(load_report(load, &s.trio, &report), 0);
    load_report_print(stderr, &report);
    fprintf(stderr, "reloads: %d\n", number);
    cr_expect(number > 2);
    cr_expect_eq(report.errors + report.unknown + report.refused + report.disconnects, 0, "%s",
                 report.first_error);
    cr_expect_eq(report.strays_accepted + report.stray_errors + report.stray_disconnects, 0);
    cr_expect_eq(report.lost + report.doubled + report.out_of_order, 0);
    load_free(load);
    stop();
}
