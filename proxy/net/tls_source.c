/* tls_source: see the header. */
#include "net/tls_source.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/tls_tickets.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* So long files may not belong together before it is told. */
#define PATIENCE_MS 1000
#define DAY_S ((int64_t)24 * 60 * 60)

enum { FILES = 3 };

/* Which files they are, and of which moment: where a symbolic link leads to another one, it is another one. */
struct print {
    struct {
        dev_t device;
        ino_t number;
        off_t size;
        struct timespec changed;
    } files[FILES];
};

struct tls_source {
    atomic_uint refs;
    pthread_mutex_t lock; /* of context and counts */
    struct tls_context *context;
    struct tls_source_counts counts;
    char *name;
    struct tls_settings settings;
    struct tls_tickets *tickets; /* of a server */
    struct print used;           /* what the context was read from */
    struct print refused;        /* what was told not to be good */
    int64_t bad_since_ms;        /* 0: they are good */
    int64_t warned_days;         /* the last warning; INT64_MAX: none */
};

static struct print print_of(const struct tls_settings *settings)
{
    const char *paths[FILES] = {settings->cert, settings->key, settings->ca};
    struct print print = {0};
    struct stat status;
    for (int i = 0; i < FILES; i++) {
        if (!paths[i] || stat(paths[i], &status) != 0)
            continue;
        print.files[i].device = status.st_dev;
        print.files[i].number = status.st_ino;
        print.files[i].size = status.st_size;
        print.files[i].changed = status.st_mtim;
    }
    return print;
}

static bool same(const struct print *a, const struct print *b)
{
    for (int i = 0; i < FILES; i++)
        if (a->files[i].device != b->files[i].device || a->files[i].number != b->files[i].number ||
            a->files[i].size != b->files[i].size ||
            a->files[i].changed.tv_sec != b->files[i].changed.tv_sec ||
            a->files[i].changed.tv_nsec != b->files[i].changed.tv_nsec)
            return false;
    return true;
}

struct tls_source *tls_source_new(const char *name, const struct tls_settings *settings,
                                  char *error, size_t size)
{
    struct tls_source *source = calloc(1, sizeof(*source));
    if (!source)
        out_of_memory(sizeof(*source));
    atomic_init(&source->refs, 1);
    pthread_mutex_init(&source->lock, NULL);
    source->name = strdup(name);
    source->settings = tls_settings_copy(settings);
    source->warned_days = INT64_MAX;
    source->tickets = settings->side == TLS_SERVER ? tls_tickets_new() : NULL;
    source->used = print_of(settings); /* before they are read: what changes meanwhile is seen */
    source->context = tls_context_load(settings, source->tickets, error, size);
    if (source->context)
        return source;
    tls_source_release(source);
    return NULL;
}

struct tls_source *tls_source_retain(struct tls_source *source)
{
    if (source)
        atomic_fetch_add_explicit(&source->refs, 1, memory_order_relaxed);
    return source;
}

void tls_source_release(struct tls_source *source)
{
    if (!source || atomic_fetch_sub_explicit(&source->refs, 1, memory_order_acq_rel) > 1)
        return;
    tls_context_release(source->context);
    tls_tickets_release(source->tickets);
    tls_settings_free(&source->settings);
    pthread_mutex_destroy(&source->lock);
    free(source->name);
    free(source);
}

struct tls_context *tls_source_context(struct tls_source *source)
{
    pthread_mutex_lock(&source->lock);
    struct tls_context *context = tls_context_retain(source->context);
    pthread_mutex_unlock(&source->lock);
    return context;
}

const char *tls_source_name(const struct tls_source *source)
{
    return source->name;
}

const struct tls_settings *tls_source_settings(const struct tls_source *source)
{
    return &source->settings;
}

struct tls_source_counts tls_source_counts(struct tls_source *source)
{
    pthread_mutex_lock(&source->lock);
    struct tls_source_counts counts = source->counts;
    pthread_mutex_unlock(&source->lock);
    return counts;
}

/* ---- what changes ---- */

static void use(struct tls_source *source, struct tls_context *context, const struct print *print)
{
    struct tls_context *before = source->context;
    /* Who is believed may have changed: a ticket must not let in whom the new CA would not. */
    if (source->tickets && source->settings.verify != TLS_VERIFY_NONE)
        tls_tickets_forget(source->tickets);
    pthread_mutex_lock(&source->lock);
    source->context = context;
    source->counts.loaded++;
    pthread_mutex_unlock(&source->lock);
    tls_context_release(before);
    source->used = *print;
    source->bad_since_ms = 0;
    source->warned_days = INT64_MAX;
    log_event(LOG_INFO, "certificates were read anew", "of=\"%s\" ends_s=%" PRId64, source->name,
              tls_context_cert_ends(context));
}

static void refuse(struct tls_source *source, const struct print *print, const char *error)
{
    char quoted[400];
    source->refused = *print;
    pthread_mutex_lock(&source->lock);
    source->counts.refused++;
    pthread_mutex_unlock(&source->lock);
    log_event(LOG_ERROR, "new certificates are not used, the ones before stay",
              "of=\"%s\" reason=%s", source->name, log_quote(quoted, sizeof(quoted), error));
}

bool tls_source_refresh(struct tls_source *source, int64_t now_ms)
{
    char error[300];
    struct print print = print_of(&source->settings);
    struct tls_context *context;
    if (same(&print, &source->used)) {
        source->bad_since_ms = 0;
        return false;
    }
    context = tls_context_load(&source->settings, source->tickets, error, sizeof(error));
    if (context) {
        use(source, context, &print);
        return false;
    }
    if (!source->bad_since_ms)
        source->bad_since_ms = now_ms;
    if (now_ms - source->bad_since_ms < PATIENCE_MS)
        return true;
    if (!same(&print, &source->refused))
        refuse(source, &print, error);
    return false;
}

static void warn(struct tls_source *source, const char *what, int64_t ends_s, int64_t now_s)
{
    log_event(LOG_WARN, ends_s > now_s ? "a certificate ends soon" : "a certificate has ended",
              "of=\"%s\" which=%s days=%" PRId64 " ends_s=%" PRId64, source->name, what,
              (ends_s - now_s) / DAY_S, ends_s);
}

void tls_source_warn(struct tls_source *source, int64_t now_s)
{
    static const int64_t days[] = {0, 1, 7, 30};
    int64_t cert = tls_context_cert_ends(source->context),
            ca = tls_context_ca_ends(source->context);
    int64_t first = cert && (!ca || cert < ca) ? cert : ca;
    for (size_t i = 0; first && i < sizeof(days) / sizeof(days[0]); i++) {
        if (first - now_s > days[i] * DAY_S)
            continue;
        if (source->warned_days > days[i])
            warn(source, first == cert ? "certificate" : "ca", first, now_s);
        source->warned_days = days[i] < source->warned_days ? days[i] : source->warned_days;
        return;
    }
}
