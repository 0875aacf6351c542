/*
 * strangers_logins: passwords are guessed. Each guess needs a connection of its own at the node, and there are so many
 * of those in a second; who knows his password comes in all the same.
 */
#include "harness/client.h"
#include "harness/raw.h"
#include "harness/suite.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN "own-secret"

/* Without a bound one client opened 1,700 connections a second, guessers 5,800. */
enum { GUESSES = 4000, FOR_MS = 3000, ONE_MAX = 60, ALL_MAX = 1200, GUESSERS = 50 };

const struct suite suite = {.trio = {.min_replicas = 1, .password = OWN}};

static long connections(const struct shared *s)
{
    redisContext *node = trio_node(&s->trio, 0);
    long received = atol(info_field(node, "stats", "total_connections_received"));
    redisFree(node);
    return received;
}

/* One guess after the other, each on a connection of its own. */
struct guesser {
    int fd, guesses;
};

static void guess_on(const struct shared *s, struct guesser *g)
{
    char text[64];
    if (g->fd >= 0 && recv(g->fd, text, sizeof(text), MSG_DONTWAIT) < 0)
        return; /* it waits */
    if (g->fd >= 0)
        close(g->fd);
    g->fd = raw_open(s->proxy.host, PROXY_MASTER);
    snprintf(text, sizeof(text), "AUTH default guess-%p-%d\r\n", (void *)g, g->guesses++);
    (void)raw_send_text(g->fd, text);
}

/* Logs in while the others guess. Returns after how many ms it was in. */
static int64_t comes_in(const struct shared *s, struct guesser *guessers, const char *login)
{
    int64_t since = now_ms();
    redisContext *c = proxy_client(&s->proxy, PROXY_MASTER);
    say(c, login);
    say_now(c);
    while (!heard(c, 1) && now_ms() - since < 20000)
        for (int i = 0; i < GUESSERS; i++)
            guess_on(s, &guessers[i]);
    HEAR(c, "+OK");
    redisFree(c);
    return now_ms() - since;
}

/* What begins like this names another identity with each number behind it. */
static void one_client_opens_few(const char *begins)
{
    struct shared s = shared();
    char *all = malloc((size_t)GUESSES * 32);
    size_t len = 0;
    int fd = raw_open(s.proxy.host, PROXY_MASTER);
    long before = connections(&s);
    int64_t since = now_ms();

    for (int i = 1; i <= GUESSES; i++)
        len += (size_t)snprintf(all + len, 32, "%s%d\r\n", begins, i);
    for (size_t sent = 0; now_ms() - since < FOR_MS; pause_ms(1)) {
        ssize_t n = send(fd, all + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
    }
    long opened = connections(&s) - before;
    fprintf(stderr, "%s: %ld connections\n", begins, opened);
    cr_expect_leq(opened, ONE_MAX);
    close(fd);
    free(all);
}

Test(strangers_logins, one_client_that_guesses_passwords, .timeout = 60)
{
    one_client_opens_few("AUTH default x");
}

Test(strangers_logins, one_client_that_guesses_databases, .timeout = 60)
{
    one_client_opens_few("SELECT ");
}

Test(strangers_logins, guessers_open_few_and_others_come_in, .timeout = 120)
{
    struct shared s = shared();
    struct guesser guessers[GUESSERS];
    redisContext *node = trio_node(&s.trio, 0);
    int64_t worst = 0, since, known = 0;
    long before = connections(&s);

    EXPECT(node, "+OK", "ACL SETUSER newcomer on >new-secret ~* +@all");
    redisFree(node);
    for (int i = 0; i < GUESSERS; i++)
        guessers[i] = (struct guesser){.fd = -1};
    (void)comes_in(&s, guessers, "AUTH " OWN);
    for (since = now_ms(); now_ms() - since < FOR_MS; known++) {
        int64_t ms = comes_in(&s, guessers, "AUTH " OWN);
        if (ms > worst)
            worst = ms;
    }
    int64_t first = comes_in(&s, guessers, "AUTH newcomer new-secret");
    long opened = connections(&s) - before, guesses = 0;
    for (int i = 0; i < GUESSERS; i++) {
        guesses += guessers[i].guesses;
        close(guessers[i].fd);
    }
    fprintf(stderr,
            "%ld guesses, %ld connections, %d logins in %d ms at most, a new user's in %d ms\n",
            guesses, opened, (int)known, (int)worst, (int)first);
    cr_expect_leq(opened, ALL_MAX);
    cr_expect_leq(worst, 1000);
    cr_expect_leq(first, 10000);
}
