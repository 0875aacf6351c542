/* tls_watch: see the header. */
#include "net/tls_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Where the kernel tells of nothing: a folder that is itself reached by a link, a network file system. */
#define LOOK_MS 1000
/* While files do not belong together. */
#define AGAIN_MS 100
#define CHANGES (IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ATTRIB)

struct tls_watch {
    struct tls_source *const *sources;
    size_t count;
    pthread_t thread;
    int inotify, stop; /* inotify: -1 where the kernel gives none */
};

static void watch_folder_of(const struct tls_watch *watch, const char *path)
{
    char folder[PATH_MAX];
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!path)
        return;
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (inotify_add_watch(watch->inotify, *folder ? folder : "/", CHANGES) < 0)
        log_event(LOG_WARN, "a folder of certificates is looked at once a second only",
                  "folder=\"%s\" reason=\"%s\"", folder, strerror(errno));
}

static void watch_folders(const struct tls_watch *watch)
{
    for (size_t i = 0; i < watch->count && watch->inotify >= 0; i++) {
        const struct tls_settings *settings = tls_source_settings(watch->sources[i]);
        watch_folder_of(watch, settings->cert);
        watch_folder_of(watch, settings->key);
        watch_folder_of(watch, settings->ca);
    }
}

/* Returns after how many milliseconds to look again. */
static int look(const struct tls_watch *watch)
{
    bool again = false;
    for (size_t i = 0; i < watch->count; i++) {
        again |= tls_source_refresh(watch->sources[i], clock_ms());
        tls_source_warn(watch->sources[i], clock_wall_ms() / 1000);
    }
    return again ? AGAIN_MS : LOOK_MS;
}

static void forget_events(const struct tls_watch *watch)
{
    char events[4096];
    while (read(watch->inotify, events, sizeof(events)) > 0)
        continue;
}

static void *run(void *arg)
{
    const struct tls_watch *watch = arg;
    struct pollfd fds[] = {{.fd = watch->stop, .events = POLLIN},
                           {.fd = watch->inotify, .events = POLLIN}};
    int ms = look(watch);
    while (!fds[0].revents) {
        poll(fds, sizeof(fds) / sizeof(fds[0]), ms);
        if (fds[1].revents)
            forget_events(watch);
        ms = look(watch);
    }
    return NULL;
}

struct tls_watch *tls_watch_start(struct tls_source *const *sources, size_t count)
{
    struct tls_watch *watch = calloc(1, sizeof(*watch));
    int error;
    if (!watch)
        out_of_memory(sizeof(*watch));
    *watch = (struct tls_watch){.sources = sources,
                                .count = count,
                                .inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
                                .stop = eventfd(0, EFD_CLOEXEC)};
    watch_folders(watch);
    error = watch->stop < 0 ? errno : pthread_create(&watch->thread, NULL, run, watch);
    if (!error)
        return watch;
    log_event(LOG_ERROR, "certificates cannot be watched", "reason=\"%s\"", strerror(error));
    if (watch->stop >= 0)
        close(watch->stop);
    if (watch->inotify >= 0)
        close(watch->inotify);
    free(watch);
    return NULL;
}

void tls_watch_stop(struct tls_watch *watch)
{
    if (!watch)
        return;
    eventfd_write(watch->stop, 1);
    pthread_join(watch->thread, NULL);
    close(watch->stop);
    if (watch->inotify >= 0)
        close(watch->inotify);
    free(watch);
}
