/*
 * admin: a running proxy is asked and told over its admin socket, also while it drains, holds, or has as many clients as
 * it may; and whoever sends it nonsense harms nobody.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUT_MAX = 64 * 1024, CONNECTIONS = 100, CLIENTS_MAX = 8 };

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true}};

static struct shared s;
static char out[OUT_MAX];

#define CTL(...) proxy_ctl(&s.proxy, out, sizeof(out), __VA_ARGS__)
#define EXPECT_CTL(status, ...)                                                                    \
    do {                                                                                           \
        int expect_status_ = CTL(__VA_ARGS__);                                                     \
        cr_assert(expect_status_ == (status), "ctl %s: %d, wanted %d: %s", #__VA_ARGS__,           \
                  expect_status_, (status), out);                                                  \
    } while (0)
#define EXPECT_SAID(text) cr_assert(strstr(out, text), "<%s> is not in: %s", text, out)

static void begin(void)
{
    s = shared();
}

/* A proxy of the test's own, beside the shared one's trio. */
static void start_with(const struct proxy_options *options)
{
    s = shared();
    snprintf(s.trio.proxy_host, sizeof(s.trio.proxy_host), "%s.101", s.trio.scratch.prefix);
    cr_assert(proxy_start(&s.proxy, &s.trio, options) == 0);
    cr_assert(proxy_wait_serving(&s.proxy, &s.trio) == 0);
}

static void start(const char *proxy_lines, const char *master_lines)
{
    start_with(&(struct proxy_options){.proxy_lines = proxy_lines, .master_lines = master_lines});
}

/* The number behind "name": in the answer, -1: there is none. */
static long long number_of(const char *name)
{
    char key[64];
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(out, key);
    return at ? atoll(at + strlen(key)) : -1;
}

static bool logged(const char *text)
{
    char *log = file_text(s.proxy.log);
    bool yes = strstr(log, text) != NULL;
    free(log);
    return yes;
}

static int connect_admin(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    proxy_admin(&s.proxy, address.sun_path, sizeof(address.sun_path));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* ---- asking ---- */

Test(admin, tells_what_there_is, .timeout = 60)
{
    begin();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET admin 1");
    EXPECT_CTL(0, "status");
    EXPECT_SAID("version");
    EXPECT_SAID("mymaster");
    EXPECT_SAID("steady");
    EXPECT_CTL(0, "status --json");
    EXPECT_SAID("{\"version\":1,\"ok\":true,\"result\":{");
    EXPECT_SAID("\"writable\":true");
    cr_expect_geq(number_of("sessions"), 1);
    cr_expect_eq(number_of("pid"), s.proxy.pid);
    EXPECT_CTL(0, "nodes");
    for (int i = 0; i < 3; i++)
        EXPECT_SAID(s.trio.host[i]);
    EXPECT_SAID("master");
    EXPECT_SAID("replica");
    cr_assert(wait_until(5000, (CTL("sentinels --json"), number_of("knows") == 2)), "%s", out);
    EXPECT_SAID("\"agrees\":true");
    cr_expect(!strstr(out, "\"reachable\":false"), "%s", out);
    EXPECT_CTL(1, "nodes nobody");
    EXPECT_SAID("there is no group nobody");
    redisFree(c);
}

Test(admin, shows_settings_and_no_secret, .timeout = 60)
{
    start("request_max = 77mb\n", "sentinel_password = hush-hush\n");
    EXPECT_CTL(0, "config");
    EXPECT_SAID("77mb");
    EXPECT_SAID("***");
    cr_expect(!strstr(out, "hush"), "%s", out);
    EXPECT_CTL(0, "config get hold_timeout --json");
    EXPECT_SAID("\"value\":\"20s\"");
    EXPECT_CTL(1, "config get hold_timeuot");
    EXPECT_SAID("did you mean hold_timeout");
    cr_expect(proxy_stop(&s.proxy) == 0);
}

Test(admin, the_level_of_the_log_changes, .timeout = 60)
{
    start(NULL, NULL);
    EXPECT_CTL(0, "log-level --json");
    EXPECT_SAID("\"log_level\":\"info\"");
    EXPECT_CTL(0, "log-level debug");
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+PONG", "PING");
    redisFree(c);
    cr_expect(wait_until(5000, logged("level=debug msg=\"a session ended\"")));
    cr_expect(logged("msg=\"administration\" verb=log-level args=\"debug\" uid="));
    EXPECT_CTL(1, "log-level loud");
    EXPECT_CTL(0, "log-level error");
    EXPECT_CTL(0, "log-level");
    EXPECT_SAID("error");
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* ---- clients ---- */

static int shown(const char *filter)
{
    int count = 0;
    CTL("sessions --json %s", filter);
    for (const char *at = out; (at = strstr(at, "\"id\":")); at++)
        count++;
    return count;
}

Test(admin, sessions_are_shown_by_filter, .timeout = 60)
{
    begin();
    redisContext *named = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *subscriber = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *reader = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT(named, "+OK", "CLIENT SETNAME admin-one");
    ask(named, "CLIENT SETINFO LIB-NAME tester");
    ask(named, "CLIENT SETINFO LIB-VER 1.2");
    EXPECT(subscriber, "[subscribe, admin, :1]", "SUBSCRIBE admin");
    ask(reader, "GET admin");
    cr_expect_eq(shown("name=admin-one"), 1);
    EXPECT_SAID("\"state\":\"idle\"");
    cr_expect_eq(shown("name=admin-*"), 1);
    cr_expect_eq(shown("state=subscribed"), 1);
    cr_expect_geq(shown("listener!=127.0.0.1"), 3);
    char filter[64];
    snprintf(filter, sizeof(filter), "listener=%s:%d", s.proxy.host, PROXY_REPLICA);
    cr_expect_eq(shown(filter), 1);
    cr_expect_eq(shown("age>1h"), 0);
    cr_expect_eq(shown("--limit 1"), 1);
    cr_expect_geq(number_of("not_shown"), 2);
    EXPECT(named, "+OK", "MULTI");
    cr_expect_eq(shown("state=transaction"), 1);
    EXPECT_CTL(1, "sessions idle>soon");
    EXPECT_SAID("soon is no time");
    EXPECT_CTL(1, "sessions colour=red");
    EXPECT_CTL(0, "sessions name=admin-one");
    EXPECT_SAID("ADDRESS");
    redisFree(named);
    redisFree(subscriber);
    redisFree(reader);
}

Test(admin, clients_are_killed, .timeout = 60)
{
    begin();
    redisContext *victims[4], *other = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(other, "+OK", "CLIENT SETNAME spared");
    for (int i = 0; i < 4; i++) {
        victims[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(victims[i], "+OK", "CLIENT SETNAME victim");
    }
    EXPECT_CTL(0, "kill %s", ask(victims[0], "CLIENT ID") + 1);
    HEAR(victims[0], "(closed)");
    cr_expect_eq(shown("name=victim"), 3);
    EXPECT_CTL(0, "kill --json name=victim");
    cr_expect_eq(number_of("killed"), 3);
    for (int i = 1; i < 4; i++)
        HEAR(victims[i], "(closed)");
    EXPECT_CTL(1, "kill name=victim");
    EXPECT_SAID("no client is meant");
    EXPECT_CTL(1, "kill");
    EXPECT(other, "+PONG", "PING");
    cr_expect(wait_until(5000, logged("verb=kill args=\"name=victim\" uid=")));
    for (int i = 0; i < 4; i++)
        redisFree(victims[i]);
    redisFree(other);
}

/* ---- holding ---- */

Test(admin, a_pause_holds_and_ends, .timeout = 60)
{
    begin();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *reader = proxy_client(&s.proxy, PROXY_REPLICA);
    EXPECT(c, "+OK", "SET paused 0");
    EXPECT_CTL(0, "pause mymaster --json");
    EXPECT_SAID("\"quiet\":true");
    say(c, "INCR paused");
    say_now(c);
    cr_expect(!heard(c, 300));
    cr_assert(wait_until(5000, (CTL("status --json"), number_of("held_sessions") == 1)), "%s", out);
    EXPECT_SAID("\"state\":\"paused\"");
    EXPECT_PREFIX(reader, "0", "GET paused");
    cr_expect_eq(shown("state=held"), 1);
    char body[8192];
    cr_expect_eq(http_get(s.proxy.host, PROXY_HTTP, "/readyz", body, sizeof(body)), 200, "%s",
                 body);
    EXPECT_CTL(1, "switchover mymaster");
    EXPECT_SAID("it is paused");
    EXPECT_CTL(0, "resume mymaster");
    HEAR(c, ":1");
    EXPECT_CTL(1, "resume mymaster");
    redisFree(c);
    redisFree(reader);
}

Test(admin, a_pause_ends_by_itself, .timeout = 60)
{
    begin();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    int64_t before = now_ms();
    EXPECT_CTL(0, "pause mymaster --for 700ms");
    EXPECT(c, "+OK", "SET paused 2");
    cr_expect_geq(now_ms() - before, 650);
    EXPECT_CTL(1, "pause mymaster --for 1h");
    EXPECT_SAID("requests would fail");
    EXPECT_CTL(1, "pause mymaster --for ever");
    EXPECT_CTL(1, "pause");
    EXPECT_CTL(1, "pause mymaster --until 5s");
    EXPECT_SAID("has no option");
    redisFree(c);
}

/* ---- connections ---- */

static int connections_at_master(void)
{
    redisContext *c = trio_node(&s.trio, trio_master(&s.trio));
    int count = atoi(info_field(c, "stats", "total_connections_received"));
    redisFree(c);
    return count;
}

Test(admin, connections_are_made_anew, .timeout = 60)
{
    begin();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER),
                 *tx = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET anew 0");
    EXPECT(tx, "+OK", "MULTI");
    EXPECT(tx, "+QUEUED", "INCR anew");
    int received = connections_at_master();
    EXPECT_CTL(0, "reconnect --json");
    cr_expect_geq(number_of("shared"), 1);
    cr_expect_geq(number_of("own_later"), 1);
    EXPECT(c, ":1", "INCR anew");
    EXPECT(tx, "[:2]", "EXEC");
    /* Two of them are the tests' own. */
    cr_expect_gt(connections_at_master(), received + 1);
    EXPECT_CTL(1, "reconnect nobody");
    redisFree(c);
    redisFree(tx);
}

/* Without multiplexing each client has a connection of its own, and gets another one with its next request. */
Test(admin, a_clients_own_connection_is_made_anew, .timeout = 60)
{
    start_with(&(struct proxy_options){.listen_lines = "multiplexing = no\n"});
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "SET own 0");
    int received = connections_at_master();
    EXPECT_CTL(0, "reconnect mymaster --json");
    cr_expect_eq(number_of("own_later"), 0, "%s", out);
    cr_expect_geq(number_of("own"), 1);
    EXPECT(c, ":1", "INCR own");
    /* Two of them: the test's own one, and the new one. */
    cr_expect_geq(connections_at_master(), received + 2);
    redisFree(c);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

Test(admin, clients_are_rebalanced, .timeout = 60)
{
    start(NULL, NULL);
    redisContext *c[CLIENTS_MAX], *tx = proxy_client(&s.proxy, PROXY_MASTER);
    int closed = 0;
    EXPECT(tx, "+OK", "MULTI");
    for (int i = 0; i < CLIENTS_MAX; i++) {
        c[i] = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(c[i], "+PONG", "PING");
    }
    int64_t before = now_ms();
    EXPECT_CTL(0, "rebalance --over 2s");
    EXPECT_CTL(1, "rebalance");
    EXPECT_SAID("already");
    cr_assert(wait_until(5000, logged("msg=\"clients are rebalanced\" disconnected=8 amid=1")));
    cr_expect_geq(now_ms() - before, 1900);
    for (int i = 0; i < CLIENTS_MAX; i++) {
        closed += strcmp(ask(c[i], "PING"), "(closed)") == 0;
        redisFree(c[i]);
    }
    cr_expect_eq(closed, CLIENTS_MAX);
    EXPECT(tx, "+QUEUED", "PING");
    EXPECT(tx, "[+PONG]", "EXEC");
    EXPECT_CTL(1, "rebalance --over soon");
    redisFree(tx);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* ---- while it is hard pressed ---- */

Test(admin, answers_while_draining, .timeout = 60)
{
    start(NULL, NULL);
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    redisContext *direct = trio_node(&s.trio, trio_master(&s.trio));
    say(c, "BLPOP admin:drained 8");
    say_now(c);
    cr_assert(wait_until(5000, clients_blocked_in(direct, "blpop") == 1));
    EXPECT_CTL(0, "drain");
    EXPECT_SAID("has begun");
    EXPECT_CTL(0, "drain");
    EXPECT_SAID("goes on already");
    EXPECT_CTL(0, "status --json");
    EXPECT_SAID("\"draining\":true");
    cr_expect_eq(shown("state=leaving"), 1);
    EXPECT(direct, ":1", "RPUSH admin:drained x");
    HEAR(c, "[admin:drained, x]");
    cr_expect(proxy_verdict(&s.proxy, 3000) == 0);
    EXPECT_CTL(2, "status");
    EXPECT_SAID("cannot reach a proxy");
    redisFree(c);
    redisFree(direct);
}

Test(admin, answers_with_max_clients_reached, .timeout = 60)
{
    start("max_clients = 2\n", NULL);
    redisContext *c[3];
    cr_assert(wait_until(5000, shown("") == 0)); /* those that saw that it serves have gone */
    for (int i = 0; i < 3; i++)
        c[i] = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c[0], "+PONG", "PING");
    EXPECT(c[1], "+PONG", "PING");
    EXPECT_PREFIX(c[2], "-ERR max number", "PING");
    cr_expect_eq(shown(""), 2, "%s", out);
    EXPECT_CTL(0, "kill address=127.*");
    for (int i = 0; i < 3; i++)
        redisFree(c[i]);
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* ---- the socket's file ---- */

static mode_t mode_of(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? file.st_mode & 0777 : 0;
}

Test(admin, the_file_is_private_and_goes_in_the_end, .timeout = 60)
{
    char path[128], line[160];
    start(NULL, NULL);
    proxy_admin(&s.proxy, path, sizeof(path));
    cr_expect_eq(mode_of(path), 0600, "%o", mode_of(path));
    /* A live one is not taken. */
    snprintf(line, sizeof(line), "admin = %s\n", path);
    struct proxy first = s.proxy;
    snprintf(s.trio.proxy_host, sizeof(s.trio.proxy_host), "%s.102", s.trio.scratch.prefix);
    char config[160], text[512];
    snprintf(config, sizeof(config), "%s/second.conf", s.trio.scratch.dir);
    snprintf(text, sizeof(text),
             "[proxy]\nhttp = off\n%s[master mymaster]\nsentinels = %s\n"
             "[listen %s.103:7000]\n",
             line, s.trio.host[0], s.trio.scratch.prefix);
    cr_assert(file_write(config, text) == 0);
    cr_expect_eq(proxy_run((const char *[]){"-c", config, NULL}, out, sizeof(out)), 1, "%s", out);
    EXPECT_SAID("another process has the admin socket");
    EXPECT_CTL(0, "status");
    /* A dead one's is replaced. */
    kill(first.pid, SIGKILL);
    int status;
    cr_assert(process_ended(first.pid, 5000, &status));
    cr_expect_neq(access(path, F_OK), -1);
    cr_assert(proxy_start(&s.proxy, &s.trio, &(struct proxy_options){.proxy_lines = line}) == 0);
    cr_expect(wait_until(5000, logged("a dead process's admin socket is replaced")));
    snprintf(text, sizeof(text), "%s", path);
    cr_expect_eq(proxy_run((const char *[]){"ctl", "-s", text, "status", NULL}, out, sizeof(out)),
                 0);
    cr_expect_eq(
        proxy_run((const char *[]){"ctl", "-c", s.proxy.config, "status", NULL}, out, sizeof(out)),
        0, "%s", out);
    cr_expect(proxy_stop(&s.proxy) == 0);
    cr_expect_eq(access(path, F_OK), -1);
}

/* Runs ctl as another user of this machine, in these groups. Returns its exit status. */
static int ctl_as(uid_t uid, gid_t gid)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        char path[128];
        int null = open("/dev/null", 2);
        dup2(null, 1);
        dup2(null, 2);
        if (setgroups(1, &gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
            _exit(77);
        execl(proxy_program(), "redisproxy", "ctl", "-s", proxy_admin(&s.proxy, path, sizeof(path)),
              "status", NULL);
        _exit(78);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The folder of a test is private; others have to come as far as the socket. */
static bool open_folder(void)
{
    return chmod(s.trio.scratch.dir, 0755) == 0 && access(proxy_program(), X_OK) == 0;
}

Test(admin, only_its_group_may, .timeout = 60)
{
    const struct group *group = getgrnam("daemon");
    if (geteuid() != 0 || !group)
        cr_skip_test("needs root, to be somebody else");
    gid_t gid = group->gr_gid;
    start("admin_group = daemon\n", NULL);
    char path[128];
    proxy_admin(&s.proxy, path, sizeof(path));
    cr_assert(open_folder());
    cr_expect_eq(mode_of(path), 0660, "%o", mode_of(path));
    if (ctl_as(65534, gid) == 78)
        cr_skip_test("others cannot read the program");
    cr_expect_eq(ctl_as(65534, gid), 0);
    cr_expect_eq(ctl_as(65534, 65534), 2);
    /* Whatever the file's mode: the kernel is asked who it is. */
    chmod(path, 0666);
    cr_expect_eq(ctl_as(65534, 65534), 1);
    cr_expect(wait_until(5000, logged("msg=\"administration is refused\" uid=65534")));
    cr_expect(proxy_stop(&s.proxy) == 0);
}

/* ---- hostile input ---- */

static void expect_refusal(const char *bytes, size_t len, const char *wanted)
{
    char answer[1024];
    int fd = connect_admin();
    cr_assert_geq(fd, 0);
    (void)raw_send(fd, bytes, len);
    size_t got = raw_read(fd, answer, sizeof(answer) - 1, 3000);
    cr_expect(got > 0 && strstr(answer, wanted), "%.60s: %.*s", bytes, (int)got, answer);
    close(fd);
}

Test(admin, nonsense_is_refused, .timeout = 60)
{
    static const char *const lines[] = {
        "\n",
        "status\n",
        "[]\n",
        "{\n",
        "{}\n",
        "null\n",
        "\"status\"\n",
        "GET / HTTP/1.1\r\n",
        "{\"verb\":\"status\"}\n",
        "{\"version\":2,\"verb\":\"status\"}\n",
        "{\"version\":1,\"verb\":7}\n",
        "{\"version\":1,\"verb\":\"status\",\"args\":{}}\n",
        "{\"version\":1,\"verb\":\"status\",\"args\":[1]}\n",
        "{\"version\":1,\"verb\":\"status\",\"args\":[\"a\"]}\n",
        "{\"version\":1,\"verb\":\"kill\",\"args\":[\"\"]}\n",
        "{\"version\":1,\"verb\":\"nothing\"}\n",
        "{\"version\":1,\"verb\":\"config\",\"args\":[\"get\",\"%s%n\"]}\n",
        "{\"version\":1,\"verb\":\"pause\",\"args\":[\"mymaster\",\"--for\"]}\n--"};
    begin();
    for (size_t i = 0; i + 1 < sizeof(lines) / sizeof(lines[0]); i++)
        expect_refusal(lines[i], strlen(lines[i]), "\"ok\":false");
    char *large = malloc(1024 * 1024), deep[4001];
    cr_assert(large != NULL);
    memset(large, '[', 1024 * 1024);
    expect_refusal(large, 1024 * 1024, "too long");
    free(large);
    memset(deep, '[', 4000);
    deep[4000] = '\n';
    expect_refusal(deep, sizeof(deep), "\"ok\":false");
    srand(1);
    for (int i = 0; i < 200; i++) {
        char noise[301];
        for (int k = 0; k < 300; k++)
            noise[k] = (char)rand();
        noise[300] = '\n';
        expect_refusal(noise, sizeof(noise), "\"ok\":false");
    }
    EXPECT_CTL(0, "status");
}

Test(admin, those_who_dawdle_keep_nobody_out, .timeout = 60)
{
    int fds[CONNECTIONS];
    begin();
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = connect_admin();
        cr_assert_geq(fds[i], 0, "%d: %s", i, strerror(errno));
        if (i % 3 == 1)
            raw_send_text(fds[i], "{\"version\":1,");
        else if (i % 3 == 2)
            shutdown(fds[i], SHUT_WR);
        if (i % 10 == 0)
            EXPECT_CTL(0, "status");
    }
    EXPECT_CTL(0, "status");
    for (int i = 0; i < CONNECTIONS; i++)
        cr_expect(raw_ended(fds[i], 7000), "%d is not cut", i);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
}

Test(admin, ctl_says_what_is_wrong, .timeout = 60)
{
    begin();
    cr_expect_eq(proxy_run((const char *[]){"ctl", NULL}, out, sizeof(out)), 1);
    cr_expect_eq(proxy_run((const char *[]){"ctl", "help", NULL}, out, sizeof(out)), 0);
    EXPECT_SAID("switchover GROUP");
    cr_expect_eq(proxy_run((const char *[]){"ctl", "help", "pause", NULL}, out, sizeof(out)), 0);
    EXPECT_SAID("hold_timeout");
    cr_expect_eq(proxy_run((const char *[]){"ctl", "nothing", NULL}, out, sizeof(out)), 1);
    EXPECT_SAID("there is no verb nothing");
    cr_expect_eq(proxy_run((const char *[]){"ctl", "-s", "/nowhere/at/all", "status", NULL}, out,
                           sizeof(out)),
                 2);
    EXPECT_SAID("-s SOCKET");
    cr_expect_eq(
        proxy_run((const char *[]){"ctl", "-c", "/nowhere.conf", "status", NULL}, out, sizeof(out)),
        2);
    cr_expect_eq(proxy_run((const char *[]){"ctl", "-s", NULL}, out, sizeof(out)), 1);
}

/* ---- a switchover: test_admin_switchover.c has it done ---- */

Test(admin, a_wish_that_sentinel_does_not_take_changes_nothing, .timeout = 120)
{
    begin();
    int master = trio_master(&s.trio);
    EXPECT_CTL(1, "switchover mymaster --to %s:%d", s.trio.host[(master + 1) % 3], TRIO_PORT);
    EXPECT_SAID("takes no wish");
    EXPECT_CTL(1, "switchover mymaster --to 10.9.9.9:1");
    EXPECT_SAID("nothing was changed");
    EXPECT_CTL(1, "switchover mymaster --timeout 0s");
    EXPECT_CTL(1, "switchover");
    cr_expect_eq(trio_master(&s.trio), master);
    cr_expect(wait_until(5000, logged("verb=switchover args=\"mymaster --timeout 0s\" uid=")));
}
