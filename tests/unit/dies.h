/*
 * dies: what is forbidden ends the program. A child does it, so that one test can try many such things, and what it says
 * on stderr does not stand in the test's own output.
 */
#ifndef REDISPROXY_TESTS_DIES_H
#define REDISPROXY_TESTS_DIES_H

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does it in a process of its own, which has to abort. Returns what that said on stderr; good until the next call. */
static inline const char *said_dying(void (*act)(void *with), void *with)
{
    static char said[1000];
    int ends[2], status = 0;
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        act(with);
        _exit(0);
    }
    close(ends[1]);
    ssize_t len = read(ends[0], said, sizeof(said) - 1);
    said[len > 0 ? len : 0] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "it lived on: %s", said);
    return said;
}

#endif
