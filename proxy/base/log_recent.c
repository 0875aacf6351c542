/* log_recent: see the header. Line number n stands in place n % LOG_RECENT_MAX. */
#include "base/log_recent.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    atomic_uint_least64_t newest;
    struct {
        size_t len;
        char text[LOG_LINE_MAX];
    } lines[LOG_RECENT_MAX];
} recent = {.lock = PTHREAD_MUTEX_INITIALIZER};

void log_recent_put(const char *line, size_t len)
{
    len = len > LOG_LINE_MAX ? LOG_LINE_MAX : len;
    if (len && line[len - 1] == '\n')
        len--;
    if (!len)
        return;
    pthread_mutex_lock(&recent.lock);
    uint64_t number = log_recent_newest() + 1;
    memcpy(recent.lines[number % LOG_RECENT_MAX].text, line, len);
    recent.lines[number % LOG_RECENT_MAX].len = len;
    atomic_store_explicit(&recent.newest, number, memory_order_release);
    pthread_mutex_unlock(&recent.lock);
}

uint64_t log_recent_newest(void)
{
    return atomic_load_explicit(&recent.newest, memory_order_acquire);
}

size_t log_recent_next(uint64_t *number, char line[LOG_LINE_MAX])
{
    size_t len = 0;
    pthread_mutex_lock(&recent.lock);
    uint64_t newest = log_recent_newest();
    uint64_t oldest = newest > LOG_RECENT_MAX ? newest - LOG_RECENT_MAX + 1 : 1;
    uint64_t next = *number + 1 > oldest ? *number + 1 : oldest;
    if (next <= newest) {
        len = recent.lines[next % LOG_RECENT_MAX].len;
        memcpy(line, recent.lines[next % LOG_RECENT_MAX].text, len);
        *number = next;
    }
    pthread_mutex_unlock(&recent.lock);
    return len;
}
