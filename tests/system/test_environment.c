/*
 * environment: the proxy without a configuration file, and with one that the environment changes; what a container's probe
 * asks it.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/secure.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

const struct suite suite = {.alone = true};

static struct trio trio;

/* Runs the program on the proxy's host to its end. Returns its exit code. */
static int run_there(const char *const *arguments, char *output, size_t size)
{
    char log[96];
    const char *argv[12] = {proxy_program()};
    int status = -1;
    snprintf(log, sizeof(log), "%s/run-there", trio.scratch.dir);
    remove(log);
    for (int i = 0; i < 10 && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    pid_t pid = trio_run(&trio, TRIO_MAX, argv, log);
    cr_assert(process_ended(pid, 10000, &status));
    char *text = file_text(log);
    snprintf(output, size, "%s", text);
    free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check(char *output, size_t size, const char *how)
{
    return run_there((const char *[]){how, NULL}, output, size);
}

static void end_trio(void)
{
    trio_stop(&trio);
}

TestSuite(environment, .fini = end_trio, .timeout = 60);

/* In a network namespace of its own, so that the ports may be the default ones, at all addresses. */
Test(environment, two_words_are_a_configuration)
{
    char sentinels[128], log[96], output[2048];
    if (net_refused())
        cr_skip_test("%s", net_refused());
    if (secure_clients() || secure_sentinel_port() != TRIO_SENTINEL_PORT)
        cr_skip_test("without a file nobody speaks TLS");
    cr_assert(trio_start(&trio, &(struct trio_options){.partitions = true, .fast = true}) == 0);
    snprintf(sentinels, sizeof(sentinels), "%s:26379,%s,%s", trio.name[0], trio.name[1],
             trio.name[2]);
    snprintf(log, sizeof(log), "%s/without-a-file.log", trio.scratch.dir);
    const char *const arguments[] = {proxy_program(), "--sentinels", sentinels,
                                     "--master",      TRIO_GROUP,    NULL};
    cr_expect_eq(check(output, sizeof(output), "--check"), 1, "nobody is there: %s", output);
    cr_expect(strstr(output, "no answer from 0.0.0.0:8888"), "%s", output);
    pid_t pid = trio_run(&trio, TRIO_MAX, arguments, log);
    /* "holding" is good, too: there is no master yet, and requests wait for it. */
    cr_assert(wait_until(15000, check(output, sizeof(output), "--check") == 0 &&
                                    strcmp(output, "ready\n") == 0),
              "%s", output);
    cr_expect_eq(check(output, sizeof(output), "--check=live"), 0, "%s", output);
    cr_expect_str_eq(output, "ok\n");
    redisContext *writer = client_open(trio.proxy_host, 6379);
    redisContext *reader = client_open(trio.proxy_host, 6380);
    EXPECT(writer, "+OK", "SET without a-file");
    EXPECT_PREFIX(reader, "-READONLY", "SET without a-file");
    cr_expect(wait_until(5000, strcmp(ask(reader, "GET without"), "a-file") == 0));
    redisFree(writer);
    redisFree(reader);
    int status = run_there(
        (const char *[]){"doctor", "--sentinels", sentinels, "--master", TRIO_GROUP, NULL}, output,
        sizeof(output));
    cr_expect(strstr(output, "group " TRIO_GROUP) && status < 2, "%d: %s", status, output);
    struct proxy proxy = {.pid = pid};
    snprintf(proxy.log, sizeof(proxy.log), "%s", log);
    cr_expect(proxy_stop(&proxy) == 0);
}

static bool setting_is(const struct proxy *proxy, const char *name, const char *value,
                       const char *from)
{
    char output[2048];
    proxy_ctl(proxy, output, sizeof(output), "config get %s", name);
    if (strstr(output, value) && strstr(output, from))
        return true;
    fprintf(stderr, "%s\n", output);
    return false;
}

Test(environment, is_stronger_than_the_file_and_stays_through_a_reload)
{
    struct proxy proxy;
    char output[2048], password[160];
    struct proxy_options options = {.proxy_lines = "max_clients = 100\n",
                                    .master_lines = "hold_timeout = 9s\npassword = wrong\n"};
    cr_assert(trio_start(&trio, &(struct trio_options){.fast = true}) == 0);
    cr_assert(trio_tell_all(&trio, "CONFIG SET masterauth right"));
    cr_assert(trio_tell_all(&trio, "CONFIG SET requirepass right"));
    trio_tell_sentinels(&trio, "SENTINEL SET " TRIO_GROUP " auth-pass right");
    snprintf(password, sizeof(password), "%s/right", trio.scratch.dir);
    cr_assert(file_write(password, "right\n") == 0);
    setenv("REDISPROXY_MASTER_HOLD_TIMEOUT", "7s", 1);
    setenv("REDISPROXY_MASTER_1_PASSWORD_FILE", password, 1);
    setenv("REDISPROXY_LISTEN_3_MULTIPLEXING", "no", 1);
    cr_assert(proxy_start(&proxy, &trio, &options) == 0);
    redisContext *c = proxy_client(&proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "AUTH right");
    EXPECT(c, "+OK", "SET a 1");
    redisFree(c);
    cr_expect(setting_is(&proxy, "hold_timeout", "7s", "environment"));
    cr_expect(setting_is(&proxy, "password_file", password, "environment"));
    cr_expect(setting_is(&proxy, "multiplexing", "no", "environment"));
    cr_expect(setting_is(&proxy, "max_clients", "100", "5"));
    options.proxy_lines = "max_clients = 200\n";
    options.master_lines = "hold_timeout = 11s\npassword = wrong\n";
    cr_assert(proxy_configure(&proxy, &trio, &options) == 0);
    cr_expect_eq(proxy_reload(&proxy), 1);
    cr_expect_eq(proxy_said(&proxy, "changes=1"), 1);
    cr_expect(setting_is(&proxy, "max_clients", "200", "5"));
    cr_expect(setting_is(&proxy, "hold_timeout", "7s", "environment"));
    /* The same environment, and the file: what a probe inside the container has. Mistakes elsewhere do not count. */
    cr_expect_eq(
        proxy_run((const char *[]){"--check", "-c", proxy.config, NULL}, output, sizeof(output)), 0,
        "%s", output);
    options.proxy_lines = "max_clients = many\n";
    cr_assert(proxy_configure(&proxy, &trio, &options) == 0);
    cr_expect_eq(
        proxy_run((const char *[]){"--check", "-c", proxy.config, NULL}, output, sizeof(output)), 0,
        "%s", output);
    cr_expect_eq(proxy_reload(&proxy), 0);
    cr_expect(proxy_stop(&proxy) == 0);
    cr_expect_eq(
        proxy_run((const char *[]){"--check", "-c", proxy.config, NULL}, output, sizeof(output)), 1,
        "%s", output);
}
