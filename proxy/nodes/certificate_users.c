/* certificate_users: see the header. The file's text stays in memory as it is, and is searched line by line. */
#include "nodes/certificate_users.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1024 * 1024)
#define LOOK_MS 1000

struct certificate_users {
    atomic_uint refs;
    char *path;
    pthread_mutex_t lock; /* of all below */
    char *text;
    size_t len;
    struct stat read; /* the file that the text is of */
    int64_t looked_ms;
    int told; /* the error that was logged last */
};

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Reads all of the file. Returns 0, or an errno: EFBIG where it is larger than FILE_MAX. */
static int read_all(int fd, char *into, size_t *len)
{
    ssize_t n;
    *len = 0;
    while ((n = read(fd, into + *len, FILE_MAX - *len)) > 0)
        *len += (size_t)n;
    if (n < 0)
        return errno;
    return *len == FILE_MAX ? EFBIG : 0;
}

/* Takes the file's text if it is another one. Returns 0 or an errno. */
static int load(struct certificate_users *users)
{
    struct stat status;
    size_t len = 0;
    int fd = open(users->path, O_RDONLY | O_CLOEXEC), error = 0;
    if (fd < 0)
        return errno;
    if (fstat(fd, &status) != 0) {
        error = errno;
    } else if (!users->text || !same(&status, &users->read)) {
        char *text = malloc(FILE_MAX);
        if (!text)
            out_of_memory(FILE_MAX);
        error = read_all(fd, text, &len);
        if (!error) {
            secret_free(users->text, users->len);
            users->text = secret_new(text, len);
            users->len = len;
            users->read = status;
        }
        explicit_bzero(text, len);
        free(text);
    }
    close(fd);
    return error;
}

struct certificate_users *certificate_users_new(const char *path, char *error, size_t size)
{
    struct certificate_users *users = calloc(1, sizeof(*users));
    int why;
    if (!users)
        out_of_memory(sizeof(*users));
    users->path = strdup(path);
    if (!users->path)
        out_of_memory(0);
    atomic_init(&users->refs, 1);
    pthread_mutex_init(&users->lock, NULL);
    why = load(users);
    if (!why)
        return users;
    snprintf(error, size, "the users' passwords cannot be read from %s: %s", path, strerror(why));
    certificate_users_release(users);
    return NULL;
}

struct certificate_users *certificate_users_retain(struct certificate_users *users)
{
    if (users)
        atomic_fetch_add_explicit(&users->refs, 1, memory_order_relaxed);
    return users;
}

const char *certificate_users_path(const struct certificate_users *users)
{
    return users->path;
}

void certificate_users_release(struct certificate_users *users)
{
    if (!users || atomic_fetch_sub_explicit(&users->refs, 1, memory_order_acq_rel) > 1)
        return;
    secret_free(users->text, users->len);
    pthread_mutex_destroy(&users->lock);
    free(users->path);
    free(users);
}

/* The lock is held. */
static void look_again(struct certificate_users *users)
{
    int64_t now = clock_ms();
    int error;
    if (now - users->looked_ms < LOOK_MS)
        return;
    users->looked_ms = now;
    error = load(users);
    if (error && error != users->told)
        log_event(LOG_WARN,
                  "the passwords of certificates' users cannot be read: those before stay",
                  "file=\"%s\" reason=\"%s\"", users->path, strerror(error));
    users->told = error;
}

/* The line's password if it is the user's. */
static bool is_of(const char *line, size_t len, struct slice name, struct slice *password)
{
    size_t at = name.len;
    if (len <= at || line[0] == '#' || memcmp(line, name.data, at) != 0 ||
        (line[at] != ' ' && line[at] != '\t'))
        return false;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (len > at && line[len - 1] == '\r')
        len--;
    *password = (struct slice){line + at, len - at};
    return password->len > 0;
}

bool certificate_users_find(struct certificate_users *users, struct slice name,
                            void (*found)(void *data, struct slice password), void *data)
{
    struct slice password;
    bool there = false;
    pthread_mutex_lock(&users->lock);
    look_again(users);
    for (size_t at = 0; at < users->len && !there && name.len > 0;) {
        const char *line = users->text + at, *end = memchr(line, '\n', users->len - at);
        size_t len = end ? (size_t)(end - line) : users->len - at;
        there = is_of(line, len, name, &password);
        at += len + 1;
    }
    if (there)
        found(data, password);
    pthread_mutex_unlock(&users->lock);
    return there;
}
