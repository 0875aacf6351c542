/*
 * handed_sockets: whose each socket is that was handed in: by its address, or by its name. Descriptors are handed in from 3
 * on: a process of its own plays each case, and its exit code tells what went wrong.
 */
#include "ops/handed_sockets.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char unix_path[100];

static int listening(const struct sockaddr *at, socklen_t len)
{
    int fd = socket(at->sa_family, SOCK_STREAM, 0), on = 1;
    if (at->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, at, len) != 0 || listen(fd, 10) != 0)
        _exit(100);
    return fd;
}

/* On a port that is free, which `address` gets. */
static int listening_on(const char *host, struct address *address)
{
    if (address_from_number(address, host, 0) != 0)
        _exit(101);
    int fd = listening(&address->sa.any, address->len);
    if (address_of_socket(address, fd, false) != 0)
        _exit(102);
    return fd;
}

static int listening_at_path(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(unix_path, sizeof(unix_path), "/tmp/redisproxy-handed-%d", getpid());
    memcpy(at.sun_path, unix_path, sizeof(unix_path));
    return listening((struct sockaddr *)&at, sizeof(at));
}

/* As systemd does, before it becomes this process. */
static struct handed_sockets *handed(const int *fds, int count, const char *names)
{
    char number[20];
    int high[8];
    for (int i = 0; i < count; i++)
        high[i] = fcntl(fds[i], F_DUPFD, 100);
    for (int i = 0; i < count; i++)
        dup2(high[i], 3 + i);
    snprintf(number, sizeof(number), "%d", count);
    setenv("LISTEN_FDS", number, 1);
    snprintf(number, sizeof(number), "%d", getpid());
    setenv("LISTEN_PID", number, 1);
    setenv("LISTEN_FDNAMES", names, 1);
    return handed_sockets_new();
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void plays(void (*play)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        play();
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "see above: status %d", status);
}

static void by_address(void)
{
    struct address four, six, other;
    int fds[] = {listening_on("127.0.0.1", &four), listening_on("::1", &six)};
    struct handed_sockets *h = handed(fds, 2, "redisproxy.socket:redisproxy.socket");
    CHECK(address_from_number(&other, "127.0.0.1", 1) == 0);
    CHECK(handed_sockets_take(h, &other, NULL) == -1);
    CHECK(handed_sockets_take(h, &six, NULL) == 4);
    CHECK(handed_sockets_take(h, &four, NULL) == 3);
    CHECK(handed_sockets_take(h, &four, NULL) == -1); /* once */
    CHECK(fcntl(3, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(3, F_GETFL) & O_NONBLOCK);
    CHECK(!getenv("LISTEN_FDS"));
    handed_sockets_free(h);
    CHECK(fcntl(3, F_GETFD) >= 0 && fcntl(4, F_GETFD) >= 0); /* they are ours */
}

Test(handed_sockets, by_their_address_and_once)
{
    plays(by_address);
}

static void by_name(void)
{
    struct address one, two;
    int fds[] = {listening_on("127.0.0.1", &one), listening_on("127.0.0.1", &two)};
    struct handed_sockets *h = handed(fds, 2, "clients:http");
    CHECK(handed_sockets_take(h, &one, "http") == 4); /* though another one has the address */
    CHECK(handed_sockets_take(h, &one, NULL) == 3);
    handed_sockets_free(h);
}

Test(handed_sockets, a_name_goes_before_the_address)
{
    plays(by_name);
}

static void by_path(void)
{
    struct address one;
    int fds[] = {listening_at_path(), listening_on("127.0.0.1", &one)};
    struct handed_sockets *h = handed(fds, 2, "a:admin");
    CHECK(handed_sockets_take_path(h, "/tmp/another", NULL) == -1);
    CHECK(handed_sockets_take_path(h, "/tmp/another", "admin") == -1); /* that is no Unix socket */
    CHECK(handed_sockets_take_path(h, unix_path, "admin") == 3);
    CHECK(handed_sockets_take(h, &one, NULL) == 4);
    handed_sockets_free(h);
    unlink(unix_path);
}

Test(handed_sockets, unix_sockets_by_their_path)
{
    plays(by_path);
}

static void what_nobody_takes(void)
{
    struct address one;
    int pipes[2], bound = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(pipe(pipes) == 0);
    int fds[] = {pipes[0], bound, listening_on("127.0.0.1", &one)};
    struct handed_sockets *h = handed(fds, 3, "x:y:z");
    CHECK(fcntl(3, F_GETFD) < 0 && fcntl(4, F_GETFD) < 0); /* they do not listen */
    CHECK(fcntl(5, F_GETFD) >= 0);
    handed_sockets_free(h);
    CHECK(fcntl(5, F_GETFD) < 0);
}

Test(handed_sockets, what_nobody_takes_is_closed)
{
    plays(what_nobody_takes);
}

static void none(void)
{
    struct address one;
    CHECK(address_from_number(&one, "127.0.0.1", 6379) == 0);
    struct handed_sockets *h = handed_sockets_new();
    CHECK(handed_sockets_take(h, &one, "http") == -1);
    handed_sockets_free(h);
    setenv("LISTEN_FDS", "99999999999999999999", 1);
    setenv("LISTEN_PID", "also", 1);
    h = handed_sockets_new();
    CHECK(handed_sockets_take(h, &one, "http") == -1);
    handed_sockets_free(h);
    handed_sockets_free(NULL);
}

Test(handed_sockets, there_may_be_none_and_nonsense)
{
    plays(none);
}
