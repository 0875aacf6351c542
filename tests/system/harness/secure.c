/* secure: see secure.h. */
#include "harness/secure.h"

#include "harness/proxy.h"
#include "harness/trio.h"
#include "harness/wait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHAKE_MS = 30000, PIECE = 64 * 1024 };

static bool wanted(const char *side)
{
    const char *said = getenv("TLS");
    return said && (strcmp(said, "1") == 0 || strstr(said, side));
}

bool secure_nodes(void)
{
    return wanted("servers") || wanted("nodes");
}

bool secure_sentinels(void)
{
    return wanted("servers") || wanted("sentinels");
}

/* Nodes and Sentinels differ. */
static bool is_mixed(void)
{
    return secure_nodes() != secure_sentinels();
}

int secure_sentinel_port(void)
{
    return is_mixed() && secure_sentinels() ? SECURE_SENTINEL_PORT : TRIO_SENTINEL_PORT;
}

bool secure_clients(void)
{
    return wanted("clients");
}

bool secure_any(void)
{
    return secure_nodes() || secure_sentinels() || secure_clients();
}

bool secure_at(const char *host, int port)
{
    const char *proxy = getenv("TLS_PROXY_HOST");
    if (proxy && strcmp(host, proxy) == 0)
        return port != PROXY_HTTP && secure_clients();
    return port == TRIO_SENTINEL_PORT ? secure_sentinels() && !is_mixed() : secure_nodes();
}

static bool is_number(const char *host)
{
    struct in_addr number;
    return inet_pton(AF_INET, host, &number) == 1;
}

/* ---- a relay: one thread for each connection ---- */

struct relay {
    SSL *ssl;
    int plain, secret;
};

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Both directions of one relay share an SSL, which is written only when it takes all: the socket
 * towards it blocks, and reading is done as far as something is there. */
static bool from_secret(struct relay *relay, char *bytes)
{
    do {
        int n = SSL_read(relay->ssl, bytes, PIECE);
        if (n <= 0)
            return SSL_get_error(relay->ssl, n) == SSL_ERROR_WANT_READ;
        if (!write_all(relay->plain, bytes, (size_t)n))
            return false;
    } while (SSL_pending(relay->ssl) > 0);
    return true;
}

static bool to_secret(struct relay *relay, const char *bytes, int len)
{
    while (len > 0) {
        int n = SSL_write(relay->ssl, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= n;
            continue;
        }
        if (SSL_get_error(relay->ssl, n) != SSL_ERROR_WANT_WRITE)
            return false;
        /* The other side may be waiting for us to read. */
        struct pollfd fds = {.fd = relay->secret, .events = POLLOUT};
        poll(&fds, 1, 1000);
    }
    return true;
}

static void *carry(void *arg)
{
    struct relay *relay = arg;
    char *bytes = malloc(PIECE);
    struct pollfd fds[] = {{.fd = relay->plain, .events = POLLIN},
                           {.fd = relay->secret, .events = POLLIN}};
    bool good = bytes != NULL;
    while (good && poll(fds, 2, -1) > 0) {
        if (fds[1].revents)
            good = from_secret(relay, bytes);
        if (good && fds[0].revents) {
            ssize_t n = recv(relay->plain, bytes, PIECE, 0);
            if (n == 0) {
                fds[0].fd = -1; /* our side has ended; the other one may go on */
                SSL_shutdown(relay->ssl);
            } else {
                good = n > 0 && to_secret(relay, bytes, (int)n);
            }
        }
    }
    SSL_shutdown(relay->ssl);
    SSL_free(relay->ssl);
    close(relay->secret);
    close(relay->plain);
    free(bytes);
    free(relay);
    return NULL;
}

/* Takes over both. Returns the plain end. */
static int start_relay(SSL *ssl, int secret)
{
    int ends[2];
    pthread_t thread;
    struct relay *relay = malloc(sizeof(*relay));
    if (!relay || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    *relay = (struct relay){.ssl = ssl, .plain = ends[1], .secret = secret};
    if (pthread_create(&thread, NULL, carry, relay) != 0)
        abort();
    pthread_detach(thread);
    return ends[0];
}

/* ---- connecting ---- */

static int tcp_open(const char *host, int port, int ms)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int error = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = sizeof(error);
    struct pollfd fds = {.fd = fd, .events = POLLOUT};
    if (fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return -1;
    if ((connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS) &&
        poll(&fds, 1, ms) > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && !error)
        return fd;
    close(fd);
    return -1;
}

static bool shake(SSL *ssl, int fd, int ms)
{
    int64_t deadline = now_ms() + ms;
    for (;;) {
        int n = SSL_connect(ssl), error = SSL_get_error(ssl, n);
        struct pollfd fds = {.fd = fd, .events = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN};
        int64_t left = deadline - now_ms();
        if (n == 1)
            return true;
        if ((error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) || left <= 0 ||
            poll(&fds, 1, (int)left) <= 0)
            return false;
    }
}

static void tell(SSL *ssl, char *why, size_t size)
{
    long verified = SSL_get_verify_result(ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    if (why)
        snprintf(why, size, "%s",
                 verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                 : reason              ? reason
                                       : "closed");
    ERR_clear_error();
}

static int connect_within(SSL_CTX *context, const char *host, int port, const char *name, char *why,
                          size_t size, int ms)
{
    int fd = tcp_open(host, port, ms), one = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (is_number(name))
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    else
        SSL_set1_host(ssl, name);
    if (why)
        snprintf(why, size, "%s", "");
    if (!shake(ssl, fd, ms)) {
        tell(ssl, why, size);
        shutdown(fd, SHUT_RDWR);
    }
    return start_relay(ssl, fd);
}

int secure_connect(SSL_CTX *context, const char *host, int port, const char *name, char *why,
                   size_t size)
{
    return connect_within(context, host, port, name, why, size, SHAKE_MS);
}

static SSL_CTX *common;

static void make_common(void)
{
    char path[3][512];
    static const char *const names[] = {"ca.crt", "tls.crt", "tls.key"};
    const char *folder = getenv("TLS_FOLDER");
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof(path[i]), "%s/%s", folder ? folder : ".", names[i]);
    common = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(common, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_file(common, path[0]) != 1 ||
        SSL_CTX_use_certificate_chain_file(common, path[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(common, path[2], SSL_FILETYPE_PEM) != 1)
        fprintf(stderr, "the certificates in %s cannot be read\n",
                folder ? folder : "(no TLS_FOLDER)");
}

int secure_open(const char *host, int port, int ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_common);
    return connect_within(common, host, port, host, NULL, 0, ms);
}
