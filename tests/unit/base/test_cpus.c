/*
 * cpus: the quota files of both kinds of control groups, read as text, and looked for in a folder
 * that is laid out as the kernel does.
 */
#include "base/cpus.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(cpus, a_quota_is_rounded_up)
{
    cr_assert_eq(cpus_of_max("200000 100000\n"), 2);
    cr_assert_eq(cpus_of_max("200001 100000\n"), 3);
    cr_assert_eq(cpus_of_max("1000 100000\n"), 1);
    cr_assert_eq(cpus_of_max("25000 50000\n"), 1);
    cr_assert_eq(cpus_of_quota("150000\n", "100000\n"), 2);
    cr_assert_eq(cpus_of_quota("400000\n", "100000\n"), 4);
}

Test(cpus, no_quota_and_nonsense_limit_nothing)
{
    cr_assert_eq(cpus_of_max("max 100000\n"), 0);
    cr_assert_eq(cpus_of_max(""), 0);
    cr_assert_eq(cpus_of_max("200000"), 0);
    cr_assert_eq(cpus_of_max("200000 0\n"), 0);
    cr_assert_eq(cpus_of_max("-5 100000\n"), 0);
    cr_assert_eq(cpus_of_quota("-1\n", "100000\n"), 0);
    cr_assert_eq(cpus_of_quota("100000\n", ""), 0);
    cr_assert_eq(cpus_of_quota("what", "100000\n"), 0);
}

Test(cpus, the_group_is_found_among_the_controllers)
{
    static const char v1[] = "12:pids:/a\n"
                             "9:cpuset:/wrong\n"
                             "4:cpu,cpuacct:/docker/f00\n"
                             "0::/system.slice\n";
    char path[32];

    cr_assert(cpus_group(v1, false, path, sizeof(path)));
    cr_assert_str_eq(path, "/docker/f00");
    cr_assert(cpus_group(v1, true, path, sizeof(path)));
    cr_assert_str_eq(path, "/system.slice");
    cr_assert_not(cpus_group("0::/\n", false, path, sizeof(path)));
    cr_assert_not(cpus_group("3:cpu:/x\n", true, path, sizeof(path)));
    cr_assert_not(cpus_group("", true, path, sizeof(path)));
    cr_assert_not(cpus_group("nonsense", true, path, sizeof(path)));
    cr_assert_not(cpus_group("0::/too/long\n", true, path, 8));
}

/* ---- folders ---- */

static char root[] = "/tmp/redisproxy-cpus-XXXXXX";

static void make_root(void)
{
    cr_assert_not_null(mkdtemp(root));
}

static int drop(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void drop_root(void)
{
    nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void file(const char *folder, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s", root, folder);
    for (char *at = path + strlen(root); (at = strchr(at + 1, '/')); *at = '/') {
        *at = '\0';
        (void)mkdir(path, 0700);
    }
    (void)mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s%s/%s", root, folder, name);
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    fputs(text, out);
    fclose(out);
}

TestSuite(cpus_limited, .init = make_root, .fini = drop_root);

Test(cpus_limited, the_least_on_the_way_up_counts)
{
    file("/pod/container", "cpu.max", "800000 100000\n");
    file("/pod", "cpu.max", "250000 100000\n");
    file("", "cpu.max", "max 100000\n");
    cr_assert_eq(cpus_limited(16, root, "0::/pod/container\n"), 3);
    cr_assert_eq(cpus_limited(2, root, "0::/pod/container\n"), 2);
}

Test(cpus_limited, a_path_that_cannot_be_seen_leaves_the_root)
{
    file("", "cpu.max", "400000 100000\n");
    cr_assert_eq(cpus_limited(16, root, "0::/docker/not/here\n"), 4);
    cr_assert_eq(cpus_limited(16, root, "0::/\n"), 4);
}

Test(cpus_limited, the_older_kind)
{
    file("/cpu/docker/f00", "cpu.cfs_quota_us", "-1\n");
    file("/cpu/docker/f00", "cpu.cfs_period_us", "100000\n");
    file("/cpu/docker", "cpu.cfs_quota_us", "150000\n");
    file("/cpu/docker", "cpu.cfs_period_us", "100000\n");
    cr_assert_eq(cpus_limited(16, root, "4:cpu,cpuacct:/docker/f00\n0::/\n"), 2);
}

Test(cpus_limited, without_any_limit_it_is_what_is_allowed)
{
    cr_assert_eq(cpus_limited(16, root, "0::/x\n"), 16);
    cr_assert_eq(cpus_limited(16, root, ""), 16);
    cr_assert_eq(cpus_limited(0, root, ""), 1);
    cr_assert_geq(cpus_available(), 1);
}
