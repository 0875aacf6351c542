/*
 * doctor: "redisproxy doctor" finds what is wrong with a real trio, and nothing with a good one.
 */
#include "harness/client.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct suite suite = {.trio = {.min_replicas = 1, .fast = true, .failover_timeout_ms = 15000},
                            .without_proxy = true};

static char output[32768];

/* Runs the doctor with these lines in [master NAME] beside the Sentinels. Returns its exit status. */
static int doctor(const struct trio *trio, const char *name, const char *lines, bool json)
{
    char path[128], text[2048];
    snprintf(path, sizeof(path), "%s/doctor.conf", trio->scratch.dir);
    snprintf(text, sizeof(text),
             "[master %s]\nsentinels = %s:26379, %s:26379, %s:26379\n%s[listen %s:6379]\n", name,
             trio->host[0], trio->host[1], trio->host[2], lines, trio->proxy_host);
    cr_assert_eq(file_write(path, text), 0);
    const char *as_text[] = {"doctor", "-c", path, NULL},
               *as_json[] = {"doctor", "-c", path, "--json", NULL};
    return proxy_run(json ? as_json : as_text, output, sizeof(output));
}

/* The same as a verb of ctl, on the file that doctor() has written. */
static int doctor_by_ctl(const struct trio *trio)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/doctor.conf", trio->scratch.dir);
    return proxy_run((const char *[]){"ctl", "-c", path, "doctor", NULL}, output, sizeof(output));
}

#define FINDS(what) cr_expect(strstr(output, what), "not found: %s\nin: %s", what, output)

static struct trio attached(void)
{
    struct trio trio;
    cr_assert_eq(trio_attach(&trio), 0);
    return trio;
}

Test(doctor, nothing_is_wrong_with_a_good_group, .timeout = 60)
{
    struct trio trio = attached();
    cr_assert_eq(doctor(&trio, TRIO_GROUP, "", false), 0, "%s", output);
    FINDS("group mymaster: nothing is wrong");
    cr_assert_eq(doctor(&trio, TRIO_GROUP, "", true), 0);
    FINDS("\"findings\":\t[]");
}

Test(doctor, a_name_that_no_sentinel_knows, .timeout = 60)
{
    struct trio trio = attached();
    cr_assert_eq(doctor(&trio, "MyMaster", "", false), 1);
    FINDS("knows no master named MyMaster");
    FINDS("it knows: mymaster");
}

/* No proxy runs: it needs none, only the file. */
Test(doctor, as_a_verb_of_ctl, .timeout = 60)
{
    struct trio trio = attached();
    cr_assert_eq(doctor(&trio, TRIO_GROUP, "", false), 0);
    cr_expect_eq(doctor_by_ctl(&trio), 0, "%s", output);
    FINDS("group mymaster: nothing is wrong");
    cr_assert_eq(doctor(&trio, TRIO_GROUP, "hold_timeout = 2s\n", false), 1);
    cr_expect_eq(doctor_by_ctl(&trio), 1, "%s", output);
    FINDS("hold_timeout is 2000 ms, and a crash takes down-after-milliseconds");
    cr_expect_eq(proxy_run((const char *[]){"ctl", "doctor", NULL}, output, sizeof(output)), 1);
    FINDS("-c");
}

Test(doctor, passwords, .timeout = 60)
{
    struct trio trio = attached();
    redisContext *c = trio_node(&trio, trio_master(&trio));
    EXPECT(c, "+OK", "CONFIG SET requirepass secret-1");
    cr_expect_eq(doctor(&trio, TRIO_GROUP, "", false), 1);
    FINDS("does not let the proxy in: NOAUTH");
    cr_expect_eq(doctor(&trio, TRIO_GROUP, "password = secret-2\n", false), 1);
    FINDS("does not let the proxy in: WRONGPASS");
    cr_expect_not(strstr(output, "secret"), "%s", output);
    cr_expect_eq(doctor(&trio, TRIO_GROUP, "password = secret-1\n", false), 0, "%s", output);
    EXPECT(c, "+OK", "CONFIG SET requirepass %s", "");
    redisFree(c);
}

/* `command` is undone by `undo`, whatever the doctor says. */
static void finds_after(const char *command, const char *undo, const char *lines, const char *what)
{
    struct trio trio = attached();
    cr_assert(trio_tell_all(&trio, command));
    int status = doctor(&trio, TRIO_GROUP, lines, false);
    cr_assert(trio_tell_all(&trio, undo));
    cr_expect_eq(status, 1, "%s", output);
    FINDS(what);
}

Test(doctor, min_replicas, .timeout = 60)
{
    finds_after(
        "CONFIG SET min-replicas-to-write 3", "CONFIG SET min-replicas-to-write 1", "",
        "min-replicas-to-write is 3, and the master has 2 replicas: every write is refused");
    finds_after("CONFIG SET min-replicas-to-write 0", "CONFIG SET min-replicas-to-write 1", "",
                "goes on acknowledging writes that will be lost");
}

Test(doctor, what_a_diskless_delay_costs, .timeout = 60)
{
    struct trio trio = attached();
    finds_after("CONFIG SET repl-diskless-sync-delay 5", "CONFIG SET repl-diskless-sync-delay 0",
                "fence = no\n", "stops writes for about 6 s with fence = no");
    cr_assert(trio_tell_all(&trio, "CONFIG SET repl-diskless-sync-delay 5"));
    cr_expect_eq(doctor(&trio, TRIO_GROUP, "", false), 0);
    cr_assert(trio_tell_all(&trio, "CONFIG SET repl-diskless-sync-delay 0"));
    FINDS("note ");
}

Test(doctor, rights, .timeout = 60)
{
    struct trio trio = attached();
    cr_assert(trio_tell_all(&trio, "ACL SETUSER proxy on >pw ~* +role +info +ping +command +acl "
                                   "+config|get +client"));
    cr_expect_eq(
        doctor(&trio, TRIO_GROUP, "username = proxy\npassword = pw\ndemote = yes\n", false), 1);
    FINDS("the user proxy may not MONITOR at ");
    FINDS("the user proxy may not REPLICAOF");
    cr_expect_not(strstr(output, "may not CLIENT PAUSE"), "%s", output);
}

Test(doctor, a_timeout_that_a_crash_outlasts, .timeout = 60)
{
    struct trio trio = attached();
    cr_expect_eq(doctor(&trio, TRIO_GROUP, "hold_timeout = 2s\n", false), 1);
    FINDS("hold_timeout is 2000 ms, and a crash takes down-after-milliseconds");
}

Test(doctor, a_quorum_that_cannot_be_reached, .timeout = 60)
{
    struct trio trio = attached();
    trio_tell_sentinels(&trio, "SENTINEL SET mymaster quorum 4");
    int status = doctor(&trio, TRIO_GROUP, "", false);
    trio_tell_sentinels(&trio, "SENTINEL SET mymaster quorum 2");
    cr_expect_eq(status, 1);
    FINDS("the quorum of 4 can never be reached: there are 3 Sentinels");
}

Test(doctor, wrong_command_lines)
{
    cr_expect_eq(proxy_run((const char *[]){"doctor", NULL}, output, sizeof(output)), 2);
    FINDS("usage: redisproxy doctor");
    cr_expect_eq(
        proxy_run((const char *[]){"doctor", "-c", "/nowhere.conf", NULL}, output, sizeof(output)),
        2);
    cr_expect_eq(proxy_run((const char *[]){"doctor", "--help", NULL}, output, sizeof(output)), 0);
}
