/*
 * process: see process.h. The guard is a forked child that waits for the end of a pipe whose other
 * end only the test program holds: end of file means that the program is gone, crash or not.
 */
#include "harness/process.h"

#include "harness/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns the descriptor that holds 127.A.B.0/24, or -1 when somebody else does. */
static int lock_net(int a, int b)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int len =
        snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "redisproxy-tests-%d.%d", a, b);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    if (bind(fd, (struct sockaddr *)&name, size) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void guard(const char *dir, int pipe_end)
{
    char byte;
    prctl(PR_SET_NAME, "test-guard");
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    for (int fd = 0; fd < 1024; fd++)
        if (fd != pipe_end)
            close(fd);
    while (read(pipe_end, &byte, 1) < 0 && errno == EINTR)
        ;
    /* servers that are being killed may still write a file: try again for a moment */
    wait_until(2000, nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT);
    _exit(0);
}

int scratch_open(struct scratch *s)
{
    int ends[2];
    unsigned seed = (unsigned)getpid();
    s->lock = -1;
    for (unsigned i = 0; i < 5000 && s->lock < 0; i++) {
        unsigned n = seed * 7 + i;
        int a = 16 + (int)(n / 250 % 200), b = 2 + (int)(n % 250);
        s->lock = lock_net(a, b);
        snprintf(s->prefix, sizeof(s->prefix), "127.%d.%d", a, b);
    }
    snprintf(s->dir, sizeof(s->dir), "/tmp/redisproxy-test-XXXXXX");
    if (s->lock < 0 || !mkdtemp(s->dir) || pipe2(ends, O_CLOEXEC) < 0) {
        perror("scratch_open");
        return -1;
    }
    s->guard_pid = fork();
    if (s->guard_pid == 0)
        guard(s->dir, ends[0]);
    close(ends[0]);
    s->guard = ends[1];
    return s->guard_pid > 0 ? 0 : -1;
}

void scratch_close(struct scratch *s)
{
    close(s->guard);
    waitpid(s->guard_pid, NULL, 0);
    close(s->lock);
}

pid_t process_start(const char *const *argv, const char *log)
{
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(127);
    int in = open("/dev/null", O_RDONLY);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (in < 0 || out < 0)
        _exit(127);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    /* hiredis' sockets among them: a client that leaves must not stay connected through a server */
    close_range(3, ~0U, 0);
    setpgid(0, 0); /* Ctrl-C goes to the test program, which ends its children in order */
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

bool process_ended(pid_t pid, int ms, int *status)
{
    return wait_until(ms, waitpid(pid, status, WNOHANG) == pid);
}

void process_kill(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL, chunk[4096];
    size_t len = 0, got;
    FILE *memory = open_memstream(&text, &len);
    while (file && (got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        fwrite(chunk, 1, got, memory);
    fclose(memory);
    if (file)
        fclose(file);
    return text;
}

void file_show(const char *path)
{
    char *text = file_text(path);
    size_t len = strlen(text), skip = len > 16384 ? len - 16384 : 0;
    fprintf(stderr, "---- %s%s\n%s\n---- end of %s\n", path, skip ? " (its last 16 KB)" : "",
            text + skip, path);
    free(text);
}

int file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return -1;
    fputs(text, file);
    return fclose(file);
}

int file_replace(const char *path, const char *text)
{
    char beside[512];
    snprintf(beside, sizeof(beside), "%s.new", path);
    return file_write(beside, text) == 0 ? rename(beside, path) : -1;
}
