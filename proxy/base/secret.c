/* secret: see the header. */
#include "base/secret.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAX (64 * 1024)

static size_t mapped_size(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (len + 1 + page - 1) / page * page;
}

static void warn_not_locked(void)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&warned))
        log_event(LOG_WARN, "a credential could not be locked in memory", "mend=\"raise %s\"",
                  "RLIMIT_MEMLOCK (ulimit -l)");
}

char *secret_new(const char *bytes, size_t len)
{
    size_t size = mapped_size(len);
    char *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED)
        abort(); /* out of memory: as base/buf */
    if (mlock(copy, size) != 0)
        warn_not_locked();
    (void)madvise(copy, size, MADV_DONTDUMP);
    memcpy(copy, bytes, len);
    return copy;
}

void secret_free(char *secret, size_t len)
{
    if (!secret)
        return;
    explicit_bzero(secret, mapped_size(len));
    munmap(secret, mapped_size(len));
}

/* Opening never waits: not even where somebody left a FIFO. */
static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fcntl(fd, F_SETFL, 0) < 0)
        abort();
    return fd;
}

/* Fills `bytes`. Returns how many came, or -1. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, bytes + len, size - len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

/* The first line end at the end of the file is an editor's, not the password's. */
static size_t without_line_end(const char *bytes, size_t len)
{
    if (len && bytes[len - 1] == '\n')
        len--;
    if (len && bytes[len - 1] == '\r')
        len--;
    return len;
}

char *secret_from_file(const char *path, size_t *len, char *why, size_t size)
{
    char *secret = NULL, *bytes = calloc(1, FILE_MAX);
    int fd = open_file(path);
    if (!bytes)
        abort();
    if (fd < 0) {
        snprintf(why, size, "cannot be opened (%s): mend the path or the file's permissions",
                 strerror(errno));
        free(bytes);
        return NULL;
    }
    ssize_t got = read_all(fd, bytes, FILE_MAX);
    *len = got > 0 ? without_line_end(bytes, (size_t)got) : 0;
    if (got < 0)
        snprintf(why, size, "cannot be read: it must be a file");
    else if (got == FILE_MAX || memchr(bytes, '\0', (size_t)got))
        snprintf(why, size, "holds no password but binary data or too much: check the path");
    else if (!*len)
        snprintf(why, size, "is empty: put the password into it");
    else
        secret = secret_new(bytes, *len);
    explicit_bzero(bytes, FILE_MAX);
    free(bytes);
    close(fd);
    return secret;
}
