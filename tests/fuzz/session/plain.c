/* plain: nobody speaks TLS in this world (world.h). What asks whether somebody does hears no; the rest is never called. */
#include "net/stream.h"
#include "net/tls.h"
#include "net/tls_source.h"

#include <stdlib.h>

const struct tls *stream_tls(const struct stream *stream)
{
    (void)stream;
    return NULL;
}

const char *stream_strerror(const struct stream *stream, int error)
{
    (void)stream;
    return uv_strerror(error);
}

bool stream_ended_short(const struct stream *stream)
{
    (void)stream;
    return false;
}

#define NEVER(returns, name, ...)                                                                  \
    returns name(__VA_ARGS__)                                                                      \
    {                                                                                              \
        abort();                                                                                   \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"

NEVER(void, stream_secure, struct stream *stream, struct tls_context *context, const char *name,
      int64_t timeout_ms)
NEVER(bool, stream_has_unsent, const struct stream *stream)
NEVER(const char *, stream_peer, const struct stream *stream, char *out, size_t size)
NEVER(const char *, tls_why, const struct tls *tls)
NEVER(enum tls_failure, tls_failure, const struct tls *tls)
NEVER(bool, tls_was_silent, const struct tls *tls)
NEVER(const char *, tls_peer_cn, const struct tls *tls, char *out, size_t size)
NEVER(const char *, tls_peer_uri, const struct tls *tls, char *out, size_t size)
NEVER(struct tls_context *, tls_source_context, struct tls_source *source)
NEVER(const char *, tls_source_name, const struct tls_source *source)
NEVER(struct tls_source *, tls_source_retain, struct tls_source *source)
NEVER(void, tls_source_release, struct tls_source *source)
NEVER(void, tls_context_release, struct tls_context *context)
