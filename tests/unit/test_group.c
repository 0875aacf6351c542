/*
 * group: who may speak for a group. Sentinels are found under addresses; what counts is who answers
 * there.
 */
#include "fake_sentinel.h"
#include "topology/group_state.h"

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
    t->s[0].peers[0].runid = "stranger"; /* it has a new id, say its peers */
    until(electorate(t) == 3, turn(t));
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
