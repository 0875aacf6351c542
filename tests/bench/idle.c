/*
 * Idle connections, for the memory column of the benchmark:   idle HOST PORT COUNT
 *
 * The benchmark steers it through its standard input and reads from its standard output:
 *
 *     (starts)          opens COUNT connections, says "opened"
 *     a line arrives    sends one GET on each and reads the answer, one after the other; says
 * "used" a line, or EOF    closes everything and ends
 *
 * Two states, because they are two prices: a proxy that makes its per-connection state only with
 * the first request (HAProxy has its backend connection from the start, others a buffer from then
 * on) would look better than it is if nothing was ever sent. Before each word it checks that no
 * connection was closed by the other side: what is gone needs no memory. EOF ends it, so it never
 * outlives the script that started it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char question[] = "*2\r\n$3\r\nGET\r\n$13\r\nbench:no-such\r\n";
static const char answer[] = "$-1\r\n";

static void fail(const char *what, int number)
{
    fprintf(stderr, "idle: %s, at connection %d: %s\n", what, number, strerror(errno));
    exit(1);
}

static int open_one(const struct sockaddr_in *to, int number)
{
    const struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket", number);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0)
        fail("setsockopt", number);
    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0)
        fail("connect", number);
    return fd;
}

static void use_one(int fd, int number)
{
    char got[sizeof(answer)];

    if (send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(question) - 1)
        fail("send", number);
    errno = 0;
    if (recv(fd, got, sizeof(answer) - 1, MSG_WAITALL) != (ssize_t)sizeof(answer) - 1)
        fail("no answer", number);
    if (memcmp(got, answer, sizeof(answer) - 1) != 0)
        fail("an answer that is not nil", number);
}

static void check_open(int fd, int number)
{
    char byte;

    if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
        fail("closed by the other side, or more than was asked for", number);
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        fail("broken", number);
}

/* Says the word and waits for a line; 0 at the end of the input. */
static int say_and_wait(const char *word, const int *fds, int count)
{
    char line[16];

    for (int i = 0; i < count; i++)
        check_open(fds[i], i);
    puts(word);
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) != NULL;
}

static int parse_number(const char *text, long maximum)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end != '\0' || value < 1 || value > maximum) {
        fprintf(stderr, "idle: %s: a number from 1 to %ld\n", text, maximum);
        exit(1);
    }
    return (int)value;
}

/* Up to the hard limit; the script raises that, where it may. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("getrlimit", 0);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("setrlimit", 0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};

    if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        fprintf(stderr, "usage: idle IPV4 PORT COUNT\n");
        return 1;
    }
    to.sin_port = htons((uint16_t)parse_number(argv[2], 65535));
    int count = parse_number(argv[3], 1000000);

    raise_limit();
    int *fds = calloc((size_t)count, sizeof(*fds));
    if (fds == NULL)
        fail("calloc", count);

    for (int i = 0; i < count; i++)
        fds[i] = open_one(&to, i);
    if (say_and_wait("opened", fds, count)) {
        for (int i = 0; i < count; i++)
            use_one(fds[i], i);
        say_and_wait("used", fds, count);
    }
    free(fds);
    return 0;
}
