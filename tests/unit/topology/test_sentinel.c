/*
 * sentinel: one watched Sentinel: what a poll reports, what the subscription passes on, when it is asked, and what becomes
 * of it when one of its two connections breaks, is refused, or falls silent.
 */
#include "topology/sentinel.h"
#include "unit/fake_sentinel.h"

#define MANY 70 /* more than a list holds */

struct scene {
    uv_loop_t loop;
    struct fake_sentinel server;
    struct sentinel *sentinel;
    struct credential *credential;
    int reports, events, losts, deafs, refusals, closes;
    int quorum; /* the last answer: 1 good, 0 not, -1 none yet */
    char channel[50], payload[50];
    struct sentinel_report report; /* the last one */
    bool poll_in_report;
    char other[RUNID_SIZE]; /* whoever answered on the subscription instead */
};

static void on_report(void *owner, struct sentinel *sentinel, const struct sentinel_report *report)
{
    struct scene *t = owner;
    t->reports++;
    t->report = *report;
    if (t->poll_in_report)
        sentinel_poll(sentinel);
    t->poll_in_report = false;
}

static void on_event(void *owner, struct sentinel *sentinel, const char *channel,
                     const char *payload)
{
    struct scene *t = owner;
    (void)sentinel;
    t->events++;
    snprintf(t->channel, sizeof(t->channel), "%s", channel);
    snprintf(t->payload, sizeof(t->payload), "%s", payload);
}

static void on_lost(void *owner, struct sentinel *sentinel)
{
    (void)sentinel;
    ((struct scene *)owner)->losts++;
}

static void on_deaf(void *owner, struct sentinel *sentinel)
{
    (void)sentinel;
    ((struct scene *)owner)->deafs++;
}

static void on_refused(void *owner, struct sentinel *sentinel)
{
    (void)sentinel;
    ((struct scene *)owner)->refusals++;
}

static void on_failed(void *owner, struct sentinel *sentinel)
{
    (void)owner;
    (void)sentinel;
}

static void on_quorum(void *owner, struct sentinel *sentinel, bool good)
{
    (void)sentinel;
    ((struct scene *)owner)->quorum = good;
}

static void on_closed(void *owner, struct sentinel *sentinel)
{
    (void)sentinel;
    ((struct scene *)owner)->closes++;
}

static void on_other(void *owner, struct sentinel *sentinel, const char *runid)
{
    struct scene *t = owner;
    (void)sentinel;
    snprintf(t->other, sizeof(t->other), "%s", runid);
}

static const struct sentinel_callbacks callbacks = {.report = on_report,
                                                    .event = on_event,
                                                    .lost = on_lost,
                                                    .deaf = on_deaf,
                                                    .refused = on_refused,
                                                    .failed = on_failed,
                                                    .quorum = on_quorum,
                                                    .other = on_other,
                                                    .closed = on_closed};

static void turn(struct scene *t)
{
    uv_run(&t->loop, UV_RUN_ONCE);
}

static struct scene *scene_new(void)
{
    struct scene *t = calloc(1, sizeof(*t));
    cr_assert_eq(uv_loop_init(&t->loop), 0);
    t->quorum = -1;
    fake_begin(&t->server, &t->loop, "127.0.2.3", "one", "127.0.2.9");
    return t;
}

static void watch(struct scene *t)
{
    struct sentinel_options options = {.endpoint = t->server.at,
                                       .group = "g",
                                       .credential = t->credential,
                                       .connect_timeout_ms = 1000,
                                       .callbacks = &callbacks,
                                       .owner = t};
    t->sentinel = sentinel_new(&t->loop, &options);
}

static int subscribed(const struct scene *t)
{
    for (int i = t->server.calls - 1; i >= 0; i--)
        if (t->server.call[i].open && t->server.call[i].subscribed)
            return i;
    return -1;
}

/* The connection on which it is asked. */
static int asked(const struct scene *t)
{
    for (int i = t->server.calls - 1; i >= 0; i--)
        if (t->server.call[i].open && !t->server.call[i].subscribed)
            return i;
    return -1;
}

/* Both connections stand, and nothing is under way: the poll of the one and that of the other have come. */
static struct scene *begin(void)
{
    struct scene *t = scene_new();
    watch(t);
    until(t->reports == 2 && subscribed(t) >= 0 && asked(t) >= 0, turn(t));
    return t;
}

static void end(struct scene *t)
{
    int heard = t->reports + t->events + t->losts + t->deafs + t->refusals;
    sentinel_close(t->sentinel);
    sentinel_close(t->sentinel);
    until(t->closes == 1, turn(t));
    cr_assert_eq(t->reports + t->events + t->losts + t->deafs + t->refusals, heard,
                 "nothing but its end is told");
    if (t->server.at.port)
        fake_end(&t->server);
    loop_end(&t->loop);
    cr_assert_eq(t->closes, 1);
    free(t);
}

/* ---- a poll ---- */

Test(sentinel, reports_what_a_poll_brings)
{
    struct scene *t = scene_new();
    t->server.says_master =
        "*10\r\n$12\r\nconfig-epoch\r\n$2\r\n17\r\n$16\r\nfailover-timeout\r\n$5\r\n60000\r\n"
        "$23\r\ndown-after-milliseconds\r\n$4\r\n5000\r\n$14\r\nfailover-state\r\n$14\r\n"
        "wait_promotion\r\n$4\r\nname\r\n$1\r\ng\r\n";
    t->server.says_replicas =
        "*3\r\n*4\r\n$2\r\nip\r\n$9\r\n127.0.2.7\r\n$4\r\nport\r\n$4\r\n6380\r\n"
        "*2\r\n$2\r\nip\r\n$9\r\n127.0.2.6\r\n" /* has no port */
        "*4\r\n$2\r\nip\r\n$9\r\n127.0.2.8\r\n$4\r\nport\r\n$4\r\n6381\r\n";
    t->server.says_peers = "*3\r\n*6\r\n$2\r\nip\r\n$9\r\n127.0.2.4\r\n$4\r\nport\r\n$"
                           "5\r\n26379\r\n$5\r\nrunid\r\n$3\r\n"
                           "two\r\n*6\r\n$2\r\nip\r\n$9\r\n127.0.2.5\r\n$4\r\nport\r\n$"
                           "5\r\n26379\r\n$5\r\nrunid\r\n$0\r\n"
                           "\r\n*4\r\n$2\r\nip\r\n$9\r\n127.0.2.5\r\n$4\r\nport\r\n$5\r\n26379\r\n";
    int64_t before = clock_ms();
    watch(t);
    cr_assert_eq(sentinel_address(t->sentinel)->len, 0);
    until(t->reports == 1, turn(t));
    const struct sentinel_report *r = &t->report;
    cr_assert(r->known);
    cr_assert_str_eq(r->named.host, "127.0.2.9");
    cr_assert_eq(r->named.port, 6379);
    cr_assert_eq(r->epoch, 17);
    cr_assert_eq(r->step, FAILOVER_WAIT_PROMOTION);
    cr_assert_eq(r->failover_timeout_ms, 60000);
    cr_assert_eq(r->down_after_ms, 5000);
    cr_assert_str_eq(r->runid, "one");
    cr_assert(r->asked_ms >= before - 1 && r->asked_ms <= clock_ms());
    cr_assert_eq(r->replica_count, 2);
    cr_assert_str_eq(r->replicas[0].host, "127.0.2.7");
    cr_assert_eq(r->replicas[1].port, 6381);
    cr_assert_eq(r->peer_count, 1);
    cr_assert_str_eq(r->peers[0].runid, "two");
    cr_assert_str_eq(r->peers[0].endpoint.host, "127.0.2.4");
    cr_assert_gt(sentinel_address(t->sentinel)->len, 0);
    end(t);
}

/* The next report says nothing of what the last one said. */
Test(sentinel, each_report_begins_anew)
{
    struct scene *t = scene_new();
    t->server.peers[0].peer = &t->server;
    t->server.peers[0].runid = "two";
    t->server.says_replicas =
        "*1\r\n*4\r\n$2\r\nip\r\n$9\r\n127.0.2.7\r\n$4\r\nport\r\n$4\r\n6380\r\n";
    watch(t);
    until(t->reports == 2, turn(t));
    cr_assert_eq(t->report.replica_count, 1);
    cr_assert_eq(t->report.peer_count, 1);
    t->server.says_master = "-ERR No such master with that name\r\n";
    t->server.says_address = "*-1\r\n";
    t->server.says_replicas = t->server.says_peers = "-ERR No such master with that name\r\n";
    sentinel_poll(t->sentinel);
    until(t->reports == 3, turn(t));
    cr_assert_not(t->report.known);
    cr_assert_eq(t->report.named.port, 0);
    cr_assert_eq(t->report.epoch, 0);
    cr_assert_eq(t->report.failover_timeout_ms, 0);
    cr_assert_eq(t->report.down_after_ms, 0);
    cr_assert_eq(t->report.replica_count + t->report.peer_count, 0);
    end(t);
}

Test(sentinel, without_an_address_it_does_not_know_the_master)
{
    struct scene *t = scene_new();
    t->server.says_address = "*-1\r\n";
    watch(t);
    until(t->reports == 1, turn(t));
    cr_assert_not(t->report.known);
    end(t);
}

static char *many(const char *one)
{
    char *text = calloc(MANY + 1, 200);
    sprintf(text, "*%d\r\n", MANY);
    for (int i = 0; i < MANY; i++)
        strcat(text, one);
    return text;
}

Test(sentinel, a_list_has_an_end)
{
    struct scene *t = scene_new();
    char *replicas = many("*4\r\n$2\r\nip\r\n$9\r\n127.0.2.7\r\n$4\r\nport\r\n$4\r\n6380\r\n");
    char *peers = many("*6\r\n$2\r\nip\r\n$9\r\n127.0.2.4\r\n$4\r\nport\r\n$5\r\n26379\r\n$5\r\n"
                       "runid\r\n$3\r\ntwo\r\n");
    t->server.says_replicas = replicas;
    t->server.says_peers = peers;
    watch(t);
    until(t->reports == 1, turn(t));
    cr_assert_eq(t->report.replica_count, SENTINEL_LIST_MAX);
    cr_assert_eq(t->report.peer_count, SENTINEL_LIST_MAX);
    cr_assert_str_eq(t->report.runid, "one");
    end(t);
    free(replicas);
    free(peers);
}

/* ---- when it is asked ---- */

Test(sentinel, a_poll_that_is_wanted_meanwhile_follows_at_once_and_once)
{
    struct scene *t = begin();
    int polls = t->server.polls;
    sentinel_poll(t->sentinel);
    sentinel_poll(t->sentinel);
    sentinel_poll(t->sentinel);
    until(t->reports == 4, turn(t));
    cr_assert_eq(t->server.polls, polls + 2);
    t->poll_in_report = true; /* who polls in its report has it done then */
    sentinel_poll(t->sentinel);
    sentinel_poll(t->sentinel);
    until(t->reports == 6, turn(t));
    cr_assert_eq(t->server.polls, polls + 4);
    end(t);
}

/* Timers are never early: so many polls need so much time at least, and a calm one's much more. */
Test(sentinel, is_polled_every_second_and_ten_times_when_it_is_urgent)
{
    struct scene *t = begin();
    int polls = t->server.polls, pings = t->server.pings;
    int64_t began = clock_ms();
    until(t->server.polls >= polls + 2, turn(t));
    cr_assert_geq(clock_ms() - began, 990);
    cr_assert_gt(t->server.pings, pings, "the subscription is asked for a sign of life");
    sentinel_set_urgent(t->sentinel, true);
    sentinel_set_urgent(t->sentinel, true);
    polls = t->server.polls;
    began = clock_ms();
    until(t->server.polls >= polls + 5, turn(t));
    int64_t took = clock_ms() - began;
    cr_assert(took >= 400 && took < 3000, "%lld ms", (long long)took);
    sentinel_set_urgent(t->sentinel, false);
    polls = t->server.polls;
    began = clock_ms();
    until(t->server.polls >= polls + 2, turn(t));
    cr_assert_geq(clock_ms() - began, 990);
    end(t);
}

Test(sentinel, is_asked_for_a_quorum_and_for_a_failover)
{
    struct scene *t = begin();
    t->server.says_quorum = "+OK 3 usable Sentinels\r\n";
    sentinel_ask_quorum(t->sentinel);
    until(t->quorum == 1, turn(t));
    cr_assert_str_eq(t->server.heard, "SENTINEL CKQUORUM g");
    t->server.says_quorum = "-NOQUORUM 1 usable Sentinels\r\n";
    sentinel_ask_quorum(t->sentinel);
    until(t->quorum == 0, turn(t));
    sentinel_ask_failover(t->sentinel);
    until(strcmp(t->server.heard, "SENTINEL FAILOVER g") == 0, turn(t));
    end(t);
}

/* ---- the subscription ---- */

static void publish(struct scene *t, const char *channel, const char *payload)
{
    char text[200];
    snprintf(text, sizeof(text), "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
             strlen(channel), channel, strlen(payload), payload);
    fake_put(&t->server.call[subscribed(t)], text);
}

Test(sentinel, passes_events_on)
{
    struct scene *t = begin();
    int reports = t->reports;
    publish(t, "+switch-master", "g 127.0.2.9 6379 127.0.2.8 6379");
    until(t->events == 1, turn(t));
    cr_assert_str_eq(t->channel, "+switch-master");
    cr_assert_str_eq(t->payload, "g 127.0.2.9 6379 127.0.2.8 6379");
    fake_put(&t->server.call[subscribed(t)], "*2\r\n$7\r\nmessage\r\n$5\r\n+tilt\r\n"
                                             "*0\r\n:1\r\n*1\r\n:1\r\n"
                                             "*3\r\n$8\r\npmessage\r\n$1\r\na\r\n$1\r\nb\r\n"
                                             "*3\r\n$7\r\nmessage\r\n$-1\r\n$1\r\nb\r\n");
    publish(t, "+tilt", "#tilt mode entered");
    until(t->events == 2, turn(t));
    cr_assert_str_eq(t->channel, "+tilt");
    cr_assert_leq(t->reports, reports + 2, "no poll but the timer's");
    cr_assert_eq(t->deafs, 0);
    end(t);
}

/* What happened before it stood is asked for; before all channels are confirmed it does not stand. */
Test(sentinel, a_subscription_that_stands_is_followed_by_a_poll)
{
    struct scene *t = scene_new();
    t->server.says_subscribe = "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n";
    watch(t);
    until(t->reports == 1, turn(t));
    int64_t until_ms = clock_ms() + 300; /* less than a second: no timer */
    until(clock_ms() >= until_ms, uv_run(&t->loop, UV_RUN_NOWAIT));
    cr_assert_eq(t->reports, 1);
    int last = t->server.calls - 1;
    cr_assert_eq(last, 1);
    for (int i = 0; i < 2; i++) /* whichever it is: an unasked answer does no harm to the other */
        fake_put(&t->server.call[i], "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:34\r\n");
    until(t->reports == 2, turn(t));
    end(t);
}

Test(sentinel, a_subscription_that_is_refused_is_tried_again)
{
    struct scene *t = scene_new();
    t->server.says_subscribe =
        "-NOPERM this user has no permissions to access one of the channels\r\n";
    watch(t);
    until(t->deafs == 2, turn(t));
    cr_assert_eq(t->losts, 0);
    t->server.says_subscribe = NULL;
    until(subscribed(t) >= 0, turn(t));
    end(t);
}

/* ---- two connections, one Sentinel ---- */

Test(sentinel, both_connections_must_be_to_the_same_one)
{
    struct scene *t = scene_new();
    t->server.runid[1] = "two";
    t->server.runid[2] = "one";
    watch(t);
    until(t->deafs == 1, turn(t));
    cr_assert(strcmp(t->other, "one") == 0 || strcmp(t->other, "two") == 0, "%s", t->other);
    until(subscribed(t) == 2, turn(t));
    int64_t later = clock_ms() + 200;
    until(clock_ms() > later, uv_run(&t->loop, UV_RUN_NOWAIT));
    cr_assert_eq(t->deafs, 1, "now they are");
    cr_assert_eq(t->losts, 0);
    end(t);
}

Test(sentinel, one_that_does_not_tell_who_it_is_is_taken_as_it_is)
{
    struct scene *t = scene_new();
    t->server.runid[0] = "";
    watch(t);
    until(t->reports == 2, turn(t));
    cr_assert_str_eq(t->report.runid, "");
    cr_assert_eq(t->deafs, 0);
    end(t);
}

/* ---- what breaks ---- */

Test(sentinel, a_broken_command_connection_is_told_and_comes_back)
{
    struct scene *t = begin();
    int reports = t->reports;
    fake_hang_up(&t->server, asked(t));
    until(t->losts == 1, turn(t));
    cr_assert_eq(t->deafs, 0);
    until(t->reports > reports, turn(t));
    cr_assert_eq(t->losts, 1);
    cr_assert_eq(t->refusals, 0);
    cr_assert_eq(t->server.calls, 3);
    end(t);
}

Test(sentinel, a_broken_subscription_is_told_and_comes_back)
{
    struct scene *t = begin();
    int reports = t->reports;
    fake_hang_up(&t->server, subscribed(t));
    until(t->deafs == 1, turn(t));
    until(subscribed(t) >= 0 && t->reports > reports, turn(t));
    cr_assert_eq(t->losts, 0);
    publish(t, "+tilt", "x");
    until(t->events == 1, turn(t));
    end(t);
}

/* A poll that a broken connection has swallowed does not stand in the way of the next. */
Test(sentinel, a_poll_that_was_not_answered_is_asked_anew)
{
    struct scene *t = begin();
    int reports = t->reports;
    t->server.silent = true;
    sentinel_poll(t->sentinel);
    until(t->server.polls >= reports + 1, turn(t));
    fake_hang_up(&t->server, asked(t));
    t->server.silent = false;
    until(t->reports > reports, turn(t));
    cr_assert_str_eq(t->report.runid, "one");
    end(t);
}

Test(sentinel, one_that_is_gone_refuses_and_is_tried_again_and_again)
{
    struct scene *t = begin();
    fake_end(&t->server);
    t->server.at.port = 0;
    until(t->losts == 1 && t->deafs == 1, turn(t));
    int64_t began = clock_ms();
    until(t->refusals >= 6, turn(t));
    int64_t took = clock_ms() - began;
    cr_assert(took >= 200 && took < 5000, "a refusal costs little: %lld ms", (long long)took);
    cr_assert_eq(t->losts, 1, "it was lost once");
    cr_assert_eq(t->deafs, 1);
    end(t);
}

static void wake(void *arg)
{
    (void)arg;
}

static const struct credential_owner owner = {.group = "g", .file = "/f", .wake = wake};

static int64_t four_calls(bool urgent)
{
    struct scene *t = scene_new();
    t->credential = credential_new(&owner, NULL, "pass", 4);
    t->server.says_auth = "-WRONGPASS invalid username-password pair\r\n";
    watch(t);
    sentinel_set_urgent(t->sentinel, urgent);
    int64_t began = clock_ms();
    until(t->server.calls >= 8, turn(t)); /* of two connections */
    int64_t took = clock_ms() - began;
    cr_assert_eq(t->reports + t->losts + t->deafs + t->refusals, 0, "it never stood");
    struct credential *credential = t->credential;
    end(t);
    credential_release(credential);
    return took;
}

/* Tries are made at the half of the delay at the earliest: 100, 200 and 400 ms. */
Test(sentinel, one_that_turns_us_away_is_asked_less_and_less_often)
{
    int64_t calm = four_calls(false), urgent = four_calls(true);
    cr_assert_geq(calm, 350);
    cr_assert_lt(urgent, calm + 200, "%lld, %lld ms", (long long)urgent, (long long)calm);
}

/* Three seconds, as docs/concepts.md has it. */
Test(sentinel, silence_ends_both_connections)
{
    struct scene *t = begin();
    int64_t began = clock_ms();
    t->server.silent = true;
    sentinel_poll(t->sentinel);
    until(t->losts == 1 && t->deafs == 1, turn(t));
    int64_t took = clock_ms() - began;
    cr_assert(took >= 2900 && took < 6000, "%lld ms", (long long)took);
    t->server.silent = false;
    int reports = t->reports;
    until(t->reports > reports, turn(t));
    end(t);
}

/* ---- the password ---- */

Test(sentinel, a_new_password_is_tried_where_that_is_allowed)
{
    struct credential *credential = credential_new(&owner, NULL, "pass", 4);
    struct scene *t = begin();
    int calls = t->server.calls;
    sentinel_set_credential(t->sentinel, credential);
    until(strcmp(t->server.heard, "Auth pass") == 0, turn(t));
    t->server.heard[0] = '\0';
    int reports = t->reports;
    sentinel_poll(t->sentinel);
    until(t->reports > reports, turn(t));
    cr_assert_eq(t->deafs + t->losts, 0, "while subscribed, AUTH is not allowed");
    cr_assert_eq(t->server.calls, calls);
    cr_assert_str_eq(t->server.heard, "");
    end(t);
    cr_assert_eq(atomic_load(&credential->refs), 1);
    credential_release(credential);
}

Test(sentinel, has_a_name)
{
    char name[60];
    struct scene *t = begin();
    snprintf(name, sizeof(name), "127.0.2.3:%u", (unsigned)t->server.at.port);
    cr_assert_str_eq(sentinel_name(t->sentinel), name);
    end(t);
}

/* It takes both connections, and speaks on neither as a Sentinel would; fake_knock() counts. */
Test(sentinel, one_that_sends_garbage_is_not_connected_to_for_ever)
{
    struct scene *t = scene_new();
    t->server.says_master = t->server.says_subscribe = "garbage\r\n";
    watch(t);
    int64_t later = clock_ms() + 1000;
    until(clock_ms() > later, turn(t));
    cr_assert_geq(t->server.calls, 4);
    end(t);
}
