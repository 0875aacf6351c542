/*
 * fuzz_tls: a peer that does what it likes with TLS. The proxy's side (net/tls) stands at one end of a socket pair; at the
 * other one OpenSSL itself is the client, and between them the input decides: how many bytes of the client's records go on,
 * where they are cut, which are changed, left out or made up, when the connection ends, in the handshake and after it.
 *
 * As long as nothing was changed, what the proxy reads is what the client wrote, and the other way round; after that, it
 * reads no byte that the client did not write, and ends.
 *
 * Build and run: make fuzz-tls [FUZZ_SECONDS=60].
 */
#include "check.h"

#include "certificates.h"
#include "net/tls.h"
#include "net/tls_tickets.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { BYTES_MAX = 256 * 1024, STEP_MAX = 40000 };

static struct tls_context *context;
static struct tls_tickets *tickets;
static SSL_CTX *client_context;

/* What each side has written, as a function of the place: so it need not be kept. */
static char byte_at(size_t at, int side)
{
    return (char)(at * 31 + at / 251 + (size_t)side * 7);
}

struct world {
    struct tls *tls;
    int ours, peer; /* the proxy's end, and the other one */
    SSL *client;
    BIO *to_client, *from_client;
    bool shaken, ended,
        changed; /* the proxy's handshake is done; it said that it is over; bytes were changed */
    size_t written[2], read[2]; /* by the proxy [0] and by the client [1] */
};

/* ---- the client ---- */

/* What the proxy sent goes to the client; it works on it. */
static void client_takes(struct world *w)
{
    char bytes[16384];
    ssize_t n;
    while ((n = recv(w->peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        BIO_write(w->to_client, bytes, (int)n);
    ERR_clear_error();
    if (!SSL_is_init_finished(w->client)) {
        SSL_do_handshake(w->client);
        return;
    }
    int got;
    while ((got = SSL_read(w->client, bytes, sizeof(bytes))) > 0)
        for (int i = 0; i < got; i++)
            CHECK(bytes[i] == byte_at(w->read[1]++, 0));
}

static void client_writes(struct world *w, size_t len)
{
    char bytes[STEP_MAX];
    if (!SSL_is_init_finished(w->client) || w->written[1] + len > BYTES_MAX)
        return;
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(w->written[1] + i, 1);
    ERR_clear_error();
    int n = len ? SSL_write(w->client, bytes, (int)len) : 0;
    if (n > 0)
        w->written[1] += (size_t)n;
}

/* `len` bytes of the client's records go on, with one of them changed where `change` is not 0. */
static void pass_on(struct world *w, size_t len, unsigned char change)
{
    char bytes[STEP_MAX];
    int n = BIO_read(w->from_client, bytes, (int)(len < sizeof(bytes) ? len : sizeof(bytes)));
    if (n <= 0)
        return;
    if (change) {
        bytes[n / 2] = (char)(bytes[n / 2] ^ change);
        w->changed = true;
    }
    if (send(w->peer, bytes, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
        w->changed = true; /* the socket is full: some are lost */
}

/* ---- the proxy's side ---- */

static void over(struct world *w)
{
    w->ended = true;
}

static void proxy_shakes(struct world *w)
{
    int done = tls_shake(w->tls);
    if (done < 0)
        over(w);
    w->shaken |= done == 1;
}

static void proxy_reads(struct world *w, size_t len)
{
    char bytes[STEP_MAX];
    ssize_t n = tls_read(w->tls, bytes, len ? len : 1);
    if (n < 0)
        over(w);
    for (ssize_t i = 0; i < n; i++)
        CHECK(bytes[i] == byte_at(w->read[0]++, 1));
    CHECK(w->read[0] <= w->written[1]);
}

static void proxy_writes(struct world *w, size_t len)
{
    char bytes[STEP_MAX];
    if (w->written[0] + len > BYTES_MAX)
        return;
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(w->written[0] + i, 0);
    struct iovec parts[] = {
        {bytes, len / 3}, {bytes + len / 3, 0}, {bytes + len / 3, len - len / 3}};
    ssize_t n = tls_write(w->tls, parts, 3);
    CHECK(n <= (ssize_t)len);
    if (n < 0)
        over(w);
    else
        w->written[0] += (size_t)n;
}

static void proxy_does(struct world *w, unsigned char what, size_t len)
{
    if (w->ended)
        return;
    if (!w->shaken)
        proxy_shakes(w);
    else if (what & 1)
        proxy_reads(w, len);
    else
        proxy_writes(w, len);
}

/* ---- the play ---- */

static void begin(struct world *w)
{
    int ends[2];
    memset(w, 0, sizeof(*w));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    w->ours = ends[0];
    w->peer = ends[1];
    w->tls = tls_new(context, w->ours, NULL);
    w->client = SSL_new(client_context);
    w->to_client = BIO_new(BIO_s_mem());
    w->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(w->client, w->to_client, w->from_client);
    SSL_set_connect_state(w->client);
    client_takes(w);
}

static void end(struct world *w)
{
    tls_say_goodbye(w->tls);
    tls_free(w->tls);
    SSL_free(w->client);
    close(w->ours);
    if (w->peer >= 0)
        close(w->peer);
}

/* An honest end: all that is under way arrives. */
static void settle(struct world *w)
{
    for (int i = 0; i < 200 && !w->ended; i++) {
        client_takes(w);
        pass_on(w, STEP_MAX, 0);
        if (!w->shaken)
            proxy_shakes(w);
        else
            proxy_reads(w, STEP_MAX);
        if (w->shaken && !w->ended && tls_flush(w->tls) < 0)
            over(w);
    }
    if (w->changed)
        return;
    CHECK(!w->ended && w->shaken);
    CHECK(w->read[0] == w->written[1]);
    CHECK(tls_unsent(w->tls) == 0);
    client_takes(w);
    CHECK(w->read[1] == w->written[0]);
}

/* Three bytes a step: what, and how much. */
static void step(struct world *w, const uint8_t *at)
{
    size_t len = (size_t)(at[1] | at[2] << 8) % STEP_MAX;
    switch (at[0] % 8) {
    case 0:
        pass_on(w, len, 0);
        break;
    case 1:
        pass_on(w, len, at[0] >= 200 ? (unsigned char)(at[1] | 1) : 0);
        break;
    case 2:
        client_writes(w, len);
        break;
    case 3:
        client_takes(w);
        break;
    case 4:
        if (at[0] >= 200) { /* bytes that nobody wrote */
            w->changed = true;
            (void)!send(w->peer, at, 3, MSG_NOSIGNAL | MSG_DONTWAIT);
        } else if (SSL_is_init_finished(w->client) && SSL_version(w->client) == TLS1_3_VERSION) {
            SSL_key_update(w->client,
                           at[1] & 1 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
        }
        break;
    default:
        proxy_does(w, at[0] / 8, len);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char folder[] = "/tmp/redisproxy-fuzz-XXXXXX", paths[2][64], error[300];
    (void)argc;
    (void)argv;
    CHECK(mkdtemp(folder));
    struct certificate own =
        certificate_make(&(struct certificate_wish){.cn = "fuzz", .ends_s = 86400});
    certificate_write(folder, "a.crt", &own, NULL);
    certificate_write_key(folder, "a.key", &own);
    snprintf(paths[0], sizeof(paths[0]), "%s/a.crt", folder);
    snprintf(paths[1], sizeof(paths[1]), "%s/a.key", folder);
    tickets = tls_tickets_new();
    context = tls_context_load(
        &(struct tls_settings){.side = TLS_SERVER, .cert = paths[0], .key = paths[1]}, tickets,
        error, sizeof(error));
    CHECK(context);
    unlink(paths[0]);
    unlink(paths[1]);
    rmdir(folder);
    certificate_free(&own);
    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(client_context, SSL_VERIFY_NONE, NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w;
    if (size < 1)
        return 0;
    SSL_CTX_set_max_proto_version(client_context, data[0] & 1 ? TLS1_2_VERSION : TLS1_3_VERSION);
    begin(&w);
    if (data[0] & 2) /* straight to after the handshake */
        for (int i = 0; i < 10 && !w.shaken; i++) {
            pass_on(&w, STEP_MAX, 0);
            proxy_shakes(&w);
            client_takes(&w);
        }
    for (size_t at = 1; at + 3 <= size; at += 3)
        step(&w, data + at);
    if (data[0] & 4) {
        close(w.peer);
        w.peer = -1;
        for (int i = 0; i < 100 && !w.ended; i++)
            proxy_does(&w, 1, STEP_MAX);
        CHECK(w.ended);
    } else {
        settle(&w);
    }
    end(&w);
    return 0;
}
