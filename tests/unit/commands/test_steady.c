/*
 * The data path in its steady state allocates nothing: whatever a request and its answer need was kept
 * from those before. Counted by a malloc() of this program's own.
 */
#include "unit/session_stage.h"

static size_t allocations;

#ifdef __SANITIZE_ADDRESS__
#define COUNTS false /* its own malloc() comes first */
#else
#define COUNTS true
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}
#endif

enum { WARM_UP = 20, ROUNDS = 100 };

static struct request_text {
    char *bytes;
    size_t len;
} pipeline(int commands, size_t value_len)
{
    struct request_text text = {calloc(1, (value_len + 64) * (size_t)commands), 0};
    for (int i = 0; i < commands; i++) {
        text.len += (size_t)sprintf(text.bytes + text.len, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n",
                                    value_len);
        memset(text.bytes + text.len, 'v', value_len);
        memcpy(text.bytes + text.len + value_len, "\r\n", 2);
        text.len += value_len + 2;
    }
    return text;
}

/* As node_hears_bytes(), without memory of its own. */
static void passes(struct stage *s, int fd, const char *bytes, size_t len)
{
    static char got[64 * 1024];
    size_t have = 0;
    cr_assert_leq(len, sizeof(got));
    while (have < len) {
        ssize_t n = -1;
        until((n = recv(fd, got + have, len - have, MSG_DONTWAIT)) != -1, world_turn(s->w));
        cr_assert_gt(n, 0);
        have += (size_t)n;
    }
    cr_assert_eq(memcmp(got, bytes, len), 0);
}

/* How often memory was asked for, by ROUNDS pipelines of `commands` SETs that are answered with `reply`
 * each. */
static size_t allocations_of(int commands, size_t value_len, const char *reply)
{
    struct request_text text = pipeline(commands, value_len);
    char *answers = calloc((size_t)commands, strlen(reply) + 1);
    struct stage s;
    struct client c;
    size_t before = 0;
    int fd = -1;

    stage_begin(&s);
    c = client(&s);
    for (int i = 0; i < commands; i++)
        strcat(answers, reply);
    for (int i = 0; i < WARM_UP + ROUNDS; i++) {
        if (i == WARM_UP)
            before = allocations;
        node_says_bytes(c.fd, text.bytes, text.len);
        if (fd < 0)
            fd = admits(&s, 0, "master");
        passes(&s, fd, text.bytes, text.len);
        node_says(fd, answers);
        passes(&s, c.fd, answers, strlen(answers));
    }
    before = allocations - before;
    stage_end(&s);
    free(answers);
    free(text.bytes);
    return before;
}

Test(steady, short_requests_allocate_nothing)
{
    if (!COUNTS)
        cr_skip_test("malloc() is the sanitizer's");
    cr_expect_eq(allocations_of(1, 3, "+OK\r\n"), 0);
    cr_expect_eq(allocations_of(16, 3, "+OK\r\n"), 0);
}

Test(steady, longer_ones_allocate_nothing)
{
    if (!COUNTS)
        cr_skip_test("malloc() is the sanitizer's");
    cr_expect_eq(allocations_of(1, 500, "+OK\r\n"), 0);
    cr_expect_eq(allocations_of(4, 500, "+OK\r\n"), 0);
}
