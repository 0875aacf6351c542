/*
 * keyring: a password's file is read again when a server refused what it held, at most once a
 * second; what is there in between, or is of no use, changes nothing; each piece of news is one
 * line in the log.
 */
#include "topology/keyring.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODE "127.0.0.1:6379"
#define WRONGPASS "WRONGPASS invalid username-password pair or user is disabled."

/* A folder of its own, as a Kubernetes volume is one. */
static char dir[64], path[80], line[4096];
static int woken, saved, ends[2];

static void write_file(const char *name, const char *text)
{
    char full[128];
    snprintf(full, sizeof(full), "%s/%s", dir, name);
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void wake(void *arg)
{
    cr_assert_eq(arg, &woken);
    woken++;
}

static void capture(void)
{
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static const char *captured(void)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    cr_assert_null(strstr(line, "first") ? strstr(line, "first") : strstr(line, "second"),
                   "no password is logged: %s", line);
    return line;
}

static void begin(struct keyring *k)
{
    snprintf(dir, sizeof(dir), "/tmp/redisproxy-keyring-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/password", dir);
    write_file("password", "first\n");
    struct credential_owner owner = {"mymaster", path, wake, &woken};
    keyring_open(k, &owner, "proxy", "first");
    cr_assert_str_eq(keyring_current(k)->password, "first");
    cr_assert_str_eq(keyring_current(k)->username, "proxy");
    cr_assert_not(keyring_look(k, 0), "nobody has refused it");
}

static void end(struct keyring *k)
{
    char command[128];
    keyring_close(k);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

static void is_refused(struct keyring *k)
{
    credential_refuse(keyring_current(k), NODE, WRONGPASS);
}

Test(keyring, a_refused_password_is_read_again)
{
    struct keyring k;
    begin(&k);
    write_file("password", "second\r\n");
    cr_assert_not(keyring_look(&k, 1000), "nobody has refused it");
    is_refused(&k);
    cr_assert_eq(woken, 1);
    cr_assert(keyring_look(&k, 1000));
    cr_assert_str_eq(keyring_current(&k)->password, "second");
    cr_assert_eq(keyring_current(&k)->password_len, 6);
    cr_assert_str_eq(keyring_current(&k)->username, "proxy");
    cr_assert_not(keyring_look(&k, 5000));
    end(&k);
}

Test(keyring, the_file_is_read_once_a_second)
{
    struct keyring k;
    begin(&k);
    is_refused(&k);
    cr_assert_not(keyring_look(&k, 1000), "it holds the same");
    write_file("password", "second");
    cr_assert_not(keyring_look(&k, 3000), "nobody has refused it since");
    is_refused(&k);
    is_refused(&k);
    cr_assert_eq(woken, 2, "once for each reading");
    cr_assert_not(keyring_look(&k, 1000 + KEYRING_READ_MS - 1));
    cr_assert(keyring_look(&k, 1000 + KEYRING_READ_MS), "it stayed refused until its time");
    end(&k);
}

Test(keyring, a_symbolic_link_may_be_swapped)
{
    struct keyring k;
    char data[96], next[96];
    begin(&k);
    snprintf(data, sizeof(data), "%s/..data", dir);
    snprintf(next, sizeof(next), "%s/..next", dir);
    write_file("one", "first");
    write_file("two", "second");
    cr_assert_eq(symlink("one", data), 0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink("..data", path), 0);
    is_refused(&k);
    cr_assert_not(keyring_look(&k, 1000));
    cr_assert_eq(symlink("two", next), 0);
    cr_assert_eq(rename(next, data), 0);
    is_refused(&k);
    cr_assert(keyring_look(&k, 2000));
    cr_assert_str_eq(keyring_current(&k)->password, "second");
    end(&k);
}

Test(keyring, a_file_of_no_use_changes_nothing_and_is_told_of_once)
{
    struct keyring k;
    begin(&k);
    const struct credential *before = keyring_current(&k);
    is_refused(&k);
    write_file("password", "\n");
    capture();
    cr_assert_not(keyring_look(&k, 1000));
    is_refused(&k);
    cr_assert_not(keyring_look(&k, 2000));
    const char *said = strstr(captured(), "level=warn msg=\"a password's file is of no use");
    cr_assert_not_null(said, "%s", line);
    cr_assert_not_null(strstr(said, "is empty"), "%s", line);
    cr_assert_null(strchr(strchr(said, '\n') + 1, '\n'), "%s", line);
    cr_assert_eq(unlink(path), 0);
    is_refused(&k);
    cr_assert_not(keyring_look(&k, 3000));
    cr_assert_eq(keyring_current(&k), before);
    write_file("password", "second");
    is_refused(&k);
    cr_assert(keyring_look(&k, 4000));
    end(&k);
}

/* Nobody writes to it: opening one must not wait for that. */
Test(keyring, a_fifo_does_not_stop_it, .timeout = 10)
{
    struct keyring k;
    begin(&k);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    is_refused(&k);
    cr_assert_not(keyring_look(&k, 1000));
    end(&k);
}

Test(keyring, refusal_and_acceptance_are_a_line_each)
{
    struct keyring k;
    begin(&k);
    capture();
    is_refused(&k);
    is_refused(&k);
    const char *said = captured();
    cr_assert_not_null(strstr(said, "level=warn msg=\"the proxy's own password is refused"));
    cr_assert_not_null(strstr(said, "group=mymaster by=" NODE " error=\"WRONGPASS"), "%s", said);
    cr_assert_null(strchr(strchr(said, '\n') + 1, '\n'), "%s", said);
    write_file("password", "second");
    capture();
    cr_assert(keyring_look(&k, 1000));
    cr_assert_not(keyring_look(&k, 1001));
    cr_assert_str_eq(captured(), "", "nobody has accepted it yet");
    woken = 0;
    credential_accept(keyring_current(&k));
    credential_accept(keyring_current(&k));
    cr_assert_eq(woken, 1);
    capture();
    cr_assert_not(keyring_look(&k, 1002));
    cr_assert_not(keyring_look(&k, 1003));
    said = captured();
    cr_assert_not_null(strstr(said, "level=info msg=\"a new password was read and accepted\""));
    cr_assert_null(strchr(strchr(said, '\n') + 1, '\n'), "%s", said);
    end(&k);
}

Test(keyring, without_a_file_nothing_can_be_read_again)
{
    struct keyring k;
    struct credential_owner owner = {"mymaster", NULL, wake, &woken};
    keyring_open(&k, &owner, NULL, "first");
    capture();
    is_refused(&k);
    cr_assert_not_null(strstr(captured(), "change it and reload"), "%s", line);
    cr_assert_not(keyring_look(&k, 1000));
    keyring_close(&k);
    keyring_open(&k, &owner, NULL, NULL);
    cr_assert_null(keyring_current(&k));
    cr_assert_not(keyring_look(&k, 1000));
    keyring_close(&k);
}

Test(keyring, what_a_server_says_to_auth)
{
    cr_assert(credential_is_refusal(WRONGPASS));
    cr_assert(credential_is_refusal("NOAUTH Authentication required."));
    cr_assert_not(credential_is_refusal("ERR max number of clients reached"));
    cr_assert_not(credential_is_refusal("LOADING Redis is loading the dataset in memory"));
    cr_assert(credential_is_needless("ERR AUTH <password> called without any password configured "
                                     "for the default user. Are you sure?"));
    cr_assert_not(credential_is_needless(WRONGPASS));
    credential_refuse(NULL, NODE, WRONGPASS);
    credential_accept(NULL);
}

/* ---- other threads ---- */

#define ROUNDS 20000

static void *hold_and_release(void *arg)
{
    struct credential *credential = arg;
    for (int i = 0; i < ROUNDS; i++)
        credential_release(credential_retain(credential));
    credential_release(credential);
    return NULL;
}

Test(keyring, an_old_credential_lives_as_long_as_somebody_holds_it)
{
    struct keyring k;
    pthread_t threads[2];
    begin(&k);
    struct credential *old = credential_retain(keyring_current(&k));
    write_file("password", "second");
    is_refused(&k);
    cr_assert(keyring_look(&k, 1000));
    cr_assert_str_eq(old->password, "first");
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, hold_and_release, credential_retain(old));
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(atomic_load(&old->refs), 1);
    credential_release(old);
    end(&k);
}

/* ---- the configuration was changed ---- */

Test(keyring, another_configuration_is_another_credential)
{
    struct keyring k;
    begin(&k);
    struct credential *first = credential_retain(keyring_current(&k));
    cr_assert_not(keyring_change(&k, path, "proxy", "first"), "nothing is different");
    cr_assert_eq(keyring_current(&k), first);
    cr_assert(keyring_change(&k, path, "proxy", "second"));
    cr_assert_str_eq(keyring_current(&k)->password, "second");
    cr_assert(keyring_change(&k, path, NULL, "second"), "another user");
    cr_assert_null(keyring_current(&k)->username);
    cr_assert(keyring_change(&k, NULL, NULL, "second"), "no file any more");
    cr_assert_null(keyring_current(&k)->owner.file);
    cr_assert(keyring_change(&k, NULL, NULL, NULL), "none at all");
    cr_assert_null(keyring_current(&k));
    cr_assert_not(keyring_change(&k, NULL, NULL, NULL));
    cr_assert(keyring_change(&k, path, "proxy", "first"), "and one again");
    cr_assert_str_eq(first->username, "proxy", "who holds the old one keeps what it says");
    cr_assert_str_eq(first->owner.file, path);
    credential_release(first);
    end(&k);
}

Test(keyring, another_file_is_read_from_then_on)
{
    struct keyring k;
    char other[96];
    begin(&k);
    snprintf(other, sizeof(other), "%s/other", dir);
    write_file("other", "second\n");
    cr_assert(keyring_change(&k, other, "proxy", "third"));
    is_refused(&k);
    cr_assert(keyring_look(&k, 1000));
    cr_assert_str_eq(keyring_current(&k)->password, "second");
    end(&k);
}
