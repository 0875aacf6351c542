/* secure: see the header. */
#include "session/secure.h"

#include "base/log.h"
#include "net/tls.h"
#include "net/tls_source.h"
#include "session/life.h"

void session_secure(struct session *s)
{
    struct tls_context *context = tls_source_context(s->listener->tls);
    stream_secure(&s->client.stream, context, NULL, s->host->options->handshake_timeout_ms);
    tls_context_release(context);
}

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
    session_close(s, why);
}
