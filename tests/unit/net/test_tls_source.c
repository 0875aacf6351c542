/*
 * tls_source: when it is told that certificates end, and that nothing is told twice. (That files are read anew when they change
 * is in tests/system/test_tls.c.)
 */
#include "net/tls_source.h"

#include "certificates.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MINUTE 60L
#define DAY (24 * 60 * MINUTE)

static char folder[] = "/tmp/redisproxy-tls-XXXXXX";
static struct certificate ca;

static char cert[64], key[64], authorities[64], fresh[64];

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    snprintf(cert, sizeof(cert), "%s/tls.crt", folder);
    snprintf(key, sizeof(key), "%s/tls.key", folder);
    snprintf(authorities, sizeof(authorities), "%s/ca.crt", folder);
    snprintf(fresh, sizeof(fresh), "%s/new.crt", folder);
}

static void remove_folder(void)
{
    char command[160];
    certificate_free(&ca);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(tls_source, .init = make_folder, .fini = remove_folder, .timeout = 60);

static void write_ca(long ends_s)
{
    ca = certificate_make(
        &(struct certificate_wish){.cn = "ca", .authority = true, .ends_s = ends_s});
    certificate_write(folder, "ca.crt", &ca, NULL);
}

static void write_pair(long ends_s)
{
    struct certificate made = certificate_make(&(struct certificate_wish){
        .cn = "proxy", .issuer = &ca, .begins_s = -2 * DAY, .ends_s = ends_s});
    certificate_write(folder, "new.crt", &made, NULL);
    certificate_write_key(folder, "tls.key", &made);
    cr_assert_eq(rename(fresh, cert), 0); /* another file */
    certificate_free(&made);
}

static struct tls_source *open_source(void)
{
    char error[200] = "";
    struct tls_settings settings = {
        .side = TLS_SERVER, .verify = TLS_VERIFY_CA, .cert = cert, .key = key, .ca = authorities};
    struct tls_source *source = tls_source_new("listener x", &settings, error, sizeof(error));
    cr_assert(source, "%s", error);
    return source;
}

/* What is logged meanwhile. */
static char said[8192];
static int saved, ends[2];

static void listen_to_log(void)
{
    cr_assert_eq(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
}

/* Returns how many lines were. */
static int heard(void)
{
    int lines = 0;
    cr_assert_eq(write(ends[1], "\n", 1), 1); /* so that there is something to read */
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], said, sizeof(said) - 1);
    cr_assert_gt(n, 0);
    said[n - 1] = '\0';
    close(ends[0]);
    for (const char *at = said; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

static int warned_at(struct tls_source *source, long now_s)
{
    listen_to_log();
    tls_source_warn(source, now_s);
    return heard();
}

/* As the watching thread looks: again and again. */
static void play_minutes(struct tls_source *source, long from_s, long to_s)
{
    for (long at = from_s; at < to_s; at += MINUTE)
        tls_source_warn(source, at);
}

Test(tls_source, each_warning_is_given_once)
{
    static const struct {
        int before; /* days */
        const char *pairs;
    } warnings[] = {{30, "days=30 "}, {7, "days=7 "}, {1, "days=1 "}, {0, "days=0 "}};
    long now = (long)time(NULL), ends_s, at = now;
    write_ca(365 * DAY);
    write_pair(40 * DAY);
    struct tls_source *source = open_source();
    struct tls_context *context = tls_source_context(source);
    ends_s = (long)tls_context_cert_ends(context);
    tls_context_release(context);
    for (int i = 0; i < 4; i++) {
        long due = ends_s - warnings[i].before * DAY;
        listen_to_log();
        play_minutes(source, at, due);
        cr_expect_eq(heard(), 0, "%d days before: %s", warnings[i].before, said);
        cr_expect_eq(warned_at(source, due), 1, "%d days before: %s", warnings[i].before, said);
        cr_expect(strstr(said, warnings[i].pairs), "%s", said);
        cr_expect(strstr(said, i < 3 ? "a certificate ends soon" : "a certificate has ended"), "%s",
                  said);
        cr_expect(strstr(said, "of=\"listener x\" which=certificate "), "%s", said);
        at = due + MINUTE;
    }
    listen_to_log();
    play_minutes(source, at, at + 40 * DAY);
    cr_expect_eq(heard(), 0, "%s", said);
    tls_source_release(source);
}

/* Certificates that are found so near to their end: the nearest warning, and no other. */
Test(tls_source, one_that_is_near_its_end_is_told_at_once)
{
    static const struct {
        long ends_s;
        int lines;
        const char *text;
    } cases[] = {{31 * DAY, 0, ""},
                 {29 * DAY, 1, "ends soon"},
                 {6 * DAY, 1, "ends soon"},
                 {20 * 60 * MINUTE, 1, "ends soon"},
                 {-60 * MINUTE, 1, "has ended"}};
    write_ca(365 * DAY);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_pair(cases[i].ends_s);
        struct tls_source *source = open_source();
        long now = (long)time(NULL);
        cr_expect_eq(warned_at(source, now), cases[i].lines, "%ld: %s", cases[i].ends_s, said);
        cr_expect(strstr(said, cases[i].text), "%s", said);
        cr_expect_eq(warned_at(source, now + MINUTE), 0, "%ld: %s", cases[i].ends_s, said);
        tls_source_release(source);
    }
}

Test(tls_source, the_first_to_end_is_told_of)
{
    write_ca(5 * DAY);
    write_pair(25 * DAY);
    struct tls_source *source = open_source();
    cr_expect_eq(warned_at(source, (long)time(NULL)), 1);
    cr_expect(strstr(said, "which=ca "), "%s", said);
    tls_source_release(source);
}

Test(tls_source, a_new_one_is_warned_of_anew)
{
    long now = (long)time(NULL);
    write_ca(365 * DAY);
    write_pair(5 * DAY);
    struct tls_source *source = open_source();
    cr_expect_eq(warned_at(source, now), 1);
    write_pair(90 * DAY);
    cr_expect_not(tls_source_refresh(source, 0));
    cr_expect_eq(warned_at(source, now), 0, "%s", said);
    cr_expect_eq(warned_at(source, now + 61 * DAY), 1);
    tls_source_release(source);
}
