/*
 * tls: two streams that speak TLS with each other, of all sizes, with good certificates and bad ones; and peers that do
 * not keep to it.
 */
#include "net/tls.h"

#include "base/clock.h"
#include "base/list.h"
#include "certificates.h"
#include "net/stream.h"
#include "net/tls_sessions.h"
#include "net/tls_tickets.h"
#include "unit/loop.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* ---- a folder with what most tests need ---- */

static char folder[] = "/tmp/redisproxy-tls-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static struct certificate ca;

static void issue(const char *name, struct certificate_wish wish)
{
    char key[64];
    struct certificate made;
    wish.issuer = wish.issuer ? wish.issuer : &ca;
    made = certificate_make(&wish);
    snprintf(key, sizeof(key), "%s.key", name);
    certificate_write_key(folder, key, &made);
    snprintf(key, sizeof(key), "%s.crt", name);
    certificate_write(folder, key, &made, wish.issuer == &ca ? NULL : wish.issuer);
    certificate_free(&made);
}

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    ca = certificate_make(&(struct certificate_wish){.cn = "ca", .authority = true});
    certificate_write(folder, "ca.crt", &ca, NULL);
    issue("server",
          (struct certificate_wish){.cn = "redis", .names = "DNS:redis.example,IP:127.0.0.1"});
    issue("client",
          (struct certificate_wish){.cn = "alice", .names = "URI:spiffe://example/alice"});
}

static void remove_folder(void)
{
    char command[320];
    certificate_free(&ca);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(tls, .init = make_folder, .fini = remove_folder, .timeout = 60);

/* ---- two ends ---- */

struct end {
    struct stream stream;
    struct pair *pair;
    int opened, error, closed, gone, readable;
    bool silent;
    char why[256];
};

struct pair {
    uv_loop_t loop;
    struct end server, client;
    struct tls_context *server_context, *client_context;
};

static void on_event(struct stream *stream, unsigned events, int error)
{
    struct end *end = container_of(stream, struct end, stream);
    end->opened += (events & STREAM_OPEN) != 0;
    end->readable += (events & STREAM_READABLE) != 0;
    end->gone += (events & STREAM_GONE) != 0;
    if (error) {
        end->error = error;
        snprintf(end->why, sizeof(end->why), "%s", stream_strerror(stream, error));
        end->silent = stream_tls(stream) && tls_was_silent(stream_tls(stream));
        stream_close(stream);
    }
}

static void on_closed(struct stream *stream)
{
    container_of(stream, struct end, stream)->closed++;
}

static struct tls_context *load(const struct tls_settings *settings, struct tls_tickets *tickets)
{
    char error[300] = "";
    struct tls_context *context = tls_context_load(settings, tickets, error, sizeof(error));
    cr_assert(context, "%s", error);
    return context;
}

static struct tls_settings server_settings(const char *name)
{
    static char cert[64], key[64];
    snprintf(cert, sizeof(cert), "%s.crt", name);
    snprintf(key, sizeof(key), "%s.key", name);
    return (struct tls_settings){
        .side = TLS_SERVER, .cert = in_folder(cert), .key = in_folder(key)};
}

static struct tls_settings client_settings(enum tls_verify verify)
{
    return (struct tls_settings){.side = TLS_CLIENT, .verify = verify, .ca = in_folder("ca.crt")};
}

/* Over loopback: the client connects. */
static void connect_both(struct pair *pair)
{
    struct address to;
    struct sockaddr_in bound;
    socklen_t len = sizeof(bound);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(address_from_number(&to, "127.0.0.1", 0), 0);
    cr_assert_eq(bind(listening, &to.sa.any, to.len), 0);
    cr_assert_eq(listen(listening, 1), 0);
    cr_assert_eq(getsockname(listening, (struct sockaddr *)&bound, &len), 0);
    cr_assert_eq(address_from_number(&to, "127.0.0.1", ntohs(bound.sin_port)), 0);
    cr_assert_eq(stream_connect(&pair->client.stream, &pair->loop, &to, on_event, on_closed), 0);
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(stream_accept(&pair->server.stream, &pair->loop, fd, on_event, on_closed), 0);
    close(listening);
}

static void begin(struct pair *pair, const struct tls_settings *server,
                  const struct tls_settings *client, const char *name)
{
    memset(pair, 0, sizeof(*pair));
    uv_loop_init(&pair->loop);
    pair->server_context = load(server, NULL);
    pair->client_context = load(client, NULL);
    connect_both(pair);
    stream_secure(&pair->server.stream, pair->server_context, NULL, 5000);
    stream_secure(&pair->client.stream, pair->client_context, name, 0);
    cr_assert_not(stream_is_open(&pair->server.stream));
}

static bool settled(const struct pair *pair)
{
    return (pair->server.opened || pair->server.error) &&
           (pair->client.opened || pair->client.error);
}

static void finish(struct pair *pair)
{
    stream_close(&pair->server.stream);
    stream_close(&pair->client.stream);
    loop_end(&pair->loop);
    cr_assert_eq(pair->server.closed, 1);
    cr_assert_eq(pair->client.closed, 1);
    tls_context_release(pair->server_context);
    tls_context_release(pair->client_context);
}

static void turn(struct pair *pair)
{
    uv_run(&pair->loop, UV_RUN_NOWAIT);
}

/* Reads until `len` bytes have come. */
static void read_all(struct pair *pair, struct end *end, char *into, size_t len, size_t step)
{
    size_t got = 0;
    stream_want(&end->stream, STREAM_READABLE);
    while (got < len) {
        int before = end->readable;
        until(end->readable > before, turn(pair));
        size_t room = len - got < step ? len - got : step;
        ssize_t n = stream_read(&end->stream, into + got, room);
        cr_assert_geq(n, 0, "%s", stream_strerror(&end->stream, (int)n));
        got += (size_t)n;
    }
    stream_want(&end->stream, 0);
}

/* ---- tests ---- */

Test(tls, both_sides_talk)
{
    struct pair pair;
    struct tls_settings server = server_settings("server"),
                        client = client_settings(TLS_VERIFY_NAME);
    char got[64] = "";
    begin(&pair, &server, &client, "redis.example");
    until(settled(&pair), turn(&pair));
    cr_assert_eq(pair.server.error, 0, "%s", pair.server.why);
    cr_assert_eq(pair.client.error, 0, "%s", pair.client.why);
    struct iovec parts[] = {{(char[]){"hello "}, 6}, {(char[]){""}, 0}, {(char[]){"world"}, 5}};
    cr_assert_eq(stream_write(&pair.client.stream, parts, 3), 11);
    read_all(&pair, &pair.server, got, 11, 64);
    cr_assert_str_eq(got, "hello world");
    cr_assert_eq(stream_write(&pair.server.stream, parts, 1), 6);
    memset(got, 0, sizeof(got));
    read_all(&pair, &pair.client, got, 6, 1);
    cr_assert_str_eq(got, "hello ");
    cr_assert_eq(stream_read(&pair.client.stream, got, 1), 0, "nothing is there");
    finish(&pair);
}

enum { MUCH = 3 * 1000 * 1000 + 17 };

static char byte_at(size_t at)
{
    return (char)(at * 31 + at / 251);
}

static void talks_much(size_t read_step, size_t write_step)
{
    struct pair pair;
    struct tls_settings server = server_settings("server"), client = client_settings(TLS_VERIFY_CA);
    char *sent = malloc(MUCH), *got = malloc(MUCH);
    size_t out = 0, in = 0;
    begin(&pair, &server, &client, "anybody");
    until(settled(&pair), turn(&pair));
    for (size_t i = 0; i < MUCH; i++)
        sent[i] = byte_at(i);
    stream_want(&pair.client.stream, STREAM_READABLE);
    while (in < MUCH) {
        if (out < MUCH) {
            size_t step = MUCH - out < write_step ? MUCH - out : write_step;
            struct iovec parts[] = {{sent + out, step / 3},
                                    {sent + out + step / 3, step - step / 3}};
            ssize_t n = stream_write(&pair.server.stream, parts, 2);
            cr_assert_geq(n, 0, "%s", stream_strerror(&pair.server.stream, (int)n));
            out += (size_t)n;
        }
        pair.client.readable = 0;
        turn(&pair);
        if (!pair.client.readable)
            continue;
        ssize_t n = stream_read(&pair.client.stream, got + in,
                                MUCH - in < read_step ? MUCH - in : read_step);
        cr_assert_geq(n, 0, "%s", stream_strerror(&pair.client.stream, (int)n));
        in += (size_t)n;
    }
    cr_assert_eq(memcmp(sent, got, MUCH), 0);
    cr_assert_not(stream_is_behind(&pair.server.stream));
    free(sent);
    free(got);
    finish(&pair);
}

Test(tls, many_bytes_in_large_steps)
{
    talks_much(64 * 1024, 1000 * 1000);
}

/* A record is larger than what is asked for: what is left of it is told of although the socket has nothing. */
Test(tls, many_bytes_in_small_reads)
{
    talks_much(1500, 100 * 1000);
}

Test(tls, many_bytes_in_small_writes)
{
    talks_much(5000, 700);
}

/* What the kernel does not take is sent by the stream itself. */
Test(tls, what_was_taken_arrives)
{
    struct pair pair;
    struct tls_settings server = server_settings("server"), client = client_settings(TLS_VERIFY_CA);
    static char bytes[64 * 1024], got[64 * 1024];
    size_t sent = 0, in = 0;
    begin(&pair, &server, &client, "anybody");
    until(settled(&pair), turn(&pair));
    while (!stream_is_behind(&pair.server.stream)) {
        ssize_t n = stream_write(&pair.server.stream, &(struct iovec){bytes, sizeof(bytes)}, 1);
        cr_assert_gt(n, 0);
        sent += (size_t)n;
    }
    cr_assert_eq(stream_write(&pair.server.stream, &(struct iovec){bytes, 1}, 1), 0,
                 "it takes no more");
    stream_want(&pair.client.stream, STREAM_READABLE);
    while (in < sent) {
        turn(&pair);
        ssize_t n = stream_read(&pair.client.stream, got, sizeof(got));
        cr_assert_geq(n, 0);
        in += (size_t)n;
    }
    cr_assert_eq(in, sent);
    finish(&pair);
}

/* The peer resets while records wait for it: they wait no longer, and the owner hears that it is over. */
Test(tls, what_nobody_will_take_is_not_behind)
{
    struct pair pair;
    struct tls_settings server = server_settings("server"), client = client_settings(TLS_VERIFY_CA);
    static char bytes[64 * 1024];
    const struct linger reset = {.l_onoff = 1};
    begin(&pair, &server, &client, "anybody");
    until(settled(&pair), turn(&pair));
    while (!stream_is_behind(&pair.server.stream))
        cr_assert_gt(stream_write(&pair.server.stream, &(struct iovec){bytes, sizeof(bytes)}, 1),
                     0);
    cr_assert_eq(setsockopt(pair.client.stream.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)),
                 0);
    stream_close(&pair.client.stream);
    until(pair.server.gone, turn(&pair));
    until(!stream_is_behind(&pair.server.stream), turn(&pair));
    finish(&pair);
}

Test(tls, the_end_is_an_end_with_goodbye_and_without)
{
    for (int goodbye = 0; goodbye < 2; goodbye++) {
        struct pair pair;
        struct tls_settings server = server_settings("server"),
                            client = client_settings(TLS_VERIFY_CA);
        char got[8];
        begin(&pair, &server, &client, "anybody");
        until(settled(&pair), turn(&pair));
        cr_assert_eq(stream_write(&pair.client.stream, &(struct iovec){(char[]){"last"}, 4}, 1), 4);
        if (!goodbye)
            shutdown(pair.client.stream.fd, SHUT_WR);
        else
            stream_close(&pair.client.stream);
        read_all(&pair, &pair.server, got, 4, 8);
        ssize_t n = 0;
        until((n = stream_read(&pair.server.stream, got, sizeof(got))) != 0, turn(&pair));
        cr_assert_eq(n, UV_EOF, "%s", stream_strerror(&pair.server.stream, (int)n));
        finish(&pair);
    }
}

/* ---- whom one believes ---- */

static void refuses(const char *certificate, enum tls_verify verify, const char *name,
                    const char *why)
{
    struct pair pair;
    struct tls_settings server = server_settings(certificate), client = client_settings(verify);
    begin(&pair, &server, &client, name);
    until(settled(&pair), turn(&pair));
    if (why) {
        cr_assert_eq(pair.client.error, UV_EPROTO);
        cr_assert(strstr(pair.client.why, why), "%s", pair.client.why);
        cr_assert_not(pair.client.opened);
    } else {
        cr_assert_eq(pair.client.error, 0, "%s", pair.client.why);
    }
    finish(&pair);
}

Test(tls, a_client_believes_the_right_ones)
{
    struct certificate stranger =
        certificate_make(&(struct certificate_wish){.cn = "x", .authority = true});
    struct certificate between = certificate_make(
        &(struct certificate_wish){.cn = "between", .authority = true, .issuer = &ca});
    issue("expired",
          (struct certificate_wish){
              .cn = "x", .names = "DNS:redis.example", .begins_s = -7200, .ends_s = -3600});
    issue("early",
          (struct certificate_wish){.cn = "x", .names = "DNS:redis.example", .begins_s = 3000});
    issue("strange",
          (struct certificate_wish){.cn = "x", .names = "DNS:redis.example", .issuer = &stranger});
    issue("chained",
          (struct certificate_wish){.cn = "x", .names = "DNS:*.redis.example", .issuer = &between});
    issue("rsa", (struct certificate_wish){.cn = "x", .names = "DNS:redis.example", .rsa = true});
    refuses("server", TLS_VERIFY_NAME, "redis.example", NULL);
    refuses("server", TLS_VERIFY_NAME, "127.0.0.1", NULL);
    refuses("server", TLS_VERIFY_NAME, "127.0.0.2", "IP address mismatch");
    refuses("server", TLS_VERIFY_NAME, "other.example", "ostname mismatch");
    refuses("server", TLS_VERIFY_CA, "other.example", NULL);
    refuses("expired", TLS_VERIFY_CA, "redis.example", "expired");
    refuses("expired", TLS_VERIFY_NONE, "redis.example", NULL);
    refuses("early", TLS_VERIFY_CA, "redis.example", "not yet valid");
    refuses("strange", TLS_VERIFY_CA, "redis.example", "certificate");
    refuses("strange", TLS_VERIFY_NONE, "redis.example", NULL);
    refuses("chained", TLS_VERIFY_NAME, "a.redis.example", NULL);
    refuses("rsa", TLS_VERIFY_NAME, "redis.example", NULL);
    certificate_free(&stranger);
    certificate_free(&between);
}

/* With TLS 1.3 the client hears of it only when it reads. */
Test(tls, a_server_asks_for_certificates)
{
    for (int version = TLS_1_2; version <= TLS_1_3; version++)
        for (int given = 0; given < 2; given++) {
            struct pair pair;
            struct tls_settings server = server_settings("server"),
                                client = client_settings(TLS_VERIFY_CA);
            server.verify = TLS_VERIFY_CA;
            server.ca = in_folder("ca.crt");
            server.min_version = client.min_version = (enum tls_version)version;
            if (given) {
                client.cert = in_folder("client.crt");
                client.key = in_folder("client.key");
            }
            begin(&pair, &server, &client, "anybody");
            until(pair.server.opened || pair.server.error, turn(&pair));
            cr_assert_eq(pair.server.opened, given, "%s", pair.server.why);
            if (!given) {
                cr_assert(strstr(pair.server.why, "did not return a certificate"), "%s",
                          pair.server.why);
            } else {
                X509 *peer = tls_peer_certificate(stream_tls(&pair.server.stream));
                cr_assert(peer);
                cr_assert_gt(tls_certificate_ends(peer), 0);
                X509_free(peer);
            }
            finish(&pair);
        }
}

/* ---- peers that do not keep to it ---- */

static struct end *alone(struct pair *pair, int *peer)
{
    struct tls_settings server = server_settings("server");
    int fds[2];
    memset(pair, 0, sizeof(*pair));
    uv_loop_init(&pair->loop);
    pair->server_context = load(&server, NULL);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    cr_assert_eq(stream_accept(&pair->server.stream, &pair->loop, fds[0], on_event, on_closed), 0);
    *peer = fds[1];
    return &pair->server;
}

static void finish_alone(struct pair *pair)
{
    stream_close(&pair->server.stream);
    loop_end(&pair->loop);
    cr_assert_eq(pair->server.closed, 1);
    tls_context_release(pair->server_context);
}

Test(tls, a_plain_client_is_told_apart)
{
    static const char *const firsts[] = {"*1\r\n$4\r\nPING\r\n", "PING\r\n",
                                         "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        struct pair pair;
        int peer;
        struct end *server = alone(&pair, &peer);
        stream_secure(&server->stream, pair.server_context, NULL, 5000);
        cr_assert_gt(write(peer, firsts[i], strlen(firsts[i])), 0);
        until(server->error, turn(&pair));
        cr_assert_str_eq(server->why, "the peer does not speak TLS");
        close(peer);
        finish_alone(&pair);
    }
}

Test(tls, a_probe_that_says_nothing_is_silent)
{
    struct pair pair;
    int peer;
    struct end *server = alone(&pair, &peer);
    stream_secure(&server->stream, pair.server_context, NULL, 5000);
    close(peer);
    until(server->error, turn(&pair));
    cr_assert_eq(server->error, UV_EOF);
    cr_assert(server->silent);
    finish_alone(&pair);
}

Test(tls, a_handshake_has_an_end)
{
    struct pair pair;
    int peer;
    struct end *server = alone(&pair, &peer);
    stream_secure(&server->stream, pair.server_context, NULL, 20);
    cr_assert_eq(write(peer, "\x16\x03\x01", 3), 3);
    until(server->error, turn(&pair));
    cr_assert_eq(server->error, UV_ETIMEDOUT);
    cr_assert_str_eq(server->why, "the handshake takes too long");
    close(peer);
    finish_alone(&pair);
}

/* ---- files ---- */

static void is_refused(struct tls_settings settings, const char *why)
{
    char error[300] = "";
    cr_assert_null(tls_context_load(&settings, NULL, error, sizeof(error)));
    cr_assert(strstr(error, why), "%s", error);
    cr_assert_eq(ERR_peek_error(), 0, "nothing is left in the queue");
}

Test(tls, files_that_are_wrong_are_named)
{
    struct tls_settings settings = server_settings("server");
    settings.key = in_folder("client.key");
    is_refused(settings, "does not belong to the key");
    settings.key = in_folder("missing.key");
    is_refused(settings, "missing.key: No such file");
    settings = server_settings("server");
    settings.cert = in_folder("server.key");
    is_refused(settings, "the certificate cannot be read from");
    settings = client_settings(TLS_VERIFY_CA);
    settings.ca = in_folder("server.key");
    is_refused(settings, "the CAs cannot be read from");
    settings = server_settings("server");
    settings.ciphers = "NOTHING";
    is_refused(settings, "tls_ciphers");
    settings.ciphers = NULL;
    settings.ciphersuites = "TLS_NOTHING";
    is_refused(settings, "tls_ciphersuites");
    settings.ciphersuites = NULL;
    settings.groups = "nothing";
    is_refused(settings, "tls_groups");
}

Test(tls, a_context_knows_when_it_ends)
{
    struct tls_settings settings = server_settings("server");
    settings.verify = TLS_VERIFY_CA;
    settings.ca = in_folder("ca.crt");
    struct tls_context *context = load(&settings, NULL);
    int64_t now = clock_wall_ms() / 1000;
    cr_assert(tls_context_cert_ends(context) > now + 3500 &&
              tls_context_cert_ends(context) <= now + 3600);
    cr_assert(tls_context_ca_ends(context) > now + 3500 &&
              tls_context_ca_ends(context) <= now + 3600);
    tls_context_release(context);
}

/* ---- sessions that are taken up again ---- */

static char last_peer[64];

/* Connects twice with these contexts, and the second time under this name; returns whether that was resumed. */
static bool is_resumed(struct tls_context *first, struct tls_context *second, const char *name,
                       enum tls_version version)
{
    struct tls_settings server = server_settings("server");
    struct tls_tickets *tickets = tls_tickets_new();
    struct pair pair;
    struct sockaddr_in bound;
    struct address to;
    socklen_t len = sizeof(bound);
    bool resumed = false;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    memset(&pair, 0, sizeof(pair));
    uv_loop_init(&pair.loop);
    server.min_version = version;
    pair.server_context = load(&server, tickets);
    cr_assert_eq(address_from_number(&to, "127.0.0.1", 0), 0);
    cr_assert_eq(bind(listening, &to.sa.any, to.len), 0);
    cr_assert_eq(listen(listening, 1), 0);
    cr_assert_eq(getsockname(listening, (struct sockaddr *)&bound, &len), 0);
    cr_assert_eq(address_from_number(&to, "127.0.0.1", ntohs(bound.sin_port)), 0);
    snprintf(last_peer, sizeof(last_peer), "127.0.0.1:%d %s", ntohs(bound.sin_port), name);
    for (int i = 0; i < 3; i++) { /* the second brings no ticket for the third */
        char got[8];
        bool was = resumed;
        pair.server.opened = pair.client.opened = pair.server.closed = pair.client.closed = 0;
        cr_assert_eq(stream_connect(&pair.client.stream, &pair.loop, &to, on_event, on_closed), 0);
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        cr_assert_eq(stream_accept(&pair.server.stream, &pair.loop, fd, on_event, on_closed), 0);
        stream_secure(&pair.server.stream, pair.server_context, NULL, 5000);
        stream_secure(&pair.client.stream, i ? second : first, i ? name : "redis.example", 0);
        until(settled(&pair), turn(&pair));
        cr_assert_eq(pair.server.opened + pair.client.opened, 2, "%s%s", pair.client.why,
                     pair.server.why);
        resumed = tls_resumed(stream_tls(&pair.client.stream));
        cr_assert(i || !resumed);
        cr_assert(i < 2 || resumed == was);
        if (i == 0) {
            cr_assert_eq(stream_write(&pair.server.stream, &(struct iovec){(char[]){"x"}, 1}, 1),
                         1);
            read_all(&pair, &pair.client, got, 1, 1); /* and the tickets before it */
        }
        stream_close(&pair.server.stream);
        stream_close(&pair.client.stream);
        until(pair.server.closed && pair.client.closed, turn(&pair));
    }
    close(listening);
    loop_end(&pair.loop);
    tls_context_release(pair.server_context);
    tls_tickets_release(tickets);
    return resumed;
}

Test(tls, a_client_takes_its_session_up_again)
{
    for (int version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tls_settings settings = client_settings(TLS_VERIFY_NAME);
        struct tls_context *one = load(&settings, NULL), *other = load(&settings, NULL);
        unsigned long long before = tls_handshakes(TLS_CLIENT, true);
        cr_assert(is_resumed(one, one, "redis.example", (enum tls_version)version));
        cr_assert_eq(tls_handshakes(TLS_CLIENT, true), before + 2);
        cr_assert_not(is_resumed(one, one, "127.0.0.1", (enum tls_version)version),
                      "another name is verified");
        cr_assert_not(is_resumed(one, other, "redis.example", (enum tls_version)version),
                      "new files are another context, and so is what they believe");
        tls_context_release(one);
        tls_context_release(other);
    }
}

/* Whether there is a session for the next connection to the peer of the last one. */
static bool has_session(const struct tls_context *context)
{
    SSL *ssl = SSL_new(tls_context_ssl(context));
    tls_sessions_begin(ssl, last_peer);
    bool there = SSL_get0_session(ssl) != NULL;
    SSL_free(ssl);
    return there;
}

/* What was verified yesterday is not good for longer than the certificate. */
Test(tls, a_session_ends_with_the_certificate)
{
    struct tls_settings settings = client_settings(TLS_VERIFY_NAME);
    struct tls_context *context = load(&settings, NULL);
    int64_t end_ms = clock_wall_ms() + 4000;
    issue("server",
          (struct certificate_wish){.cn = "redis", .names = "DNS:redis.example", .ends_s = 3});
    cr_assert(is_resumed(context, context, "redis.example", TLS_1_3));
    cr_assert(has_session(context));
    until(clock_wall_ms() > end_ms, usleep(1000));
    cr_assert_not(has_session(context));
    tls_context_release(context);
}
