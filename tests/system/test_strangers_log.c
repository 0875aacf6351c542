/*
 * strangers_log: what strangers make the proxy log, and how fast that is read, is nobody else's business. With a
 * log that nobody reads all clients are served, and it ends when it is told to; a stranger who causes the same
 * line again and again gets some of them written, and a count.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STRANGERS = 3000, ANSWER_MS = 5000, END_MS = 10000, BURST = 100, RATE = 10 };

const struct suite suite = {.without_proxy = true, .trio = {.min_replicas = 1}};

#define STRANGER "an HTTP request on a Redis port was cut off"

/* One client after the other speaks HTTP to the Redis port: each is worth a line. */
static void strangers(const struct proxy *p, int number)
{
    for (int i = 0; i < number; i++) {
        int fd = raw_open(p->host, PROXY_MASTER);
        cr_assert_geq(fd, 0);
        raw_send_text(
            fd,
            "POST / HTTP/1.1\r\nHost: a-name-of-fifty-letters-which-makes-lines-longer\r\n\r\n");
        cr_assert(raw_ended(fd, ANSWER_MS), "stranger %d is not answered", i);
        close(fd);
    }
}

static int count(const char *text, const char *what)
{
    int found = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        found++;
    return found;
}

/* A proxy whose stderr is a pipe, which this program can read. */
struct piped {
    struct proxy proxy;
    int fd;
    char *text; /* what was read */
    size_t len;
};

static void start_piped(struct piped *p, const struct trio *trio)
{
    const struct proxy_options options = {.proxy_lines = "log = debug\n"};
    char fifo[128];
    *p = (struct piped){.text = calloc(1, 1)};
    cr_assert(proxy_start(&p->proxy, trio, &options) == 0); /* for its configuration's sake */
    cr_assert(proxy_stop(&p->proxy) == 0);
    snprintf(fifo, sizeof(fifo), "%s.pipe", p->proxy.log);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    p->fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(p->fd, 0);
    p->proxy.pid =
        process_start((const char *[]){proxy_program(), "-c", p->proxy.config, NULL}, fifo);
    cr_assert(proxy_wait_serving(&p->proxy, trio) == 0);
}

static void read_some(struct piped *p)
{
    ssize_t n;
    do {
        p->text = realloc(p->text, p->len + 65536 + 1);
        n = read(p->fd, p->text + p->len, 65536);
        p->len += n > 0 ? (size_t)n : 0;
        p->text[p->len] = '\0';
    } while (n > 0);
}

static void expect_end(struct piped *p)
{
    int status = 0;
    kill(p->proxy.pid, SIGTERM);
    cr_assert(process_ended(p->proxy.pid, END_MS, &status), "it does not end");
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    read_some(p);
    cr_expect_null(strstr(p->text, "Sanitizer"), "%s", p->text);
    close(p->fd);
    free(p->text);
}

/* A new client, and one that is there already, on each worker. */
static void expect_served(const struct piped *p, redisContext *const old[2])
{
    for (int i = 0; i < 2; i++) {
        redisContext *c = client_open_within(p->proxy.host, PROXY_MASTER, ANSWER_MS, ANSWER_MS);
        EXPECT(c, "+OK", "SET k v");
        EXPECT(old[i], "+OK", "SET k v");
        redisFree(c);
    }
}

Test(strangers_log, with_a_log_that_nobody_reads_everybody_is_served, .timeout = 120)
{
    struct shared s = {0};
    struct piped p;
    cr_assert(trio_attach(&s.trio) == 0);
    start_piped(&p, &s.trio);
    redisContext *old[2];
    for (int i = 0; i < 2; i++)
        old[i] = proxy_client_of(&p.proxy, PROXY_MASTER, i);
    strangers(&p.proxy, STRANGERS);
    expect_served(&p, old);
    cr_expect_gt(proxy_gauge(&p.proxy, "redisproxy_log_dropped_total", -1), 0);
    /* Somebody reads again. */
    cr_expect(wait_until(END_MS, (read_some(&p), strstr(p.text, "lines of the log were dropped"))));
    for (int i = 0; i < 2; i++)
        redisFree(old[i]);
    expect_end(&p);
}

Test(strangers_log, with_a_log_that_nobody_reads_it_ends_when_told_to, .timeout = 120)
{
    struct shared s = {0};
    struct piped p;
    cr_assert(trio_attach(&s.trio) == 0);
    start_piped(&p, &s.trio);
    strangers(&p.proxy, STRANGERS);
    expect_end(&p);
}

Test(strangers_log, the_last_line_is_there, .timeout = 60)
{
    struct shared s = {0};
    struct proxy p;
    cr_assert(trio_attach(&s.trio) == 0);
    cr_assert(proxy_start(&p, &s.trio, NULL) == 0);
    cr_expect(proxy_stop(&p) == 0);
    char *text = file_text(p.log), *last = strstr(text, "msg=\"redisproxy stopped\" code=0\n");
    cr_expect(last && !strchr(strchr(last, '\n') + 1, '\n'), "%s", text);
    free(text);
}

Test(strangers_log, the_same_line_again_and_again_is_written_some_times, .timeout = 120)
{
    struct shared s = {0};
    struct proxy p;
    cr_assert(trio_attach(&s.trio) == 0);
    cr_assert(proxy_start(&p, &s.trio, NULL) == 0);
    int64_t before = now_ms();
    strangers(&p, STRANGERS);
    int64_t seconds = (now_ms() - before) / 1000 + 1;
    long left_out = proxy_gauge(&p, "redisproxy_log_dropped_total", -1);
    cr_expect(proxy_stop(&p) == 0);
    char *text = file_text(p.log);
    int written = count(text, "msg=\"" STRANGER);
    cr_expect_geq(written, BURST);
    cr_expect_leq(written, BURST + seconds * RATE);
    cr_expect_eq(left_out, STRANGERS - written);
    cr_expect_not_null(strstr(text, "lines of one kind were left out of the log\" of=\"" STRANGER));
    cr_expect_leq(count(text, "lines of one kind were left out"), seconds + 2);
    free(text);
}
