/*
 * sandboxed: becomes another program, with what systemd/redisproxy.service leaves of the system calls:
 *
 *     sandboxed FILE PROGRAM ARGUMENT...
 *
 * FILE names the calls that are allowed (tests/systemd/syscalls.sh); any other one ends the process, where the unit only
 * answers EPERM: so nothing is even tried. Likewise memory that is written and executed (MemoryDenyWriteExecute=), sockets of
 * other families (RestrictAddressFamilies=), namespaces (RestrictNamespaces=), and capabilities.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

static void fail(const char *what, int error)
{
    fprintf(stderr, "sandboxed: %s: %s\n", what, strerror(error));
    exit(126);
}

/* Those that this machine does not have are passed over. */
static void allow(scmp_filter_ctx filter, const char *name)
{
    static const char *const by_argument[] = {"socket", "mmap", "mprotect", "clone", "clone3"};
    int number = seccomp_syscall_resolve_name(name), error;

    for (size_t i = 0; i < sizeof(by_argument) / sizeof(by_argument[0]); i++)
        if (strcmp(name, by_argument[i]) == 0)
            return;
    if (number < 0)
        return;
    error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    if (error && error != -EEXIST && error != -EACCES)
        fail(name, -error);
}

static void allow_if(scmp_filter_ctx filter, int number, struct scmp_arg_cmp condition)
{
    int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &condition);

    if (error)
        fail("seccomp_rule_add_array", -error);
}

static void allow_by_argument(scmp_filter_ctx filter)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        allow_if(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    allow_if(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    allow_if(filter, SCMP_SYS(mmap),
             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC));
    allow_if(filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    allow_if(filter, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES, 0));
}

/* Its flags are in memory, where no filter sees them: glibc falls back to clone(). */
static void deny_clone3(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    if (error)
        fail("clone3", -error);
}

static void read_names(scmp_filter_ctx filter, const char *path)
{
    char name[80];
    FILE *file = fopen(path, "re");

    if (!file)
        fail(path, errno);
    while (fscanf(file, "%79s", name) == 1)
        allow(filter, name);
    fclose(file);
}

static void drop_capabilities(void)
{
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        if (prctl(PR_CAPBSET_DROP, i) != 0 && errno != EPERM && errno != EINVAL)
            fail("PR_CAPBSET_DROP", errno);
}

int main(int argc, char **argv)
{
    int error;
    scmp_filter_ctx filter;

    if (argc < 3) {
        fprintf(stderr, "usage: sandboxed FILE PROGRAM ARGUMENT...\n");
        return 126;
    }
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        fail("seccomp_init", ENOMEM);
    read_names(filter, argv[1]);
    allow_by_argument(filter);
    deny_clone3(filter);
    drop_capabilities();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        fail("PR_SET_NO_NEW_PRIVS", errno);
    error = seccomp_load(filter);
    if (error)
        fail("seccomp_load", -error);
    seccomp_release(filter);
    execv(argv[2], argv + 2);
    fail(argv[2], errno);
}
