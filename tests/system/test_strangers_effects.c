/*
 * strangers, effects: what a client asks for without having logged in changes nothing for others, and what one that has
 * logged in chooses as the names of its channels, or as its scripts, costs no more than other names would.
 *
 * The bounds are many times what it takes, and a fraction of what it took.
 */
#include "../unit/colliding.h"
#include "harness/client.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD "trio-secret"
#define NOAUTH "-NOAUTH Authentication required."
#define SHA_7 "bc70ae583496ef68242126e5f723b4224435af02" /* of return(7) */

const struct suite suite = {.trio = {.min_replicas = 1, .password = PASSWORD}};

static redisContext *known(const struct shared *s)
{
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    EXPECT(c, "+OK", "AUTH " PASSWORD);
    return c;
}

/* What the proxy has used of the processors, in ms. */
static long processor_ms(const struct proxy *proxy)
{
    char path[64], *text, *at;
    unsigned long user, system;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)proxy->pid);
    text = file_text(path);
    at = strrchr(text, ')');
    cr_assert(at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                           &system) == 2);
    free(text);
    return (long)((user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

/* ---- names that collide ---- */

enum { CHANNELS = 60000, SCRIPTS = 60000, BATCH = 500 };
/* Some 300 ms; with a hash that everybody can reckon more than ten times the bound. */
#define PROCESSOR_MS_MAX 3000

Test(strangers_effects, channels_that_collide_cost_what_others_do, .timeout = 300)
{
    struct shared s = shared();
    redisContext *c = known(&s);
    static char keys[CHANNELS][COLLIDING_LEN];
    const char **argv = calloc(CHANNELS + 1, sizeof(*argv));
    size_t *lengths = calloc(CHANNELS + 1, sizeof(*lengths));
    long before, taken;
    argv[0] = "SUBSCRIBE";
    lengths[0] = 9;
    for (unsigned i = 0; i < CHANNELS; i++) {
        colliding_key(i, keys[i]);
        argv[i + 1] = keys[i];
        lengths[i + 1] = COLLIDING_LEN;
    }
    before = processor_ms(&s.proxy);
    cr_assert_eq(redisAppendCommandArgv(c, CHANNELS + 1, argv, lengths), REDIS_OK);
    for (int i = 0; i < CHANNELS; i++)
        cr_assert_eq(strncmp(hear(c), "[subscribe, ", 12), 0);
    taken = processor_ms(&s.proxy) - before;
    printf("%d channels: %ld ms of the processor\n", CHANNELS, taken);
    cr_assert_lt(taken, PROCESSOR_MS_MAX * (proxy_sanitized() ? 4 : 1));
    redisFree(c);
    free(lengths);
    free(argv);
}

/* The node compiles none of them, but its user may have it try. */
Test(strangers_effects, scripts_that_collide_cost_what_others_do, .timeout = 300)
{
    struct shared s = shared();
    redisContext *c = known(&s);
    char key[COLLIDING_LEN];
    const char *argv[] = {"EVAL", key, "0"};
    const size_t lengths[] = {4, sizeof(key), 1};
    long before = processor_ms(&s.proxy), taken;
    for (unsigned i = 0; i < SCRIPTS; i++) {
        colliding_key(i, key);
        cr_assert_eq(redisAppendCommandArgv(c, 3, argv, lengths), REDIS_OK);
        for (int j = 0; i % BATCH == BATCH - 1 && j < BATCH; j++)
            (void)hear(c);
    }
    taken = processor_ms(&s.proxy) - before;
    printf("%d scripts: %ld ms of the processor\n", SCRIPTS, taken);
    cr_assert_lt(taken, 2 * PROCESSOR_MS_MAX * (proxy_sanitized() ? 4 : 1));
    redisFree(c);
}

/* ---- memory ---- */

/* The limit of a worker's store is 16 MB, with all that a text costs, and there are two. */
Test(strangers_effects, tiny_scripts_take_what_is_said, .timeout = 300)
{
    enum { TINY = 200000, MOST = 80 << 20 };
    struct shared s = shared();
    redisContext *c = known(&s);
    long before = proxy_memory(&s.proxy), taken;
    for (int i = 0; i < TINY; i++) {
        say(c, "EVAL %d 0", i);
        for (int j = 0; i % BATCH == BATCH - 1 && j < BATCH; j++)
            (void)hear(c);
    }
    taken = proxy_memory(&s.proxy) - before;
    printf("%d tiny scripts: %ld KB\n", TINY, taken / 1024);
    cr_assert(proxy_sanitized() || taken < MOST, "%ld", taken);
    redisFree(c);
}

Test(strangers_effects, nothing_is_kept_for_who_has_not_logged_in, .timeout = 300)
{
    enum { TINY = 50000, MOST = 10 << 20 };
    struct shared s = shared();
    redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
    EXPECT(c, NOAUTH, "EVAL return(9) 0");
    long before = proxy_memory(&s.proxy), taken;
    for (int i = 0; i < TINY; i++) {
        say(c, "EVAL '%d' 0", i);
        for (int j = 0; i % 10 == 9 && j < 10; j++)
            HEAR(c, NOAUTH);
    }
    taken = proxy_memory(&s.proxy) - before;
    printf("%d refused scripts: %ld KB\n", TINY, taken / 1024);
    cr_assert(proxy_sanitized() || taken < MOST, "%ld", taken);
    redisFree(c);
}

/* ---- effects ---- */

/* While a node is paused each write goes on a connection of its own: so their number shows it. */
Test(strangers_effects, a_pause_that_nobody_may_ask_for, .timeout = 60)
{
    enum { STRANGERS = 50, WRITERS = 30 };
    struct shared s = shared();
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio)), *w[WRITERS],
                 *strangers[STRANGERS];
    int before, after;
    for (int i = 0; i < WRITERS; i++) {
        w[i] = known(&s);
        EXPECT(w[i], "+OK", "SET strangers:%d 0", i);
    }
    for (int i = 0; i < STRANGERS; i++) { /* each worker has met one, and knows what he is told */
        redisContext *c = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(c, NOAUTH, "CLIENT PAUSE 1 WRITE");
        redisFree(c);
    }
    say(node, "DEBUG SLEEP 1"); /* so that nobody hears an answer before he is gone */
    say_now(node);
    for (int i = 0; i < STRANGERS; i++) {
        strangers[i] = proxy_client(&s.proxy, PROXY_MASTER);
        say(strangers[i], "CLIENT PAUSE 1000000 WRITE");
        say_now(strangers[i]);
    }
    cr_assert(
        wait_until(5000, proxy_gauge(&s.proxy, "redisproxy_sessions", -1) == WRITERS + STRANGERS));
    for (int i = 0; i < STRANGERS; i++)
        redisFree(strangers[i]);
    HEAR(node, "+OK");
    before = atoi(info_field(node, "clients", "connected_clients"));
    for (int round = 1; round <= 20; round++) {
        char wanted[16];
        snprintf(wanted, sizeof(wanted), ":%d", round);
        for (int i = 0; i < WRITERS; i++) {
            say(w[i], "INCR strangers:%d", i);
            say_now(w[i]);
        }
        for (int i = 0; i < WRITERS; i++)
            HEAR(w[i], wanted);
    }
    after = atoi(info_field(node, "clients", "connected_clients"));
    cr_assert_lt(after, before + 4, "%d connections, then %d", before, after);
    for (int i = 0; i < WRITERS; i++)
        redisFree(w[i]);
    redisFree(node);
}

/* The text is there when the node has lost it. */
Test(strangers_effects, a_flush_that_nobody_may_ask_for, .timeout = 60)
{
    struct shared s = shared();
    redisContext *c = known(&s);
    redisContext *node = trio_node(&s.trio, trio_master(&s.trio));
    EXPECT(c, ":7", "EVAL return(7) 0");
    for (int worker = 0; worker < proxy_workers(); worker++) {
        redisContext *stranger = proxy_client(&s.proxy, PROXY_MASTER);
        EXPECT(stranger, NOAUTH, "SCRIPT FLUSH");
        redisFree(stranger);
    }
    EXPECT(node, "+OK", "SCRIPT FLUSH");
    EXPECT_PREFIX(node, ":", "CLIENT KILL TYPE normal SKIPME yes"); /* as its restart does */
    EXPECT(c, ":7", "EVALSHA " SHA_7 " 0");
    EXPECT(c, "+OK", "SCRIPT FLUSH");
    EXPECT_PREFIX(c, "-NOSCRIPT", "EVALSHA " SHA_7 " 0");
    redisFree(node);
    redisFree(c);
}
