/*
 * compare: see compare.h.
 */
#include "harness/compare.h"

#include "harness/client.h"
#include "harness/raw.h"
#include "harness/servers.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_MS = 5000 };

void compare_clean(const struct shared *s)
{
    struct trio trio = s->trio;
    int master;
    /* a node that is slow for a moment (a loaded machine) is asked again */
    cr_assert(wait_until(SEEN_MS, (master = trio_master(&trio)) >= 0), "no single master");
    redisContext *c = trio_node(&trio, master);
    EXPECT(c, "+OK", "FLUSHALL");
    if (servers_have(7, 0))
        EXPECT(c, "+OK", "FUNCTION FLUSH");
    EXPECT(c, "+OK", "SCRIPT FLUSH");
    redisFree(c);
}

/* HELLO's answer tells an id, which is another one here. */
static void mask_id(char *transcript)
{
    static const char key[] = "$2\r\nid\r\n:";
    for (char *at = transcript; at && (at = strstr(at, key));) {
        char *digits = at += sizeof(key) - 1;
        size_t len = strspn(digits, "0123456789");
        memmove(digits, digits + len, strlen(digits + len) + 1);
    }
}

static void compare(const struct shared *s, int port, const char *bytes, size_t len, size_t step,
                    bool closes)
{
    struct trio trio = s->trio;
    int master;
    compare_clean(s);
    cr_assert(wait_until(SEEN_MS, (master = trio_master(&trio)) >= 0), "no single master");
    char *wanted = raw_transcript(trio.host[master], TRIO_PORT, bytes, len, step, closes);
    compare_clean(s);
    char *got = raw_transcript(s->proxy.host, port, bytes, len, step, closes);
    mask_id(wanted);
    mask_id(got);
    cr_assert(wanted, "Redis gives no end to %s", raw_show(bytes, len));
    cr_expect(got && strcmp(got, wanted) == 0, "to %s%s\n  proxy: %s\n  Redis: %s",
              raw_show(bytes, len), step ? " (in pieces)" : "",
              got ? raw_show(got, strlen(got)) : "(no end)", raw_show(wanted, strlen(wanted)));
    free(got);
    free(wanted);
}

/* One line of a script as a multibulk request. */
static void put_multibulk(FILE *out, const char *line, size_t len)
{
    int words = 1;
    for (size_t i = 0; i < len; i++)
        words += line[i] == ' ';
    fprintf(out, "*%d\r\n", words);
    for (const char *at = line, *end = line + len; words > 0; words--) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        size_t n = (size_t)((space ? space : end) - at);
        fprintf(out, "$%zu\r\n%.*s\r\n", n, (int)n, at);
        at += n + 1;
    }
}

/* Redis 7.2 and newer do not answer an AUTH that fails when other replies are due; the proxy does. */
static bool is_left_out(const struct shared *s, const char *script)
{
    static const char late[] = "PING\r\nAUTH nobody x\r\nQUIT\r\n";
    struct trio trio = s->trio;
    if (!strstr(script, "AUTH ") || !(strstr(script, " wrong") || strstr(script, " nobody ")))
        return false;
    char *answer =
        raw_transcript(trio.host[trio_master(&trio)], TRIO_PORT, late, sizeof(late) - 1, 0, true);
    bool answered = answer && strstr(answer, "-WRONGPASS");
    free(answer);
    return !answered;
}

void compare_script(const struct shared *s, int port, const char *script, bool closes)
{
    if (is_left_out(s, script))
        return;
    char *in_line, *multi;
    size_t in_line_len, multi_len;
    FILE *a = open_memstream(&in_line, &in_line_len), *b = open_memstream(&multi, &multi_len);
    for (const char *line = script; *line;) {
        size_t len = strcspn(line, "\n");
        fprintf(a, "%.*s\r\n", (int)len, line);
        put_multibulk(b, line, len);
        line += len + (line[len] == '\n');
    }
    fclose(a);
    fclose(b);
    compare(s, port, in_line, in_line_len, 0, closes);
    compare(s, port, multi, multi_len, 0, closes);
    /* piecemeal, a write may be answered before the read behind it arrives: split then reads a
     * replica, which need not have it yet */
    if (port != PROXY_SPLIT)
        compare(s, port, multi, multi_len, 1, closes);
    free(in_line);
    free(multi);
}

void compare_pipeline(const struct shared *s, int port, const char *script)
{
    char *bytes;
    size_t len;
    FILE *out = open_memstream(&bytes, &len);
    for (const char *line = script; *line;) {
        size_t n = strcspn(line, "\n");
        put_multibulk(out, line, n);
        line += n + (line[n] == '\n');
    }
    fclose(out);
    compare(s, port, bytes, len, 0, true);
    compare(s, port, bytes, len, 1, true);
    free(bytes);
}

void compare_bytes(const struct shared *s, int port, const void *bytes, size_t len, bool closes)
{
    compare(s, port, bytes, len, 0, closes);
}
