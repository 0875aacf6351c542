/*
 * group: who may speak for a group. Sentinels are found under addresses; what counts is who answers
 * there.
 */
#include "base/log.h"
#include "topology/election_state.h"
#include "topology/group_state.h"
#include "unit/fake_sentinel.h"

#include <unistd.h>

struct town {
    uv_loop_t loop;
    struct names *names;
    struct group *group;
    struct topology_options options;
    struct endpoint configured[3];
    struct fake_sentinel s[5];
    bool closed;
};

static void nothing(void *owner)
{
    (void)owner;
}

static void group_gone(void *owner)
{
    struct town *t = owner;
    t->closed = true;
}

static void turn(struct town *t)
{
    uv_run(&t->loop, UV_RUN_ONCE);
}

static const struct group_callbacks group_callbacks = {
    .changed = nothing, .credential = nothing, .closed = group_gone};

static struct town *town_new(void)
{
    struct town *t = calloc(1, sizeof(*t));
    cr_assert_eq(uv_loop_init(&t->loop), 0);
    t->names = names_new(&t->loop, nothing, NULL);
    return t;
}

/* Opens the doors of the first `sentinels`; the first `configured` of them are. */
static void town_begin(struct town *t, size_t configured)
{
    for (size_t i = 0; i < configured; i++)
        t->configured[i] = t->s[i].at;
    t->options = (struct topology_options){.name = "g",
                                           .sentinels = t->configured,
                                           .sentinel_count = configured,
                                           .connect_timeout_ms = 1000,
                                           .settle_timeout_ms = 1000,
                                           .stale_reads_ms = -1,
                                           .replica_lag_ms = -1,
                                           .failover_assist_ms = -1};
    t->group = group_new(&t->loop, &t->options, t->names, &group_callbacks, t);
}

static void town_end(struct town *t)
{
    group_close(t->group);
    until(t->closed, turn(t));
    names_free(t->names);
    for (int i = 0; i < 5; i++)
        if (t->s[i].at.port)
            fake_end(&t->s[i]);
    loop_end(&t->loop);
    free(t);
}

static size_t electorate(const struct town *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->group->seat_count; i++)
        count += t->group->seats[i].reachable;
    return count;
}

Test(group, finds_the_sentinels_that_others_list)
{
    struct town *t = town_new();
    fake_begin(&t->s[0], &t->loop, "127.0.2.3", "one", "127.0.2.9");
    fake_begin(&t->s[1], &t->loop, "127.0.2.4", "two", "127.0.2.9");
    t->s[0].peers[0].peer = &t->s[1];
    t->s[0].peers[0].runid = "two";
    town_begin(t, 1);
    until(electorate(t) == 2, turn(t));
    cr_assert_eq(t->group->seat_count, 2);
    town_end(t);
}

/* The address of one that died was given to another group's: it must not bring its friends along. */
Test(group, a_stranger_on_a_listed_address_has_no_voice)
{
    struct town *t = town_new();
    fake_begin(&t->s[0], &t->loop, "127.0.2.3", "one", "127.0.2.9");
    fake_begin(&t->s[1], &t->loop, "127.0.2.4", "stranger", "127.0.2.50");
    fake_begin(&t->s[2], &t->loop, "127.0.2.5", "friend", "127.0.2.50");
    t->s[0].peers[0].peer = &t->s[1];
    t->s[0].peers[0].runid = "two";
    t->s[1].peers[0].peer = &t->s[2];
    t->s[1].peers[0].runid = "friend";
    town_begin(t, 1);
    until(t->s[1].calls == 2 && t->s[1].call[1].subscribed, turn(t));
    int64_t later = clock_ms() + 1500; /* a poll later */
    until(clock_ms() > later, turn(t));
    cr_assert_eq(t->s[2].calls, 0);
    cr_assert_eq(electorate(t), 1);
    cr_assert_eq(election_view(t->group->election)->node_count, 1); /* 127.0.2.9 */
    t->s[0].peers[0].runid = "stranger"; /* it has a new id, says the configured one, */
    t->s[0].peers[1].peer = &t->s[2];    /* and that it has a friend */
    t->s[0].peers[1].runid = "friend";
    until(electorate(t) == 3, turn(t));
    town_end(t);
}

static void lists(struct town *t, int sentinel, int at, int peer, const char *runid)
{
    t->s[sentinel].peers[at].peer = &t->s[peer];
    t->s[sentinel].peers[at].runid = runid;
}

static void three_are_configured(struct town *t, const char *third_names)
{
    static const char *const runids[] = {"one", "two", "three", "four", "five"};
    for (int i = 0; i < 5; i++) {
        char host[] = "127.0.2.x";
        host[8] = (char)('3' + i);
        fake_begin(&t->s[i], &t->loop, host, runids[i], i < 2 ? "127.0.2.9" : third_names);
    }
    lists(t, 0, 0, 1, "two");
    lists(t, 0, 1, 2, "three");
    lists(t, 1, 0, 0, "one");
    lists(t, 1, 1, 2, "three");
    lists(t, 2, 0, 0, "one");
    lists(t, 2, 1, 1, "two");
}

static const struct verdict *verdict_of(const struct town *t)
{
    return &((const struct election *)t->group->election)->verdict;
}

static size_t named(const struct town *t)
{
    const struct election_view *view = election_view(t->group->election);
    size_t count = 0;
    for (size_t i = 0; i < view->node_count; i++)
        count += view->nodes[i]->named;
    return count;
}

static void a_poll_later(struct town *t)
{
    int64_t later = clock_ms() + 1500;
    until(clock_ms() > later, turn(t));
}

/* One of the three lists friends of its own, and all of them name its master: together they would be a
 * majority. They are not even connected to, so no password is shown to them. */
Test(group, a_sentinel_that_only_one_of_three_lists_has_no_voice)
{
    struct town *t = town_new();
    three_are_configured(t, "127.0.2.50");
    lists(t, 2, 2, 3, "four");
    lists(t, 2, 3, 4, "five");
    town_begin(t, 3);
    until(electorate(t) == 3, turn(t));
    a_poll_later(t);
    cr_assert_eq(t->s[3].calls + t->s[4].calls, 0);
    cr_assert_eq(verdict_of(t)->electorate, 3);
    cr_assert_eq(verdict_of(t)->votes, 2);
    cr_assert(verdict_of(t)->majority);
    cr_assert_eq(named(t), 1); /* 127.0.2.9, not 127.0.2.50 */
    lists(t, 1, 2, 3, "four"); /* a second one says so */
    until(electorate(t) == 4, turn(t));
    a_poll_later(t);
    cr_assert_eq(t->s[4].calls, 0);
    town_end(t);
}

/* It takes the run id of one that is away, at an address that only a liar knows. */
Test(group, a_run_id_counts_only_where_a_majority_knows_it)
{
    struct town *t = town_new();
    three_are_configured(t, "127.0.2.50");
    t->s[3].runid[0] = "two";
    town_begin(t, 3);
    until(electorate(t) == 3, turn(t));
    fake_end(&t->s[1]);
    t->s[1].at.port = 0;
    lists(t, 2, 1, 3, "two");
    until(electorate(t) == 2, turn(t));
    a_poll_later(t);
    cr_assert_eq(t->s[3].calls, 0);
    lists(t, 0, 0, 3, "two"); /* it has moved, says another one too */
    until(electorate(t) == 3, turn(t));
    town_end(t);
}

static void ends(struct town *t, int sentinel)
{
    fake_end(&t->s[sentinel]);
    t->s[sentinel].at.port = 0;
}

/* Pods that come back with other addresses, one after the other: who has moved goes on to vouch, by its run
 * id, for the next one that moves. */
Test(group, who_has_moved_vouches_for_the_next_that_moves)
{
    struct town *t = town_new();
    three_are_configured(t, "127.0.2.9");
    t->s[3].runid[0] = "three";
    t->s[4].runid[0] = "two";
    town_begin(t, 3);
    until(electorate(t) == 3, turn(t));
    ends(t, 2);
    until(electorate(t) == 2, turn(t));
    lists(t, 0, 1, 3, "three");
    lists(t, 1, 1, 3, "three");
    until(electorate(t) == 3, turn(t));
    ends(t, 1);
    until(electorate(t) == 2, turn(t));
    lists(t, 0, 0, 4, "two");
    a_poll_later(t);
    cr_assert_eq(t->s[4].calls, 0); /* one of three says so */
    lists(t, 3, 0, 0, "one");
    lists(t, 3, 1, 4, "two");
    until(electorate(t) == 3, turn(t));
    cr_assert_eq(verdict_of(t)->electorate, 3);
    until(verdict_of(t)->votes == 3, turn(t));
    ends(t, 0);
    until(electorate(t) == 2, turn(t));
    a_poll_later(t);
    cr_assert_eq(verdict_of(t)->electorate, 3);
    cr_assert_eq(verdict_of(t)->votes, 2);
    cr_assert(verdict_of(t)->majority);
    town_end(t);
}

/* What a configured one said last counts while it is away. */
Test(group, a_sentinel_that_is_vouched_for_stays_when_a_configured_one_ends)
{
    struct town *t = town_new();
    three_are_configured(t, "127.0.2.9");
    lists(t, 0, 2, 3, "four");
    lists(t, 1, 2, 3, "four");
    town_begin(t, 3);
    until(electorate(t) == 4, turn(t));
    fake_end(&t->s[1]);
    t->s[1].at.port = 0;
    until(electorate(t) == 3, turn(t));
    a_poll_later(t);
    cr_assert_eq(electorate(t), 3);
    cr_assert_eq(t->group->seat_count, 4);
    cr_assert_eq(verdict_of(t)->electorate, 4);
    town_end(t);
}

/* Both connections of a seat are to one Sentinel, or the events of one would be taken for the
 * other's. */
Test(group, one_seat_is_one_sentinel)
{
    struct town *t = town_new();
    fake_begin(&t->s[0], &t->loop, "127.0.2.3", "one", "127.0.2.9");
    t->s[0].runid[1] = "two";
    t->s[0].runid[2] = "one";
    town_begin(t, 1);
    until(t->s[0].calls == 3 && t->s[0].call[2].subscribed, turn(t));
    until(!t->s[0].call[1].open, turn(t));
    cr_assert(t->s[0].call[0].open);
    town_end(t);
}

static void tells_events(struct town *t, int times)
{
    static const char event[] = "*3\r\n$7\r\nmessage\r\n$6\r\n+sdown\r\n"
                                "$25\r\nmaster g 127.0.2.9 6379  \r\n";
    for (int c = 0; c < t->s[0].calls; c++)
        for (int i = 0; i < times && t->s[0].call[c].subscribed; i++)
            fake_put(&t->s[0].call[c], event);
}

/* It is polled as ever, and its word counts. */
Test(group, a_sentinel_that_floods_events_is_heard_no_more_than_so_often)
{
    struct town *t = town_new();
    fake_begin(&t->s[0], &t->loop, "127.0.2.3", "one", "127.0.2.9");
    town_begin(t, 1);
    until(electorate(t) == 1 && t->s[0].calls == 2, turn(t));
    until(t->s[0].call[0].subscribed || t->s[0].call[1].subscribed, turn(t));
    log_set_level(LOG_ERROR);
    until(t->group->seats[0].events_dropped > 500, (tells_events(t, 50), turn(t)));
    cr_assert_eq(t->group->seats[0].events_left, 0);
    int polls = t->s[0].polls;
    until(t->s[0].polls > polls + 1, (tells_events(t, 50), turn(t)));
    cr_assert_eq(electorate(t), 1);
    until(t->group->seats[0].events_dropped == 0, (tells_events(t, 1), turn(t), usleep(20000)));
    town_end(t);
}
