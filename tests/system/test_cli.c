/*
 * cli: the command line and the configuration, by running the program. Every error of a file is
 * reported at once, with file and line; nothing is opened before all of it is right.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct suite suite = {.alone = true};

/* A folder and addresses of its own for each test. */
static struct scratch scratch;
static char conf[96], output[32768];

static void open_scratch(void)
{
    cr_assert(scratch_open(&scratch) == 0);
    snprintf(conf, sizeof(conf), "%s/proxy.conf", scratch.dir);
}

static void close_scratch(void)
{
    scratch_close(&scratch);
}

TestSuite(cli, .init = open_scratch, .fini = close_scratch, .timeout = 30);

/* Writes the file with $P replaced by the test's address prefix, and runs the program on it. */
static int run_with(const char *option, const char *text)
{
    FILE *file = fopen(conf, "w");
    cr_assert(file);
    for (const char *at = text; *at; at++) {
        if (at[0] == '$' && at[1] == 'P')
            fputs(scratch.prefix, file), at++;
        else
            fputc(*at, file);
    }
    fclose(file);
    const char *with[] = {option, "-c", conf, NULL}, *without[] = {"-c", conf, NULL};
    return proxy_run(option ? with : without, output, sizeof(output));
}

/* The report for a line: "conf:line: what: mend"; fails the test when there is none. */
static void expect_line(int line)
{
    char start[128];
    snprintf(start, sizeof(start), "%s:%d: ", conf, line);
    const char *at = strstr(output, start);
    cr_assert(at, "no report for line %d in:\n%s", line, output);
    const char *end = strchr(at, '\n'), *colon = strstr(at + strlen(start), ": ");
    cr_expect(colon && end && colon < end, "line %d: not \"what: how to mend it\":\n%s", line,
              output);
}

static int reports(void)
{
    int count = 0;
    for (const char *at = output; (at = strstr(at, conf)); at++)
        count++;
    return count;
}

#define GOOD                                                                                       \
    "[proxy]\nhttp = $P.1:8888\n[master mymaster]\nsentinels = $P.1:26379\n"                       \
    "[listen $P.1:6379]\nmaster = mymaster\nroute = master\n"

Test(cli, version_and_help)
{
    cr_assert_eq(proxy_run((const char *[]){"--version", NULL}, output, sizeof(output)), 0);
    cr_expect(strstr(output, "redisproxy") && strpbrk(output, "0123456789"), "%s", output);
    cr_assert_eq(proxy_run((const char *[]){"--help", NULL}, output, sizeof(output)), 0);
    static const char *const named[] = {"-c",           "-t",        "--version",
                                        "hold_timeout", "sentinels", "route"};
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        cr_expect(strstr(output, named[i]), "--help does not name %s", named[i]);
}

Test(cli, wrong_usage)
{
    cr_expect_neq(proxy_run((const char *[]){"--nonsense", NULL}, output, sizeof(output)), 0);
    cr_expect(output[0]);
    cr_expect_neq(proxy_run((const char *[]){"-c", NULL}, output, sizeof(output)), 0);
    cr_expect(output[0]);
    cr_expect_eq(
        proxy_run((const char *[]){"-c", "/nowhere/at/all.conf", NULL}, output, sizeof(output)), 1);
    cr_expect(strstr(output, "/nowhere/at/all.conf"), "%s", output);
}

Test(cli, a_good_file_passes)
{
    cr_assert_eq(run_with("-t", GOOD), 0, "%s", output);
    cr_assert_eq(run_with("-t", "[master only]\nsentinels = a.example, [::1]:26379\n"), 0, "%s",
                 output);
}

/* -t opens nothing: the ports may be in use, by the very proxy whose next configuration it is. */
Test(cli, checking_needs_no_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(6379)};
    char host[24];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    snprintf(host, sizeof(host), "%s.1", scratch.prefix);
    inet_pton(AF_INET, host, &at.sin_addr);
    cr_assert(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0);
    cr_expect_eq(run_with("-t", GOOD), 0, "%s", output);
    cr_expect_eq(run_with(NULL, GOOD), 1);
    char taken[32];
    snprintf(taken, sizeof(taken), "%s:6379", host);
    cr_expect(strstr(output, taken), "the taken port is not named: %s", output);
    close(fd);
}

Test(cli, every_error_is_reported)
{
    cr_assert_eq(run_with(NULL, "[proxy]\n"
                                "htpp = $P.1:8888\n" /* 2: unknown key */
                                "log = loud\n"       /* 3: not one of its values */
                                "[master mymaster]\n"
                                "sentinels = $P.1:99999\n"     /* 5: no port */
                                "hold_timeout = 20\n"          /* 6: no unit */
                                "hold_memory = 64 parsecs\n"   /* 7: no unit */
                                "password = ${NO_SUCH_NAME}\n" /* 8: unset */
                                "[listen $P.1:6379]\n"
                                "master = nobody\n"    /* 10: no such group */
                                "[listen $P.1:6379]\n" /* 11: the same address again */
                                "route = sideways\n"   /* 12 */
                                "[lisen $P.1:6380]\n"  /* 13: unknown section */
                                "nonsense\n"),         /* 14 */
                 1);
    static const int lines[] = {2, 3, 5, 7, 8, 10, 11, 12, 13, 14};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        expect_line(lines[i]);
    cr_expect(reports() <= 12, "%s", output);
}

Test(cli, out_of_range)
{
    cr_assert_eq(run_with("-t", "[proxy]\ndrain_timeout = 100000m\nmax_clients = -1\n"
                                "[master mymaster]\nsentinels = $P.1\nhold_timeout = 0s\n"),
                 1);
    expect_line(2);
    expect_line(3);
    expect_line(6);
}

Test(cli, a_group_without_sentinels_or_no_group)
{
    cr_assert_eq(run_with("-t", "[master mymaster]\nhold_timeout = 20s\n"), 1);
    expect_line(1);
    cr_assert_eq(run_with("-t", "[proxy]\nlog = info\n"), 1);
    cr_expect(strstr(output, conf), "%s", output);
    cr_assert_eq(run_with("-t", ""), 1);
    cr_expect(strstr(output, conf), "%s", output);
}

Test(cli, secrets_from_environment_and_files)
{
    char path[96], text[512];
    setenv("TEST_AUTH", "from-the-environment", 1);
    cr_assert_eq(run_with("-t", GOOD "[master other]\nsentinels = $P.2\npassword = ${TEST_AUTH}\n"),
                 0, "%s", output);
    snprintf(path, sizeof(path), "%s/secret", scratch.dir);
    cr_assert(file_write(path, "from-a-file\n") == 0);
    snprintf(text, sizeof(text), GOOD "[master other]\nsentinels = a\npassword_file = %s\n", path);
    cr_assert_eq(run_with("-t", text), 0, "%s", output);
    snprintf(text, sizeof(text), GOOD "[master other]\nsentinels = a\npassword_file = %s.gone\n",
             path);
    cr_assert_eq(run_with("-t", text), 1);
    expect_line(10);
    /* an error never shows the secret itself */
    cr_assert_eq(run_with("-t", GOOD "[master other]\nsentinels = a\npassword = x\npassword = "
                                     "very-visible\nnosuch = 1\n"),
                 1);
    cr_expect(!strstr(output, "very-visible"), "%s", output);
}

/* The reference configuration is a working one. */
Test(cli, the_reference_passes)
{
    const char *program = proxy_program();
    char path[4096];
    snprintf(path, sizeof(path), "%s", program);
    for (char *cut; (cut = strrchr(path, '/')); *cut = '\0') {
        char file[4200];
        snprintf(file, sizeof(file), "%.*s/conf/proxy.conf", (int)(cut - path), path);
        if (access(file, R_OK) != 0)
            continue;
        setenv("AUTH", "a", 0);
        setenv("SENTINELAUTH", "b", 0);
        cr_assert_eq(proxy_run((const char *[]){"-t", "-c", file, NULL}, output, sizeof(output)), 0,
                     "%s", output);
        return;
    }
    cr_assert_eq(
        proxy_run((const char *[]){"-t", "-c", "conf/proxy.conf", NULL}, output, sizeof(output)), 0,
        "%s", output);
}
