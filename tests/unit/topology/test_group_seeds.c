/*
 * group_seeds: a configured name that leads to several Sentinels. The resolver is the test's own, and answers at once; the
 * Sentinels are fakes on the test's loop.
 */
#include "topology/election_state.h"
#include "topology/group_state.h"
#include "unit/fake_sentinel.h"

#include "net/resolve.h"

#include <stdlib.h>

#define NAME "sentinels.test"

struct resolve {
    uv_timer_t timer;
    resolve_done *done;
    void *owner;
};

static struct town {
    uv_loop_t loop;
    struct names *names;
    struct group *group;
    struct topology_options options;
    struct endpoint configured;
    struct fake_sentinel s[3];
    struct address leads_to[4]; /* the name, now */
    size_t count;
    bool closed;
} town;

static void freed(uv_handle_t *handle)
{
    free(handle);
}

static void answer(uv_timer_t *timer)
{
    struct resolve *resolve = timer->data;
    resolve_done *done = resolve->done;
    uv_close((uv_handle_t *)timer, freed);
    if (done)
        done(resolve->owner, town.count ? 0 : UV_EAI_NONAME, town.leads_to, town.count);
}

struct resolve *resolve_start(uv_loop_t *loop, const struct endpoint *endpoint, resolve_done *done,
                              void *owner)
{
    struct resolve *resolve = calloc(1, sizeof(*resolve));
    cr_assert_str_eq(endpoint->host, NAME);
    resolve->done = done;
    resolve->owner = owner;
    uv_timer_init(loop, &resolve->timer);
    resolve->timer.data = resolve;
    uv_timer_start(&resolve->timer, answer, 0, 0);
    return resolve;
}

void resolve_cancel(struct resolve *resolve)
{
    resolve->done = NULL;
}

static void nothing(void *owner)
{
    (void)owner;
}

static void name_changed(void *owner)
{
    (void)owner;
    if (town.group)
        group_ask_all(town.group);
}

static void gone(void *owner)
{
    (void)owner;
    town.closed = true;
}

static const struct group_callbacks callbacks = {
    .changed = nothing, .credential = nothing, .closed = gone};

static void turn(void)
{
    uv_run(&town.loop, UV_RUN_ONCE);
}

/* The name leads to these Sentinels (a number below 3), or to an address where nobody is (9). */
static void name_leads_to(const int *who, size_t count)
{
    town.count = count;
    for (size_t i = 0; i < count; i++) {
        const char *host = who[i] < 3 ? town.s[who[i]].at.host : "127.0.2.99";
        uint16_t port = who[i] < 3 ? town.s[who[i]].at.port : 1;
        cr_assert_eq(address_from_number(&town.leads_to[i], host, port), 0);
    }
}

static void begin(const int *who, size_t count)
{
    static const char *const runids[] = {"one", "two", "three"};
    town = (struct town){.closed = false};
    cr_assert_eq(uv_loop_init(&town.loop), 0);
    for (int i = 0; i < 3; i++) {
        char host[] = "127.0.2.x";
        host[8] = (char)('3' + i);
        fake_begin(&town.s[i], &town.loop, host, runids[i], "127.0.2.9");
    }
    snprintf(town.configured.host, sizeof(town.configured.host), NAME);
    town.configured.port = 26379; /* the fakes have others, which the resolver gives */
    name_leads_to(who, count);
    town.names = names_new(&town.loop, name_changed, NULL);
    town.options = (struct topology_options){.name = "g",
                                             .sentinels = &town.configured,
                                             .sentinel_count = 1,
                                             .connect_timeout_ms = 1000,
                                             .settle_timeout_ms = 1000,
                                             .stale_reads_ms = -1,
                                             .replica_lag_ms = -1,
                                             .failover_assist_ms = -1};
    town.group = group_new(&town.loop, &town.options, town.names, &callbacks, NULL);
}

static void end(void)
{
    group_close(town.group);
    until(town.closed, turn());
    names_free(town.names);
    for (int i = 0; i < 3; i++)
        if (town.s[i].at.port)
            fake_end(&town.s[i]);
    loop_end(&town.loop);
}

static size_t reachable(void)
{
    size_t count = 0;
    for (size_t i = 0; i < town.group->seat_count; i++)
        count += town.group->seats[i].reachable;
    return count;
}

static const struct verdict *verdict(void)
{
    return &((const struct election *)town.group->election)->verdict;
}

static void a_poll_later(void)
{
    int64_t later = clock_ms() + 1500;
    until(clock_ms() > later, turn());
}

Test(group_seeds, each_address_of_a_name_is_a_voice)
{
    begin((int[]){0, 1, 2}, 3);
    until(verdict()->votes == 3, turn());
    cr_assert_eq(town.group->seat_count, 3);
    cr_assert_eq(verdict()->electorate, 3);
    end();
}

/* Nobody is missed where nobody ever answered; and the name's own seat goes on to the next address. */
Test(group_seeds, a_dead_address_is_no_voice)
{
    begin((int[]){9, 1, 2}, 3);
    until(verdict()->votes == 2 && verdict()->electorate == 2, turn());
    cr_assert(verdict()->majority);
    end();
}

/* IPv4 and IPv6: one Sentinel, which keeps both seats. */
Test(group_seeds, one_sentinel_at_two_addresses_votes_once)
{
    begin((int[]){0, 1}, 2);
    town.s[1].runid[0] = "one";
    until(reachable() == 2, turn());
    a_poll_later();
    cr_assert_eq(town.group->seat_count, 2);
    cr_assert_eq(verdict()->electorate, 1);
    cr_assert_eq(verdict()->votes, 1);
    end();
}

/* One liar of three is outvoted, as if all three stood in the configuration. */
Test(group_seeds, what_one_address_lists_is_not_believed)
{
    begin((int[]){0, 1}, 2);
    town.s[0].peers[0].peer = &town.s[2];
    town.s[0].peers[0].runid = "three";
    until(reachable() == 2, turn());
    a_poll_later();
    cr_assert_eq(town.s[2].calls, 0);
    town.s[1].peers[0].peer = &town.s[2];
    town.s[1].peers[0].runid = "three";
    until(verdict()->votes == 3, turn());
    end();
}

/* The name is asked for again all the time. An address that it has lost is a seat that others may vouch for; one that
 * nobody ever was at goes at once. */
Test(group_seeds, follow_the_name)
{
    begin((int[]){0, 9}, 2);
    until(reachable() == 1 && town.group->seat_count == 2, turn());
    name_leads_to((int[]){0, 1}, 2);
    until(reachable() == 2, turn());
    cr_assert_eq(town.group->seat_count, 2, "127.0.2.99 is forgotten");
    name_leads_to((int[]){0, 2}, 2);
    until(reachable() == 3, turn());
    cr_assert_eq(verdict()->electorate, 3, "the second one was there a moment ago");
    end();
}

/* What answers as one Sentinel after the other has the voice of the one that is there; the others keep theirs. */
Test(group_seeds, another_sentinel_at_each_connect)
{
    begin((int[]){0}, 1);
    town.s[0].runid[2] = "two"; /* the third connection, and those that follow */
    for (int i = 1; i < 3; i++) {
        town.s[0].peers[i - 1].peer = &town.s[i];
        town.s[0].peers[i - 1].runid = i == 1 ? "two" : "three";
        town.s[i].peers[0].peer = &town.s[3 - i];
        town.s[i].peers[0].runid = i == 1 ? "three" : "two";
    }
    until(verdict()->votes == 3, turn());
    fake_hang_up(&town.s[0], 0);
    fake_hang_up(&town.s[0], 1);
    until(town.group->seats[0].several, turn());
    until(strcmp(town.group->seats[0].runid, "two") == 0 && town.group->seats[0].reachable, turn());
    a_poll_later();
    cr_assert_eq(town.group->seat_count, 3, "two has its own seat besides");
    cr_assert_eq(verdict()->votes, 2, "two and three");
    end();
}

static void says_itself(int who)
{
    town.s[who].master = "127.0.0.1";
}

/* It would be the proxy's own host. */
Test(group_seeds, a_master_on_a_sentinels_own_host_is_waited_for)
{
    begin((int[]){0}, 1);
    says_itself(0);
    until(reachable() == 1, turn());
    a_poll_later();
    cr_assert_eq(election_view(town.group->election)->node_count, 0);
    cr_assert(town.group->seats[0].vague);
    town.s[0].master = "127.0.2.9";
    until(election_view(town.group->election)->node_count == 1, turn());
    cr_assert_not(town.group->seats[0].vague);
    end();
}
