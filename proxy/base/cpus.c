/*
 * cpus: see the header. A group's limit holds for all below it, so each is looked at up to the root.
 * In a container the path may be the host's, of which nothing is to be seen there: the root is the
 * container's own group then.
 */
#include "base/cpus.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 4096

static unsigned rounded_up(int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    int64_t cpus = quota / period + (quota % period != 0);
    return cpus > UINT_MAX ? UINT_MAX : (unsigned)cpus;
}

unsigned cpus_of_max(const char *cpu_max)
{
    int64_t quota, period;

    if (sscanf(cpu_max, "%" SCNd64 " %" SCNd64, &quota, &period) != 2)
        return 0; /* "max 100000" */
    return rounded_up(quota, period);
}

unsigned cpus_of_quota(const char *quota_us, const char *period_us)
{
    return rounded_up(strtoll(quota_us, NULL, 10), strtoll(period_us, NULL, 10));
}

/* Whether a comma-separated list has the word. */
static bool lists(const char *list, size_t len, const char *word)
{
    for (size_t at = 0, end; at < len; at = end + 1) {
        for (end = at; end < len && list[end] != ',';)
            end++;
        if (end - at == strlen(word) && memcmp(list + at, word, end - at) == 0)
            return true;
    }
    return false;
}

bool cpus_group(const char *self_cgroup, bool v2, char *out, size_t size)
{
    /* "4:cpu,cpuacct:/path", v2: "0::/path" */
    for (const char *line = self_cgroup; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            break;
        size_t listed = (size_t)(path - list) - 1, len = strcspn(path + 1, "\n");
        if (len >= size || (v2 ? listed > 0 : !lists(list + 1, listed, "cpu")))
            continue;
        memcpy(out, path + 1, len);
        out[len] = '\0';
        return true;
    }
    return false;
}

/* What a small file says, "" when it cannot be read. Returns whether it can. */
static bool read_text(char *out, size_t size, const char *format, const char *root,
                      const char *group)
{
    char path[TEXT_MAX * 2];
    FILE *file;
    size_t len;

    snprintf(path, sizeof(path), format, root, group);
    file = fopen(path, "re");
    len = file ? fread(out, 1, size - 1, file) : 0;
    out[len] = '\0';
    if (file)
        fclose(file);
    return file != NULL;
}

static unsigned limit_of(const char *root, const char *group, bool v2)
{
    char quota[128], period[128];

    if (v2)
        return read_text(quota, sizeof(quota), "%s%s/cpu.max", root, group) ? cpus_of_max(quota)
                                                                            : 0;
    if (!read_text(quota, sizeof(quota), "%s/cpu%s/cpu.cfs_quota_us", root, group) ||
        !read_text(period, sizeof(period), "%s/cpu%s/cpu.cfs_period_us", root, group))
        return 0;
    return cpus_of_quota(quota, period);
}

unsigned cpus_limited(unsigned allowed, const char *root, const char *self_cgroup)
{
    for (int v2 = 0; v2 < 2; v2++) {
        char group[TEXT_MAX], *last;
        if (!cpus_group(self_cgroup, v2, group, sizeof(group)))
            continue;
        do {
            unsigned limit = limit_of(root, group, v2);
            if (limit && limit < allowed)
                allowed = limit;
            last = strrchr(group, '/');
            if (last)
                *last = '\0';
        } while (last);
    }
    return allowed ? allowed : 1;
}

static unsigned allowed_by_scheduler(void)
{
    cpu_set_t set;
    long online;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    online = sysconf(_SC_NPROCESSORS_ONLN); /* more of them than the set has room for */
    return online > 0 ? (unsigned)online : 1;
}

unsigned cpus_available(void)
{
    char self_cgroup[TEXT_MAX];

    read_text(self_cgroup, sizeof(self_cgroup), "%s%s", "/proc/self/cgroup", "");
    return cpus_limited(allowed_by_scheduler(), "/sys/fs/cgroup", self_cgroup);
}
