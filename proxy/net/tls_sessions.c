/* tls_sessions: see the header. */
#include "net/tls_sessions.h"

#include "base/clock.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A group has few nodes: with more, whose session is the oldest shakes hands in full. */
#define SESSIONS_MAX 64
/* A certificate that was taken back is not believed for longer than this; servers often keep theirs shorter (Redis:
 * five minutes). */
#define KEEP_MS ((int64_t)60 * 60 * 1000)

struct kept {
    char *peer; /* NULL: the place is free */
    SSL_SESSION *session;
    int64_t since_ms;
};

struct tls_sessions {
    pthread_mutex_t lock;
    struct kept list[SESSIONS_MAX];
};

struct tls_sessions *tls_sessions_new(void)
{
    struct tls_sessions *sessions = calloc(1, sizeof(*sessions));
    if (!sessions)
        out_of_memory(sizeof(*sessions));
    pthread_mutex_init(&sessions->lock, NULL);
    return sessions;
}

static void drop(struct kept *kept)
{
    free(kept->peer);
    SSL_SESSION_free(kept->session);
    *kept = (struct kept){0};
}

void tls_sessions_free(struct tls_sessions *sessions)
{
    if (!sessions)
        return;
    for (int i = 0; i < SESSIONS_MAX; i++)
        drop(&sessions->list[i]);
    pthread_mutex_destroy(&sessions->lock);
    free(sessions);
}

/* Under the lock. */
static struct kept *find(struct tls_sessions *sessions, const char *peer)
{
    for (int i = 0; i < SESSIONS_MAX; i++)
        if (sessions->list[i].peer && strcmp(sessions->list[i].peer, peer) == 0)
            return &sessions->list[i];
    return NULL;
}

/* Under the lock: a free place, or the oldest one's. */
static struct kept *make_room(struct tls_sessions *sessions)
{
    struct kept *place = &sessions->list[0];
    for (int i = 1; i < SESSIONS_MAX && place->peer; i++)
        if (!sessions->list[i].peer || sessions->list[i].since_ms < place->since_ms)
            place = &sessions->list[i];
    drop(place);
    return place;
}

static void keep(struct tls_sessions *sessions, const char *peer, SSL_SESSION *session)
{
    char *copy = strdup(peer);
    if (!copy)
        out_of_memory(strlen(peer));
    pthread_mutex_lock(&sessions->lock);
    struct kept *place = find(sessions, peer);
    if (place)
        drop(place);
    else
        place = make_room(sessions);
    *place = (struct kept){copy, session, clock_ms()};
    pthread_mutex_unlock(&sessions->lock);
}

/* What a full handshake would not believe any more, this one must not bring back. */
static bool is_good(const struct kept *kept)
{
    const X509 *shown = SSL_SESSION_get0_peer(kept->session);
    return clock_ms() - kept->since_ms < KEEP_MS && SSL_SESSION_is_resumable(kept->session) &&
           (!shown || X509_cmp_current_time(X509_get0_notAfter(shown)) > 0);
}

static SSL_SESSION *take(struct tls_sessions *sessions, const char *peer)
{
    SSL_SESSION *session = NULL;
    pthread_mutex_lock(&sessions->lock);
    struct kept *kept = find(sessions, peer);
    if (kept && !is_good(kept)) {
        drop(kept);
    } else if (kept) {
        session = SSL_SESSION_dup(kept->session);
    }
    pthread_mutex_unlock(&sessions->lock);
    return session;
}

static struct tls_sessions *sessions_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* With TLS 1.3 a session comes some time after the handshake, and more than one: the last one counts. Copies are kept and
 * given out: OpenSSL spoils one that was used once, or whose connection broke, and many connections may begin at a time. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    const char *peer = SSL_get_app_data(ssl);
    SSL_SESSION *copy = peer ? SSL_SESSION_dup(session) : NULL;
    if (copy)
        keep(sessions_of(ssl), peer, copy);
    return 0;
}

void tls_sessions_use(struct tls_sessions *sessions, SSL_CTX *context)
{
    SSL_CTX_set_app_data(context, sessions);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
}

void tls_sessions_begin(SSL *ssl, const char *peer)
{
    SSL_SESSION *session = take(sessions_of(ssl), peer);
    SSL_set_app_data(ssl, (char *)peer);
    if (session)
        SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
}

void tls_sessions_failed(SSL *ssl)
{
    struct tls_sessions *sessions = sessions_of(ssl);
    const char *peer = SSL_get_app_data(ssl);
    if (!peer)
        return;
    pthread_mutex_lock(&sessions->lock);
    struct kept *kept = find(sessions, peer);
    if (kept)
        drop(kept);
    pthread_mutex_unlock(&sessions->lock);
}
