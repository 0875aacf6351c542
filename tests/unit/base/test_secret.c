/*
 * secret: the copy is locked and left out of core dumps, and its page is
 * overwritten before it is given back.
 */
#include "base/secret.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#define PASSWORD "correct horse"

/* The kernel's flags of the mapping that begins at `at`, "" when there is none. */
static void flags_of(const void *at, char *flags, size_t size)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512], start[32];
    int ours = 0;

    cr_assert_not_null(maps);
    snprintf(start, sizeof(start), "%lx-", (unsigned long)at);
    flags[0] = '\0';
    while (!flags[0] && fgets(line, sizeof(line), maps)) {
        if (strncmp(line, start, strlen(start)) == 0)
            ours = 1;
        else if (ours && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(flags, size, "%s", line + 8);
    }
    fclose(maps);
}

/* AddressSanitizer makes mlock() do nothing. */
static bool locking_works(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *mine = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), flags[512];

    cr_assert_eq(mlock(mine, page), 0);
    flags_of(mine, flags, sizeof(flags));
    munmap(mine, page);
    return strstr(flags, " lo ") != NULL;
}

Test(secret, is_a_locked_copy_that_is_not_dumped)
{
    char source[] = PASSWORD, flags[512];
    char *secret = secret_new(source, strlen(source));

    memset(source, 'x', strlen(source));
    cr_assert_str_eq(secret, PASSWORD);
    flags_of(secret, flags, sizeof(flags));
    cr_assert(strstr(flags, " lo ") || !locking_works(), "locked: %s", flags);
    cr_assert_not_null(strstr(flags, " dd "), "not dumped: %s", flags);
    secret_free(secret, strlen(PASSWORD));
    flags_of(secret, flags, sizeof(flags));
    cr_assert_null(strstr(flags, " dd "), "given back: %s", flags);
}

Test(secret, has_a_nul_behind_it_whatever_its_length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *long_one = malloc(page);

    memset(long_one, 'x', page);
    for (size_t len = page - 1; len <= page; len++) {
        char *secret = secret_new(long_one, len);
        cr_assert_eq(strlen(secret), len);
        secret_free(secret, len);
    }
    secret_free(NULL, 0);
    free(long_one);
}

/* A pipe that was given the page itself, not a copy, shows what the page became. */
Test(secret, is_overwritten_before_it_is_given_back)
{
    char *secret = secret_new(PASSWORD, strlen(PASSWORD)), seen[sizeof(PASSWORD)];
    struct iovec page = {secret, sizeof(PASSWORD)};
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(vmsplice(ends[1], &page, 1, 0), (ssize_t)sizeof(PASSWORD));
    secret_free(secret, strlen(PASSWORD));
    cr_assert_eq(read(ends[0], seen, sizeof(seen)), (ssize_t)sizeof(seen));
    cr_assert_arr_eq(seen, (char[sizeof(PASSWORD)]){0}, sizeof(seen));
    close(ends[0]);
    close(ends[1]);
}

/* What is written to stderr while two secrets are made. */
static ssize_t log_of_two_secrets(char *out, size_t size)
{
    int ends[2], stderr_was = dup(STDERR_FILENO);
    char *one, *two;
    ssize_t len;

    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    one = secret_new(PASSWORD, strlen(PASSWORD));
    two = secret_new(PASSWORD, strlen(PASSWORD));
    dup2(stderr_was, STDERR_FILENO);
    cr_assert_str_eq(one, PASSWORD);
    cr_assert_str_eq(two, PASSWORD);
    secret_free(one, strlen(PASSWORD));
    secret_free(two, strlen(PASSWORD));
    len = read(ends[0], out, size - 1);
    out[len > 0 ? len : 0] = '\0';
    return len;
}

Test(secret, that_cannot_be_locked_is_warned_of_once_and_works)
{
    struct rlimit none = {0};
    char log[1024];
    char *newline;

    if (!locking_works())
        cr_skip_test("mlock() does nothing here");
    cr_assert_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    if (geteuid() == 0)
        cr_assert_eq(seteuid(65534), 0); /* root may lock whatever the limit says */
    cr_assert_gt(log_of_two_secrets(log, sizeof(log)), 0);
    cr_assert_not_null(strstr(log, "level=warn"), "%s", log);
    newline = strchr(log, '\n');
    cr_assert(newline && newline[1] == '\0', "one line: %s", log);
    cr_assert_null(strstr(log, PASSWORD));
}
