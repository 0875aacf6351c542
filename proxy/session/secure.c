/* secure: see the header. */
#include "session/secure.h"

#include "base/log.h"
#include "net/tls.h"
#include "net/tls_source.h"
#include "nodes/certificate_users.h"
#include "nodes/identity.h"
#include "nodes/router.h"
#include "session/life.h"

#include <string.h>

/* A longer name is nobody's. */
#define USER_MAX 1024

void session_secure(struct session *s)
{
    struct tls_context *context = tls_source_context(s->listener->tls);
    stream_secure(&s->client.stream, context, NULL, s->host->options->handshake_timeout_ms);
    tls_context_release(context);
}

/* ---- the user whom a certificate names ---- */

/* While its password is at hand. */
struct starting {
    struct session *session;
    struct slice user;
};

static void start_as(void *data, struct slice password)
{
    const struct starting *starting = data;
    struct session *s = starting->session;
    struct identity *identity = identity_with_credential(router_identities(s->host->router),
                                                         s->identity, starting->user, password);
    identity_release(s->identity);
    s->identity = identity;
}

void session_secured(struct session *s)
{
    const struct tls *tls = stream_tls(&s->client.stream);
    char name[USER_MAX] = "";
    struct starting starting = {s, {name, 0}};
    if (s->listener->user_from == USER_FROM_CN)
        tls_peer_cn(tls, name, sizeof(name));
    else if (s->listener->user_from == USER_FROM_URI)
        tls_peer_uri(tls, name, sizeof(name));
    starting.user.len = strlen(name);
    if (starting.user.len > 0 && s->listener->users)
        (void)certificate_users_find(s->listener->users, starting.user, start_as, &starting);
}

/* ---- handshakes that fail ---- */

/* kubelet connects and closes every second: that is nobody's failure. */
static bool is_probe(const struct tls *tls)
{
    return tls_was_silent(tls) && tls_failure(tls) == TLS_FAIL_CLOSED;
}

void session_not_secured(struct session *s, int error)
{
    const struct tls *tls = stream_tls(&s->client.stream);
    const char *why = stream_strerror(&s->client.stream, error);
    char peer[ENDPOINT_TEXT_MAX], quoted[240];
    if (!is_probe(tls)) {
        log_event(LOG_WARN, "a client's TLS handshake failed", "client=%s of=\"%s\" reason=%s",
                  stream_peer(&s->client.stream, peer, sizeof(peer)),
                  tls_source_name(s->listener->tls), log_quote(quoted, sizeof(quoted), why));
    }
    session_close(s, CLOSED_TLS, why);
}
