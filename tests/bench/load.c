/*
 * A load that redis-benchmark cannot make:   load [OPTIONS] HOST:PORT [HOST:PORT ...]
 *
 *     -c N      connections, open all the time, spread evenly over the addresses (50)
 *     -a N      writes under way at any time (as many as connections): each answer lets the next one
 *               go out, on the connection that has waited longest, so that all of them take part
 *     -n N      how many writes are measured (100000)
 *     -w N      before them, unmeasured (a tenth, and one for each connection)
 *     -p N      requests in one write; what is timed is the answer to the last (1)
 *     -m get    or set: the command
 *     -k KEY    of that name (bench:load); for get it must be there, and be -d bytes of x
 *     -d N      bytes of the value (3)
 *     -P PID    a process whose CPU time is told as well; several
 *     -e        no end, no figures: a neighbour for others. "running" is said when the first answer
 *               is complete, and the end of the input ends it
 *     -l PID    in step: that process is stopped while a request goes out on every connection, so
 *               that it always finds all of them at once (for make profile)
 *
 * Says one line: requests per second; milliseconds to the answer: p50, p99, p99.9; microseconds of
 * CPU per request of each process. The first 4 KB of every answer are checked: an error ends the run.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCESSES 4
#define CHECKED_BYTES ((size_t)4096)
#define INPUT_SIZE ((size_t)1 << 20)
#define MAX_EVENTS 1024

static const char usage[] = "usage: load [OPTIONS] HOST:PORT [HOST:PORT ...]";

/* One connection; it has at most one write of `pipeline` requests under way. */
struct conn {
    int fd;
    size_t sent, got; /* bytes of what is under way */
    uint64_t since;
};

struct load {
    long connections, active, requests, pipeline, size;
    long unmeasured, in_step;
    bool set, endless;
    const char *key;
    pid_t processes[MAX_PROCESSES];
    size_t process_count;

    char *out; /* what one write sends */
    size_t out_size;
    char *answer; /* to one request; only the part that is checked is there */
    size_t answer_size, answer_checked;

    struct conn *conns;
    long *resting; /* a ring: those that wait for their turn, longest first */
    long rest_first, rest_count;
    int epoll;
    long to_send, under_way, done;
    uint64_t began, cpu_before[MAX_PROCESSES];
    uint32_t *samples; /* tenths of a microsecond */
    long sample_count;
    char *input;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (memory == NULL)
        fail("out of memory");
    return memory;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        fail("clock: %s", strerror(errno));
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Nanoseconds that all threads of a process have used. */
static uint64_t cpu_of(pid_t process)
{
    clockid_t clock;

    if (clock_getcpuclockid(process, &clock) != 0)
        fail("process %d is gone", (int)process);
    return read_clock(clock);
}

/* ---- what is sent, and what must come back ---- */

static void make_request(struct load *load)
{
    size_t one_size = strlen(load->key) + (size_t)(load->set ? load->size : 0) + 100;
    char *one = allocate(1, one_size);
    int length = snprintf(one, one_size, "*%d\r\n$3\r\n%s\r\n$%zu\r\n%s\r\n", load->set ? 3 : 2,
                          load->set ? "SET" : "GET", strlen(load->key), load->key);

    if (load->set) {
        length += snprintf(one + length, one_size - (size_t)length, "$%ld\r\n", load->size);
        memset(one + length, 'x', (size_t)load->size);
        length += (int)load->size;
        memcpy(one + length, "\r\n", 2);
        length += 2;
    }
    load->out_size = (size_t)(length * load->pipeline);
    load->out = allocate(1, load->out_size);
    for (long i = 0; i < load->pipeline; i++)
        memcpy(load->out + i * length, one, (size_t)length);
    free(one);
}

static void make_answer(struct load *load)
{
    size_t value = load->set ? 0 : (size_t)load->size;

    load->answer = allocate(1, CHECKED_BYTES + 64);
    size_t head = load->set ? (size_t)sprintf(load->answer, "+OK\r\n")
                            : (size_t)sprintf(load->answer, "$%zu\r\n", value);
    load->answer_size = head + (load->set ? 0 : value + 2);
    if (!load->set) {
        memset(load->answer + head, 'x', CHECKED_BYTES);
        if (value + 2 <= CHECKED_BYTES)
            memcpy(load->answer + head + value, "\r\n", 2);
    }
    load->answer_checked =
        load->answer_size < head + CHECKED_BYTES ? load->answer_size : head + CHECKED_BYTES;
}

static void check_answer(const struct load *load, size_t offset, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t at = offset % load->answer_size;
        size_t here = load->answer_size - at < size ? load->answer_size - at : size;
        size_t checked = at < load->answer_checked ? load->answer_checked - at : 0;

        if (checked > here)
            checked = here;
        if (memcmp(load->answer + at, bytes, checked) != 0)
            fail("a wrong answer: %.*s", (int)(here < 100 ? here : 100), bytes);
        offset += here;
        bytes += here;
        size -= here;
    }
}

/* ---- connections ---- */

static struct sockaddr_in parse_address(const char *text)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char host[64] = "", *end = NULL;
    const char *colon = strrchr(text, ':');
    long port = colon ? strtol(colon + 1, &end, 10) : 0;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || *end || port < 1 || port > 65535)
        fail("%s: must be IPV4:PORT", text);
    memcpy(host, text, (size_t)(colon - text));
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        fail("%s: must be IPV4:PORT", text);
    to.sin_port = htons((uint16_t)port);
    return to;
}

static void open_one(struct load *load, long number, const char *address)
{
    const struct sockaddr_in to = parse_address(address);
    const int one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)number};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event))
        fail("connection %ld to %s: %s", number, address, strerror(errno));
    load->conns[number].fd = fd;
    load->resting[number] = number;
    load->rest_count++;
}

static void watch(struct load *load, long number, bool output)
{
    struct epoll_event event = {.events = output ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                .data.u64 = (uint64_t)number};

    if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, load->conns[number].fd, &event) != 0)
        fail("epoll_ctl: %s", strerror(errno));
}

/* ---- requests ---- */

static void write_some(struct load *load, long number, bool again)
{
    struct conn *conn = &load->conns[number];

    while (conn->sent < load->out_size) {
        ssize_t n =
            send(conn->fd, load->out + conn->sent, load->out_size - conn->sent, MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!again)
                watch(load, number, true);
            return;
        }
        if (n < 0)
            fail("send: %s", strerror(errno));
        conn->sent += (size_t)n;
    }
    if (again)
        watch(load, number, false);
}

static void start_next(struct load *load)
{
    long number = load->resting[load->rest_first];
    struct conn *conn = &load->conns[number];

    load->rest_first = (load->rest_first + 1) % load->connections;
    load->rest_count--;
    load->under_way++;
    load->to_send--;
    conn->sent = conn->got = 0;
    conn->since = read_clock(CLOCK_MONOTONIC);
    write_some(load, number, false);
}

static void begin_measuring(struct load *load)
{
    load->began = read_clock(CLOCK_MONOTONIC);
    for (size_t i = 0; i < load->process_count; i++)
        load->cpu_before[i] = cpu_of(load->processes[i]);
}

static void complete(struct load *load, long number)
{
    struct conn *conn = &load->conns[number];
    uint64_t tenths = (read_clock(CLOCK_MONOTONIC) - conn->since) / 100;

    load->resting[(load->rest_first + load->rest_count++) % load->connections] = number;
    load->under_way--;
    if (load->endless && load->done++ == 0) {
        puts("running");
        fflush(stdout);
    }
    if (load->endless)
        return;
    if (load->done++ >= load->unmeasured)
        load->samples[load->sample_count++] = tenths > UINT32_MAX ? UINT32_MAX : (uint32_t)tenths;
    else if (load->done == load->unmeasured)
        begin_measuring(load);
}

static void read_some(struct load *load, long number)
{
    struct conn *conn = &load->conns[number];
    ssize_t n = recv(conn->fd, load->input, INPUT_SIZE, 0);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0)
        fail("connection %ld was closed: %s", number, n < 0 ? strerror(errno) : "end");
    check_answer(load, conn->got, load->input, (size_t)n);
    conn->got += (size_t)n;
    size_t whole = load->answer_size * (size_t)load->pipeline;
    if (conn->got > whole)
        fail("more than was asked for");
    if (conn->got == whole)
        complete(load, number);
}

/* ---- in step ---- */

/* Every thread of it stands still. */
static bool stopped(pid_t process)
{
    char path[64], text[512];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(text, sizeof(text), file) == NULL)
        fail("process %d is gone", (int)process);
    fclose(file);
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] == ' ' && name_end[2] == 'T';
}

static void start_together(struct load *load)
{
    if (kill((pid_t)load->in_step, SIGSTOP) != 0)
        fail("process %ld: %s", load->in_step, strerror(errno));
    while (!stopped((pid_t)load->in_step))
        poll(NULL, 0, 1);
    while (load->to_send > 0 && load->under_way < load->active)
        start_next(load);
    if (kill((pid_t)load->in_step, SIGCONT) != 0)
        fail("process %ld: %s", load->in_step, strerror(errno));
}

/* ---- the run ---- */

static void start_more(struct load *load)
{
    if (load->in_step) {
        if (load->under_way == 0 && load->to_send > 0)
            start_together(load);
        return;
    }
    while (load->to_send > 0 && load->under_way < load->active)
        start_next(load);
}

static bool input_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;

    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void run(struct load *load)
{
    struct epoll_event events[MAX_EVENTS];

    load->to_send = load->endless ? INT64_MAX : load->unmeasured + load->requests;
    load->samples = allocate((size_t)load->requests, sizeof(*load->samples));
    for (;;) {
        start_more(load);
        if (load->under_way == 0 || (load->endless && input_ended()))
            return;
        int count = epoll_wait(load->epoll, events, MAX_EVENTS, load->endless ? 100 : 30000);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait: %s", strerror(errno));
        if (count == 0 && !load->endless)
            fail("no answer for 30 s");
        for (int i = 0; i < count; i++) {
            long number = (long)events[i].data.u64;

            if (events[i].events & EPOLLOUT)
                write_some(load, number, true);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                read_some(load, number);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile(const struct load *load, double share)
{
    long rank = (long)(share * (double)load->sample_count);

    if (rank >= load->sample_count)
        rank = load->sample_count - 1;
    return load->samples[rank] / 10000.0;
}

static void tell(struct load *load)
{
    double seconds = (double)(read_clock(CLOCK_MONOTONIC) - load->began) / 1e9;
    double served = (double)load->sample_count * (double)load->pipeline;

    qsort(load->samples, (size_t)load->sample_count, sizeof(*load->samples), compare);
    printf("%.0f %.4f %.4f %.4f", served / seconds, percentile(load, 0.5), percentile(load, 0.99),
           percentile(load, 0.999));
    for (size_t i = 0; i < load->process_count; i++)
        printf(" %.4f",
               (double)(cpu_of(load->processes[i]) - load->cpu_before[i]) / 1000.0 / served);
    putchar('\n');
}

/* ---- the command line ---- */

static long number_of(int option, const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < 1 || value > 1000000000)
        fail("-%c %s: must be a number of at least 1", option, text);
    return value;
}

/* The options that are a number, and where it goes. */
static const struct {
    char option;
    size_t offset;
} numbers[] = {
    {'c', offsetof(struct load, connections)}, {'a', offsetof(struct load, active)},
    {'n', offsetof(struct load, requests)},    {'w', offsetof(struct load, unmeasured)},
    {'p', offsetof(struct load, pipeline)},    {'d', offsetof(struct load, size)},
    {'l', offsetof(struct load, in_step)},
};

static void take_option(struct load *load, int option)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (numbers[i].option == option)
            *(long *)(void *)((char *)load + numbers[i].offset) = number_of(option, optarg);
    if (option == 'k')
        load->key = optarg;
    if (option == 'e')
        load->endless = true;
    if (option == 'm') {
        load->set = strcmp(optarg, "set") == 0;
        if (!load->set && strcmp(optarg, "get") != 0)
            fail("-m %s: must be get or set", optarg);
    }
    if (option == 'P') {
        if (load->process_count == MAX_PROCESSES)
            fail("-P: %d at most", MAX_PROCESSES);
        load->processes[load->process_count++] = (pid_t)number_of(option, optarg);
    }
    if (option == '?')
        fail("%s", usage);
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("getrlimit: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("setrlimit: %s", strerror(errno));
}

static void open_all(struct load *load, char **addresses, int address_count)
{
    raise_limit();
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->input = allocate(1, INPUT_SIZE);
    load->conns = allocate((size_t)load->connections, sizeof(*load->conns));
    load->resting = allocate((size_t)load->connections, sizeof(*load->resting));
    for (long i = 0; i < load->connections; i++)
        open_one(load, i, addresses[i % address_count]);
}

int main(int argc, char **argv)
{
    struct load load = {
        .connections = 50, .requests = 100000, .pipeline = 1, .size = 3, .key = "bench:load"};
    int option;

    while ((option = getopt(argc, argv, "c:a:n:w:p:d:m:k:P:el:")) != -1)
        take_option(&load, option);
    if (optind == argc)
        fail("%s", usage);
    if (load.unmeasured == 0)
        load.unmeasured = load.requests / 10 + load.connections;
    if (load.active == 0 || load.active > load.connections || load.in_step)
        load.active = load.connections;
    make_request(&load);
    make_answer(&load);
    open_all(&load, argv + optind, argc - optind);
    run(&load);
    if (!load.endless)
        tell(&load);
    return 0;
}
