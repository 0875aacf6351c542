/* secret: see the header. */
#include "base/secret.h"

#include "base/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
