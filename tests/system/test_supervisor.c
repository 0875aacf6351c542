/*
 * supervisor: what a supervisor as systemd is told, the watchdog, sockets that it hands in, and the system calls that the
 * unit's sandbox leaves. There is no systemd here: the test listens on a NOTIFY_SOCKET of its own, and
 * systemd-socket-activate hands sockets in.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

const struct suite suite = {.without_proxy = true, .trio = {.fast = true}};

static struct shared s;

/* ---- the supervisor's end ---- */

static int notices = -1;

/* Sets NOTIFY_SOCKET for the proxies that are started from now on. */
static void supervise(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    s = shared();
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify-%d", s.trio.scratch.dir, getpid());
    notices = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(notices, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(setenv("NOTIFY_SOCKET", at.sun_path, 1), 0);
}

static bool next_notice(char *out, size_t size)
{
    ssize_t n = recv(notices, out, size - 1, MSG_DONTWAIT);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool has_line(const char *notice, const char *begin)
{
    for (const char *line = notice; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, begin, strlen(begin)) == 0)
            return true;
    }
    return false;
}

/* Reads notices up to the first one with a line that begins so. */
static bool told(const char *begin, char *notice, size_t size)
{
    while (next_notice(notice, size))
        if (has_line(notice, begin))
            return true;
    return false;
}

#define TELLS(begin) cr_assert(wait_until(10000, told(begin, notice, sizeof(notice))), "no " begin)

static void start(const struct proxy_options *options)
{
    cr_assert(proxy_start(&s.proxy, &s.trio, options) == 0);
}

static bool log_has(const char *text)
{
    char *log = file_text(s.proxy.log);
    bool has = strstr(log, text) != NULL;
    free(log);
    return has;
}

/* The log's writer is a thread of its own. */
#define LOGS(text) cr_expect(wait_until(5000, log_has(text)), "no %s", (text))

static bool accepts(int port)
{
    int fd = raw_open_plain(s.proxy.host, port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* ---- what it is told ---- */

Test(supervisor, it_is_told_what_the_process_does, .timeout = 60)
{
    char notice[1024], wanted[80];
    supervise();
    start(&(struct proxy_options){.proxy_lines = "drain_timeout = 7s\ndrain_delay = 100ms\n"});
    TELLS("READY=1");
    snprintf(wanted, sizeof(wanted), "STATUS=%s: steady, master %s:", TRIO_GROUP,
             s.trio.name[trio_master(&s.trio)]);
    cr_assert(wait_until(10000, told(wanted, notice, sizeof(notice))), "no %s", wanted);
    kill(s.proxy.pid, SIGHUP);
    TELLS("RELOADING=1");
    cr_assert(has_line(notice, "MONOTONIC_USEC="));
    cr_expect(llabs(atoll(strstr(notice, "USEC=") + 5) - (long long)now_us()) < 10000000);
    TELLS("READY=1");
    kill(s.proxy.pid, SIGTERM);
    TELLS("STOPPING=1");
    cr_expect(has_line(notice, "STATUS=draining"));
    cr_expect(has_line(notice, "EXTEND_TIMEOUT_USEC=12100000"));
    cr_expect(proxy_verdict(&s.proxy, 5000) == 0);
    cr_expect_not(told("WATCHDOG=1", notice, sizeof(notice)), "nobody asked for that");
}

/* ---- the watchdog ---- */

/* The threads are numbered in the order in which they began: the first, the log's writer, the control plane, workers;
 * ThreadSanitizer's own comes second. */
static pid_t thread_with_a_loop(void)
{
    char path[64];
    pid_t tids[64];
    int count = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", s.proxy.pid);
    DIR *tasks = opendir(path);
    cr_assert(tasks);
    for (struct dirent *one; (one = readdir(tasks));)
        if (*one->d_name != '.' && count < 64)
            tids[count++] = (pid_t)atoi(one->d_name);
    closedir(tasks);
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0 && tids[k] < tids[k - 1]; k--) {
            pid_t other = tids[k];
            tids[k] = tids[k - 1];
            tids[k - 1] = other;
        }
    cr_assert_gt(count, 4);
    return tids[3];
}

static bool is_stuck(void)
{
    char body[8192];
    return http_get(s.proxy.host, PROXY_HTTP, "/healthz", body, sizeof(body)) == 503 &&
           strstr(body, "has not turned");
}

Test(supervisor, the_watchdog_is_fed_while_every_loop_turns, .timeout = 60)
{
    char notice[1024];
    int status;
    supervise();
    setenv("WATCHDOG_USEC", "600000", 1);
    start(NULL);
    TELLS("WATCHDOG=1");
    TELLS("WATCHDOG=1");
    pid_t tid = thread_with_a_loop();
    cr_assert_eq(ptrace(PTRACE_SEIZE, tid, 0, 0), 0);
    cr_assert_eq(ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0);
    cr_assert_eq(waitpid(tid, &status, __WALL), tid);
    cr_assert(wait_until(10000, is_stuck()));
    cr_assert(wait_until(5000, log_has("the watchdog is not fed")));
    while (next_notice(notice, sizeof(notice)))
        ;
    /* it would have been fed five times */
    cr_expect_not(wait_until(1000, told("WATCHDOG=1", notice, sizeof(notice))));
    cr_assert_eq(ptrace(PTRACE_DETACH, tid, 0, 0), 0);
    TELLS("WATCHDOG=1");
    kill(s.proxy.pid, SIGTERM);
    cr_expect(proxy_verdict(&s.proxy, 5000) == 0);
}

/* A drain may take longer than the watchdog's time. */
Test(supervisor, the_watchdog_is_fed_while_it_drains, .timeout = 60)
{
    char notice[1024];
    supervise();
    setenv("WATCHDOG_USEC", "300000", 1);
    start(NULL);
    redisContext *blocked = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *direct = trio_node(&s.trio, trio_master(&s.trio));
    say(blocked, "BLPOP watched 0");
    say_now(blocked);
    cr_assert(wait_until(5000, clients_blocked_in(direct, "blpop") == 1));
    kill(s.proxy.pid, SIGTERM);
    TELLS("STOPPING=1");
    for (int i = 0; i < 5; i++)
        TELLS("WATCHDOG=1");
    EXPECT(direct, ":1", "RPUSH watched x");
    HEAR(blocked, "[watched, x]");
    cr_expect(proxy_verdict(&s.proxy, 5000) == 0);
    redisFree(blocked);
    redisFree(direct);
}

/* ---- sockets that are handed in ---- */

static void serves_everywhere(void)
{
    static const int ports[] = {PROXY_MASTER, PROXY_REPLICA, PROXY_SPLIT};
    for (int i = 0; i < 3; i++) {
        redisContext *c = proxy_client(&s.proxy, ports[i]);
        EXPECT(c, "+PONG", "PING");
        redisFree(c);
    }
}

Test(supervisor, what_is_handed_in_is_taken_and_the_rest_is_bound, .timeout = 60)
{
    char master[64], http[64], stray[64], line[160];
    s = shared();
    snprintf(master, sizeof(master), "%s:%d", s.trio.proxy_host, PROXY_MASTER);
    snprintf(http, sizeof(http), "%s:%d", s.trio.proxy_host, PROXY_HTTP);
    snprintf(stray, sizeof(stray), "%s:%d", s.trio.proxy_host, 7777);
    start(&(struct proxy_options){
        .under = (const char *[]){"systemd-socket-activate", "-l", stray, "-l", http, "-l", master,
                                  "--fdname=stray:web:redisproxy.socket", NULL}});
    serves_everywhere();
    snprintf(line, sizeof(line), "a listening socket was handed in\" address=%s", master);
    LOGS(line);
    snprintf(line, sizeof(line), "a listening socket was handed in\" address=%s", http);
    LOGS(line);
    snprintf(line, sizeof(line), "name=\"stray\" bound=\"%s\"", stray);
    LOGS(line);
    LOGS("level=error");
    cr_expect_not(accepts(7777), "nobody answers there: it is closed");
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* ---- a restart ---- */

static int listening(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    inet_pton(AF_INET, s.trio.proxy_host, &at.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(listen(fd, 1000), 0);
    return fd;
}

/* As systemd does: the socket is descriptor 3. */
static void start_with(int fd, const char *listen_fds)
{
    char pid[20];
    s.proxy.pid = fork();
    if (s.proxy.pid > 0)
        return;
    int log = open(s.proxy.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 1);
    dup2(log, 2);
    dup2(fd, 3);
    close_range(4, ~0U, 0);
    snprintf(pid, sizeof(pid), "%d", getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", listen_fds, 1);
    execl(proxy_program(), proxy_program(), "-c", s.proxy.config, NULL);
    _exit(127);
}

/* Its name says that it is the web server's, wherever it is bound. */
Test(supervisor, a_name_is_enough, .timeout = 60)
{
    char body[8192];
    s = shared();
    start(NULL); /* for its files */
    cr_assert(proxy_stop(&s.proxy) == 0);
    int fd = listening(7778);
    setenv("LISTEN_FDNAMES", "http", 1);
    start_with(fd, "1");
    cr_expect(
        wait_until(10000, http_get(s.proxy.host, 7778, "/healthz", body, sizeof(body)) == 200));
    cr_expect_not(accepts(PROXY_HTTP), "it is bound as well");
    serves_everywhere();
    cr_expect(proxy_stop(&s.proxy) == 0);
    close(fd);
}

static atomic_bool over;
static atomic_long visits, failures;

/* Comes, asks, goes: as a client without a pool. */
static void *visit(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
        if (strcmp(ask(c, "PING"), "+PONG") == 0)
            atomic_fetch_add(&visits, 1);
        else
            atomic_fetch_add(&failures, 1);
        redisFree(c);
        pause_ms(1);
    }
    return NULL;
}

/* The socket outlives the process: who connects in between waits, and is served by the next one. */
Test(supervisor, nobody_is_refused_while_it_is_restarted, .timeout = 60)
{
    pthread_t visitor;
    s = shared();
    start(&(struct proxy_options){.proxy_lines = "drain_timeout = 1s\n"}); /* for its files */
    cr_assert(proxy_stop(&s.proxy) == 0);
    int fd = listening(PROXY_MASTER);
    start_with(fd, "1");
    cr_assert_eq(pthread_create(&visitor, NULL, visit, NULL), 0);
    for (int i = 0; i < 3; i++) {
        long before = atomic_load(&visits);
        cr_assert(wait_until(10000, atomic_load(&visits) > before + 20));
        cr_assert(proxy_stop(&s.proxy) == 0);
        start_with(fd, "1");
    }
    long before = atomic_load(&visits);
    cr_assert(wait_until(10000, atomic_load(&visits) > before + 20));
    atomic_store(&over, true);
    pthread_join(visitor, NULL);
    cr_expect_eq(atomic_load(&failures), 0, "%ld of %ld were refused or cut",
                 atomic_load(&failures), atomic_load(&visits));
    cr_expect(proxy_stop(&s.proxy) == 0);
    close(fd);
}

/* Anything may stand in the environment. */
Test(supervisor, nonsense_in_the_environment_is_an_error_line, .timeout = 60)
{
    static const char *const nonsense[] = {"banana", "-1", "100000"};
    int pipes[2];
    s = shared();
    start(NULL);
    cr_assert(proxy_stop(&s.proxy) == 0);
    cr_assert_eq(pipe(pipes), 0);
    setenv("WATCHDOG_USEC", "soon", 1);
    setenv("NOTIFY_SOCKET", "/nowhere", 1);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(truncate(s.proxy.log, 0), 0);
        start_with(pipes[0], nonsense[i]);
        cr_assert(wait_until(10000, accepts(PROXY_MASTER)));
        LOGS("LISTEN_FDS cannot be read");
        LOGS("there is no watchdog");
        cr_expect(proxy_stop(&s.proxy) == 0);
    }
    start_with(pipes[0], "1");
    cr_assert(wait_until(10000, accepts(PROXY_MASTER)));
    LOGS("no listening stream socket");
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* ---- the sandbox ---- */

static const char *allowed_calls(void)
{
    static char path[128];
    char command[400];
    snprintf(path, sizeof(path), "%s/calls-%d", s.trio.scratch.dir, getpid());
    snprintf(command, sizeof(command),
             "tests/systemd/syscalls.sh systemd/redisproxy.service >'%s' && test -s '%s'", path,
             path);
    cr_assert_eq(system(command), 0, "systemd-analyze is missing (make deps)?");
    return path;
}

/* What the unit leaves of the system calls is enough for a switchover under load, /metrics, a reload and a drain; any other
 * call would end the process. */
Test(supervisor, the_sandbox_leaves_what_it_needs, .timeout = 60)
{
    char body[32768];
    pthread_t visitor;
    s = shared();
    if (proxy_sanitized())
        cr_skip("a sanitizer makes system calls of its own");
    start(&(struct proxy_options){
        .proxy_lines = "drain_timeout = 1s\n",
        .under = (const char *[]){"build/tests/systemd/sandboxed", allowed_calls(), NULL}});
    cr_assert(proxy_wait_serving(&s.proxy, &s.trio) == 0);
    cr_assert_eq(pthread_create(&visitor, NULL, visit, NULL), 0);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    int before = trio_master(&s.trio);
    cr_assert(trio_failover(&s.trio) == 0);
    for (int i = 0; trio_named(&s.trio) == before || i < 100; i++)
        EXPECT(c, "+OK", "SET sandboxed %d", i);
    EXPECT(c, "+OK", "SET sandboxed after");
    cr_expect_eq(http_get(s.proxy.host, PROXY_HTTP, "/metrics", body, sizeof(body)), 200);
    kill(s.proxy.pid, SIGHUP);
    atomic_store(&over, true);
    pthread_join(visitor, NULL);
    cr_expect_eq(atomic_load(&failures), 0);
    redisFree(c);
    cr_expect(proxy_stop(&s.proxy) == 0);
}
