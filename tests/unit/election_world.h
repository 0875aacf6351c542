/*
 * election_world: three nodes, three Sentinels and a clock, for the tests of
 * the election. A, B, C are the nodes (A is master at first), 1, 2, 3 the Sentinels;
 * "rA" is the replication id that a group has under master A.
 */
#ifndef REDISPROXY_TESTS_ELECTION_WORLD_H
#define REDISPROXY_TESTS_ELECTION_WORLD_H

#include "topology/election.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct election *e;
static int64_t now;
static char story[8192];

static inline struct address at(char node)
{
    struct address address;
    char host[] = "127.0.0.x";
    host[8] = (char)('1' + node - 'A');
    cr_assert_eq(address_from_number(&address, host, 6379), 0);
    return address;
}

static inline void tell(void *arg, enum log_level level, const char *msg, const char *pairs)
{
    size_t len = strlen(story);
    (void)arg;
    if (level > LOG_DEBUG)
        snprintf(story + len, sizeof(story) - len, "%s %s\n", msg, pairs);
}

static inline struct election_options usual(void)
{
    return (struct election_options){.name = "g",
                                     .settle_timeout_ms = 10000,
                                     .stale_reads_ms = -1,
                                     .replica_lag_ms = -1,
                                     .quorum_timeout_ms = -1,
                                     .failover_assist_ms = -1};
}

static inline void begin_with(struct election_options options)
{
    options.story = tell;
    now = 1000000;
    story[0] = '\0';
    e = election_new(&options, now);
    election_sentinel_add(e, 1, true, "s1");
    election_sentinel_add(e, 2, true, "s2");
    election_sentinel_add(e, 3, true, "s3");
}

static inline void begin(bool eager, int64_t stale_reads_ms)
{
    struct election_options options = usual();
    options.eager = eager;
    options.stale_reads_ms = stale_reads_ms;
    begin_with(options);
}

static inline void end(void)
{
    election_free(e);
}

static inline const struct election_view *view(void)
{
    return election_view(e);
}

static inline void pass(int64_t ms)
{
    now += ms;
    election_tick(e, now);
}

static inline void says_step(int sentinel, uint64_t epoch, char master, enum failover_step step)
{
    struct sentinel_answer answer = {.known = true, .epoch = epoch, .step = step};
    answer.named = at(master);
    election_sentinel_answer(e, (uint64_t)sentinel, &answer, now, now);
}

static inline void says(int sentinel, uint64_t epoch, char master)
{
    says_step(sentinel, epoch, master, FAILOVER_NONE);
}

static inline void all_say(uint64_t epoch, char master)
{
    for (int i = 1; i <= 3; i++)
        says(i, epoch, master);
}

static inline void others_say(uint64_t epoch, char master)
{
    says(2, epoch, master);
    says(3, epoch, master);
}

static inline void event(int sentinel, enum election_event kind, char master, char subject)
{
    struct address m = at(master), s = subject ? at(subject) : (struct address){.len = 0};
    election_event(e, (uint64_t)sentinel, kind, &m, &s, now);
}

static inline void answer(char node, struct node_answer *answer, const char *replid,
                          const char *before)
{
    struct address address = at(node);
    snprintf(answer->replid[0], REPLID_SIZE, "%s", replid);
    snprintf(answer->replid[1], REPLID_SIZE, "%s", before);
    snprintf(answer->runid, RUNID_SIZE, "run%c", node);
    election_node_answer(e, &address, answer, now, now);
}

static inline void is_master(char node, const char *replid, const char *before, int missing)
{
    struct node_answer a = {.role = ROLE_MASTER, .good_replicas_missing = missing};
    answer(node, &a, replid, before);
}

static inline void is_replica(char node, char master, const char *replid, bool link)
{
    struct node_answer a = {.role = ROLE_REPLICA, .link_connected = link, .master = at(master)};
    answer(node, &a, replid, "");
}

static inline const struct election_node *node(char name)
{
    struct address address = at(name);
    for (size_t i = 0; i < view()->node_count; i++) {
        if (address_equal(&view()->nodes[i]->shown.address, &address))
            return view()->nodes[i];
    }
    return NULL;
}

static inline bool readable(char name)
{
    return node(name) && node(name)->shown.readable;
}

/* "-" no master, "A" writable, "a" held */
static inline const char *master(void)
{
    static char text[2];
    text[0] = '-';
    for (char c = 'A'; view()->master >= 0 && c <= 'D'; c++) {
        if (node(c) == view()->nodes[view()->master])
            text[0] = view()->writable ? c : (char)(c - 'A' + 'a');
    }
    return text;
}

static inline void expect(enum group_state state, const char *who)
{
    cr_assert_eq(view()->state, state, "state %s, expected %s; %s\n%s",
                 group_state_name(view()->state), group_state_name(state), view()->reason, story);
    cr_assert_str_eq(master(), who, "%s", story);
}

static inline void list_replicas(void)
{
    for (int c = 'A'; c <= 'C'; c++) {
        struct address address = at(c);
        for (uint64_t sentinel = 1; sentinel <= 3; sentinel++)
            election_sentinel_lists(e, sentinel, &address, NULL, now);
    }
}

static inline void steady_on_a(void)
{
    list_replicas();
    all_say(5, 'A');
    is_replica('B', 'A', "rA", true);
    is_replica('C', 'A', "rA", true);
    is_master('A', "rA", "", 0);
    expect(GROUP_STEADY, "A");
}

/* Up to the promotion of B, led by Sentinel 1. */
static inline void promote_b(void)
{
    pass(80);
    event(1, EVENT_ELECTED_LEADER, 'A', 0);
    expect(GROUP_SWITCHING, "a");
    pass(70);
    event(1, EVENT_SELECTED_REPLICA, 'A', 'B');
    cr_assert(!readable('B') && readable('C'));
    pass(50);
    event(1, EVENT_WAIT_PROMOTION, 'A', 0);
    expect(GROUP_SWITCHING, "-");
    pass(15);
    is_master('B', "rB", "rA", 1);
}

#endif
