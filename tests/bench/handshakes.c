/*
 * TLS handshakes, which redis-benchmark makes before it measures:   handshakes [OPTIONS] HOST:PORT
 *
 *     -n N   how many (1000)
 *     -c N   at once (8)
 *     -r     each goes on with the session of an earlier one
 *     -e N   beside N sessions that have shaken hands, and ask PING all at once, again and again: how long do they wait,
 *            without and with the handshakes?
 *
 * Says one line: with -e milliseconds to the answer: p50, p99, without, and the same with them; handshakes per second. Certificates are not verified: what the server does is measured. TLS 1.3, as OpenSSL has it by itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_PINGS = 20000, PINGS_MAX = 1000000 };

static struct sockaddr_in to = {.sin_family = AF_INET};
static SSL_CTX *context;
static SSL_SESSION *session; /* with -r */
static bool resumes;

static void fail(const char *what)
{
    unsigned long error = ERR_peek_error();
    fprintf(stderr, "handshakes: %s: %s\n", what,
            error ? ERR_reason_error_string(error) : strerror(errno));
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int keep_session(SSL *ssl, SSL_SESSION *given)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = given;
    return 1;
}

static SSL *open_to(bool waits)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | (waits ? 0 : SOCK_NONBLOCK), 0);
    SSL *ssl = SSL_new(context);
    if (fd < 0 || !ssl)
        fail("no socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
        fail("cannot connect");
    SSL_set_fd(ssl, fd);
    SSL_set_connect_state(ssl);
    if (resumes && session) {
        SSL_SESSION *copy = SSL_SESSION_dup(session); /* OpenSSL spoils one that was used */
        SSL_set_session(ssl, copy);
        SSL_SESSION_free(copy);
    }
    return ssl;
}

static void close_to(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_set_quiet_shutdown(ssl, 1);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static bool pings(SSL *ssl)
{
    char got[16];
    return SSL_write(ssl, "PING\r\n", 6) == 6 && SSL_read(ssl, got, sizeof(got)) == 7;
}

/* ---- many at once ---- */

/* Goes on with one; whether it is done. */
static bool shake(SSL *ssl, short *events)
{
    int n = SSL_do_handshake(ssl), error = SSL_get_error(ssl, n);
    if (n == 1)
        return true;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        fail("a handshake failed");
    *events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    return false;
}

/* Returns how many microseconds that took. */
static uint64_t shake_many(long count, long at_once)
{
    SSL **open = calloc((size_t)at_once, sizeof(*open));
    struct pollfd *fds = calloc((size_t)at_once, sizeof(*fds));
    uint64_t begun = now_us();
    long begun_count = 0, done = 0;
    if (!open || !fds)
        fail("no memory");
    while (done < count) {
        for (long i = 0; i < at_once; i++) {
            if (!open[i] && begun_count < count) {
                open[i] = open_to(false);
                begun_count++;
                fds[i] = (struct pollfd){.fd = SSL_get_fd(open[i]), .events = POLLOUT};
            } else if (!open[i]) {
                fds[i] = (struct pollfd){.fd = -1};
            }
        }
        if (poll(fds, (nfds_t)at_once, 30000) <= 0)
            fail("nothing happens for 30 s");
        for (long i = 0; i < at_once; i++) {
            if (!fds[i].revents || !shake(open[i], &fds[i].events))
                continue;
            close_to(open[i]);
            open[i] = NULL;
            done++;
        }
    }
    free(open);
    free(fds);
    return now_us() - begun;
}

/* ---- those who are served ---- */

struct served {
    SSL **open;
    long count;
    atomic_bool over;
    double *ms;
    long asked;
};

/* All at once. */
static void ask(struct served *s)
{
    char got[16];
    uint64_t begun = now_us();
    for (long i = 0; i < s->count; i++)
        if (SSL_write(s->open[i], "PING\r\n", 6) != 6)
            fail("a session that was served is not any more");
    for (long i = 0; i < s->count; i++) {
        if (SSL_read(s->open[i], got, sizeof(got)) != 7)
            fail("a session that was served is not any more");
        s->ms[s->asked++ % PINGS_MAX] = (double)(now_us() - begun) / 1000;
    }
}

static void *go_on(void *arg)
{
    struct served *s = arg;
    while (!s->over)
        ask(s);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(struct served *s)
{
    long n = s->asked < PINGS_MAX ? s->asked : PINGS_MAX;
    qsort(s->ms, (size_t)n, sizeof(*s->ms), compare);
    printf("%.3f %.3f ", s->ms[n / 2], s->ms[n * 99 / 100]);
    s->asked = 0;
}

static void beside(long established, long count, long at_once)
{
    struct served s = {.count = established};
    pthread_t thread;
    s.open = calloc((size_t)established, sizeof(*s.open));
    s.ms = calloc(PINGS_MAX, sizeof(*s.ms));
    if (!s.open || !s.ms)
        fail("no memory");
    for (long i = 0; i < established; i++)
        if (SSL_do_handshake(s.open[i] = open_to(true)) != 1 || !pings(s.open[i]))
            fail("a session is not served");
    while (s.asked < QUIET_PINGS)
        ask(&s);
    tell(&s);
    if (pthread_create(&thread, NULL, go_on, &s) != 0)
        fail("no thread");
    uint64_t took = shake_many(count, at_once);
    s.over = true;
    pthread_join(thread, NULL);
    tell(&s);
    printf("%.0f\n", (double)count * 1e6 / (double)took);
}

/* A session for -r comes with the first answer. */
static void fetch_session(void)
{
    SSL *ssl = open_to(true);
    if (SSL_do_handshake(ssl) != 1 || !pings(ssl) || !session)
        fail("there is no session");
    SSL_CTX_sess_set_new_cb(context, NULL);
    close_to(ssl);
}

int main(int argc, char **argv)
{
    long count = 1000, at_once = 8, established = 0;
    char host[64] = "";
    int port = 0, option;
    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt(argc, argv, "n:c:e:r")) != -1) {
        if (option == 'r')
            resumes = true;
        else if (option == 'n')
            count = atol(optarg);
        else if (option == 'c')
            at_once = atol(optarg);
        else if (option == 'e')
            established = atol(optarg);
        else
            return 2;
    }
    if (optind + 1 != argc || sscanf(argv[optind], "%63[^:]:%d", host, &port) != 2 ||
        inet_pton(AF_INET, host, &to.sin_addr) != 1 || count < 1 || at_once < 1) {
        fprintf(stderr, "usage: handshakes [-n N] [-c N] [-r] [-e N] HOST:PORT\n");
        return 2;
    }
    to.sin_port = htons((uint16_t)port);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (resumes)
        SSL_CTX_sess_set_new_cb(context, keep_session);
    if (resumes)
        fetch_session();
    if (established)
        beside(established, count, at_once);
    else
        printf("%.0f\n", (double)count * 1e6 / (double)shake_many(count, at_once));
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
    return 0;
}
