/*
 * cpus: how many processors this process may use. That is what the scheduler lets it run on
 * (affinity), and not more than its control groups pay for: a container with cpus: 2 on a machine
 * with 64 gets the time of 2, whatever it sees.
 */
#ifndef REDISPROXY_BASE_CPUS_H
#define REDISPROXY_BASE_CPUS_H

#include <stdbool.h>
#include <stddef.h>

/* At least 1. */
unsigned cpus_available(void);

/* ---- the parts ---- */

/* What a quota pays for, rounded up; 0: no limit, or nonsense. The first reads cgroup v2's cpu.max
 * ("150000 100000", "max 100000"), the other v1's cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us.
 */
unsigned cpus_of_max(const char *cpu_max);
unsigned cpus_of_quota(const char *quota_us, const char *period_us);

/* The path of the group in /proc/self/cgroup's text: v2's, or v1's with the cpu controller. False:
 * there is none. */
bool cpus_group(const char *self_cgroup, bool v2, char *out, size_t size);

/* The least of `allowed` and of what the groups of `self_cgroup` and all above them pay for. `root`
 * is where they are mounted. */
unsigned cpus_limited(unsigned allowed, const char *root, const char *self_cgroup);

#endif
