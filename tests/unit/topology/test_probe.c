/*
 * probe: what a node is asked, what its answers are taken for, to whom the password is shown, when its silence counts, and
 * how it is fenced off. The node is a server on the same loop that says whatever the test has it say.
 */
#include "topology/probe.h"

#include "unit/loop.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 30
#define INFO_MASTER                                                                                \
    "master_replid:aaaa\r\nmaster_replid2:bbbb\r\nmaster_repl_offset:100\r\n"                      \
    "second_repl_offset:51\r\nmin_slaves_good_slaves:1\r\n"
#define ROLE_IS_MASTER "*3\r\n$6\r\nmaster\r\n:100\r\n*0\r\n"
#define ROLE_IS_REPLICA                                                                            \
    "*5\r\n$5\r\nslave\r\n$9\r\n127.0.2.8\r\n:6379\r\n$9\r\nconnected\r\n:100\r\n"

struct yard;

struct call {
    uv_tcp_t tcp;
    struct yard *yard;
    redisReader *reader;
    bool open, let_in;
};

struct yard {
    uv_loop_t loop;
    uv_tcp_t door;
    bool door_open;
    struct address address;
    struct call call[CALLS_MAX];
    int calls;
    /* what the node says, in RESP; INFO's as its text */
    const char *ping, *role, *info, *server, *needed, *auth, *order;
    bool silent, wants_password, hangs_up_on_auth;
    int rounds; /* INFO replication was heard so often */
    char heard[4000];

    struct names *names;
    struct credential *credential;
    struct probe *probe;
    int answers, losts, downs, leavings, suspects, unfenced, closes;
    struct node_answer answer;
    int64_t asked_ms;
    enum node_failure why;
    bool leaving, suspect, ask_in_answer;
    char error[100];
};

/* ---- the node ---- */

static void say(struct call *c, const char *text)
{
    uv_os_fd_t fd;
    cr_assert_eq(uv_fileno((uv_handle_t *)&c->tcp, &fd), 0);
    ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);
    cr_assert(n < 0 || n == (ssize_t)strlen(text));
}

static void say_text(struct call *c, const char *text)
{
    char reply[1000];
    snprintf(reply, sizeof(reply), "$%zu\r\n%s\r\n", strlen(text), text);
    say(c, reply);
}

static void call_closed(uv_handle_t *handle)
{
    struct call *c = handle->data;
    redisReaderFree(c->reader);
}

static void hang_up(struct call *c)
{
    c->open = false;
    uv_close((uv_handle_t *)&c->tcp, call_closed);
}

static bool is(const redisReply *command, const char *first, const char *second)
{
    return strcmp(command->element[0]->str, first) == 0 &&
           (!second || (command->elements > 1 && strcmp(command->element[1]->str, second) == 0));
}

static void note(struct yard *y, const redisReply *command)
{
    for (size_t i = 0; i < command->elements; i++) {
        strncat(y->heard, command->element[i]->str, sizeof(y->heard) - strlen(y->heard) - 1);
        strncat(y->heard, i + 1 < command->elements ? " " : "; ",
                sizeof(y->heard) - strlen(y->heard) - 1);
    }
}

static void answer(struct call *c, const redisReply *command)
{
    struct yard *y = c->yard;
    bool asks = is(command, "Ping", NULL) || is(command, "Role", NULL) ||
                is(command, "Info", NULL) || is(command, "Config", "GET");
    y->rounds += is(command, "Info", "replication");
    if (!asks)
        note(y, command);
    if (is(command, "Auth", NULL)) {
        c->let_in = y->auth[0] == '+';
        if (y->hangs_up_on_auth)
            hang_up(c);
        else
            say(c, y->auth);
    } else if (y->silent) {
        return;
    } else if (y->wants_password && !c->let_in) {
        say(c, "-NOAUTH Authentication required.\r\n");
    } else if (is(command, "Ping", NULL)) {
        say(c, y->ping);
    } else if (is(command, "Role", NULL)) {
        say(c, y->role);
    } else if (is(command, "Info", "server")) {
        say_text(c, y->server);
    } else if (is(command, "Info", NULL)) {
        say_text(c, y->info);
    } else if (asks) {
        say(c, y->needed);
    } else if (is(command, "Reset", NULL)) {
        say(c, "+RESET\r\n");
    } else {
        say(c, y->order);
    }
}

static void memory(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char bytes[65536];
    (void)handle, (void)size;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct call *c = stream->data;
    void *command = NULL;
    if (n < 0) {
        hang_up(c);
        return;
    }
    redisReaderFeed(c->reader, buf->base, (size_t)n);
    while (c->open && redisReaderGetReply(c->reader, &command) == REDIS_OK && command) {
        answer(c, command);
        freeReplyObject(command);
    }
}

static void on_knock(uv_stream_t *door, int status)
{
    struct yard *y = door->data;
    cr_assert_eq(status, 0);
    cr_assert_lt(y->calls, CALLS_MAX);
    struct call *c = &y->call[y->calls++];
    *c = (struct call){.yard = y, .open = true, .reader = redisReaderCreate()};
    uv_tcp_init(&y->loop, &c->tcp);
    c->tcp.data = c;
    cr_assert_eq(uv_accept(door, (uv_stream_t *)&c->tcp), 0);
    cr_assert_eq(uv_read_start((uv_stream_t *)&c->tcp, memory, on_read), 0);
}

/* The connection that the probe has now. */
static struct call *now_connected(struct yard *y)
{
    cr_assert_gt(y->calls, 0);
    cr_assert(y->call[y->calls - 1].open);
    return &y->call[y->calls - 1];
}

/* ---- the probe's owner ---- */

static void on_answer(void *owner, struct probe *probe, const struct node_answer *says,
                      int64_t asked_ms)
{
    struct yard *y = owner;
    y->answers++;
    y->answer = *says;
    y->asked_ms = asked_ms;
    if (y->ask_in_answer)
        probe_now(probe);
    y->ask_in_answer = false;
}

static void on_lost(void *owner, struct probe *probe)
{
    (void)probe;
    ((struct yard *)owner)->losts++;
}

static void on_down(void *owner, struct probe *probe, enum node_failure why)
{
    struct yard *y = owner;
    (void)probe;
    y->downs++;
    y->why = why;
}

static void on_leaving(void *owner, struct probe *probe, bool leaving)
{
    struct yard *y = owner;
    (void)probe;
    y->leavings++;
    y->leaving = leaving;
}

static void on_suspect(void *owner, struct probe *probe, bool suspect)
{
    struct yard *y = owner;
    (void)probe;
    y->suspects++;
    y->suspect = suspect;
}

static void on_unfenced(void *owner, struct probe *probe, const char *error)
{
    struct yard *y = owner;
    (void)probe;
    y->unfenced++;
    snprintf(y->error, sizeof(y->error), "%s", error);
}

static void on_closed(void *owner, struct probe *probe)
{
    (void)probe;
    ((struct yard *)owner)->closes++;
}

static const struct probe_callbacks callbacks = {on_answer,  on_lost,     on_down,  on_leaving,
                                                 on_suspect, on_unfenced, on_closed};

static void no_change(void *owner)
{
    (void)owner;
}

static void turn(struct yard *y)
{
    uv_run(&y->loop, UV_RUN_ONCE);
}

static void wake(void *arg)
{
    (void)arg;
}

static const struct credential_owner owner = {.group = "g", .file = "/f", .wake = wake};

static struct yard *yard_new(void)
{
    struct yard *y = calloc(1, sizeof(*y));
    struct sockaddr_in in;
    int len = sizeof(in);
    cr_assert_eq(uv_loop_init(&y->loop), 0);
    uv_tcp_init(&y->loop, &y->door);
    y->door.data = y;
    cr_assert_eq(uv_ip4_addr("127.0.2.7", 0, &in), 0);
    cr_assert_eq(uv_tcp_bind(&y->door, (const struct sockaddr *)&in, 0), 0);
    cr_assert_eq(uv_listen((uv_stream_t *)&y->door, 16, on_knock), 0);
    cr_assert_eq(uv_tcp_getsockname(&y->door, (struct sockaddr *)&in, &len), 0);
    y->door_open = true;
    y->address = (struct address){.sa.v4 = in, .len = sizeof(in)};
    y->names = names_new(&y->loop, no_change, NULL);
    y->ping = "+PONG\r\n";
    y->role = ROLE_IS_MASTER;
    y->info = INFO_MASTER;
    y->server = "run_id:rrrr\r\n";
    y->needed = "*2\r\n$21\r\nmin-replicas-to-write\r\n$1\r\n3\r\n";
    y->auth = y->order = "+OK\r\n";
    return y;
}

static void watch(struct yard *y)
{
    struct probe_options options = {.address = y->address,
                                    .group = "g",
                                    .credential = y->credential,
                                    .connect_timeout_ms = 1000,
                                    .names = y->names,
                                    .callbacks = &callbacks,
                                    .owner = y};
    y->probe = probe_new(&y->loop, &options);
}

/* Its first round is done, and the next one is a minute away. */
static struct yard *begin(void)
{
    struct yard *y = yard_new();
    watch(y);
    probe_set_period(y->probe, 60000);
    until(y->answers == 1, turn(y));
    return y;
}

static void close_door(struct yard *y)
{
    uv_close((uv_handle_t *)&y->door, NULL);
    y->door_open = false;
}

static void end(struct yard *y)
{
    int heard = y->answers + y->losts + y->downs + y->suspects;
    probe_close(y->probe);
    probe_close(y->probe);
    until(y->closes == 1, turn(y));
    cr_assert_eq(y->answers + y->losts + y->downs + y->suspects, heard);
    names_free(y->names);
    if (y->door_open)
        close_door(y);
    for (int i = 0; i < y->calls; i++)
        if (y->call[i].open)
            hang_up(&y->call[i]);
    loop_end(&y->loop);
    if (y->credential) {
        cr_assert_eq(atomic_load(&y->credential->refs), 1);
        credential_release(y->credential);
    }
    free(y);
}

static bool heard(const struct yard *y, const char *what)
{
    return strstr(y->heard, what) != NULL;
}

/* ---- a round ---- */

Test(probe, reports_what_a_master_says)
{
    struct yard *y = yard_new();
    int64_t before = clock_ms();
    watch(y);
    until(y->answers == 1, turn(y));
    cr_assert_eq(y->answer.role, ROLE_MASTER);
    cr_assert_not(y->answer.unready);
    cr_assert_str_eq(y->answer.replid[0], "aaaa");
    cr_assert_str_eq(y->answer.replid[1], "bbbb");
    cr_assert_str_eq(y->answer.runid, "rrrr");
    cr_assert_eq(y->answer.offset, 100);
    cr_assert_eq(y->answer.promoted_offset, 50);
    cr_assert_eq(y->answer.good_replicas_missing, 2);
    cr_assert(y->asked_ms >= before - 1 && y->asked_ms <= clock_ms());
    cr_assert(address_equal(probe_address(y->probe), &y->address));
    cr_assert_eq(y->suspects + y->losts + y->downs + y->leavings, 0);
    end(y);
}

Test(probe, reports_what_a_replica_says)
{
    struct address master;
    struct yard *y = yard_new();
    cr_assert_eq(address_from_number(&master, "127.0.2.8", 6379), 0);
    y->role = ROLE_IS_REPLICA;
    y->needed = "-NOPERM this user has no permissions to run the 'config|get' command\r\n";
    y->ping =
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n";
    watch(y);
    until(y->answers == 1, turn(y));
    cr_assert_eq(y->answer.role, ROLE_REPLICA);
    cr_assert(y->answer.link_connected);
    cr_assert(address_equal(&y->answer.master, &master));
    cr_assert(y->answer.unready);
    cr_assert_eq(y->answer.good_replicas_missing, 0, "one is enough for whom does not tell");
    end(y);
}

Test(probe, an_answer_has_nothing_of_the_one_before)
{
    struct yard *y = yard_new();
    y->role = ROLE_IS_REPLICA;
    watch(y);
    until(y->answers == 1, turn(y));
    cr_assert(y->answer.link_connected && y->answer.master.len > 0 && y->answer.offset > 0);
    y->role = ROLE_IS_MASTER;
    y->info = "role:master\r\n";
    for (int64_t last = y->asked_ms; y->answer.role != ROLE_MASTER; last = y->asked_ms) {
        int answers = y->answers;
        probe_now(y->probe);
        until(y->answers > answers, turn(y));
        cr_assert(y->asked_ms >= last && y->asked_ms <= clock_ms());
    }
    cr_assert_not(y->answer.link_connected);
    cr_assert_eq(y->answer.master.len, 0);
    cr_assert_eq(y->answer.offset, 0);
    cr_assert_eq(y->answer.promoted_offset, 0);
    cr_assert_eq(y->answer.good_replicas_missing, 0);
    cr_assert_str_empty(y->answer.replid[0]);
    end(y);
}

Test(probe, a_node_that_does_not_say_what_it_is_has_not_answered)
{
    struct yard *y = yard_new();
    y->role = "-NOPERM no\r\n";
    watch(y);
    until(y->rounds == 2, turn(y)); /* a second later */
    cr_assert_eq(y->answers, 0);
    y->role = ROLE_IS_MASTER;
    until(y->answers == 1, turn(y));
    cr_assert_eq(y->losts + y->downs, 0);
    end(y);
}

Test(probe, asks_at_once_and_again_when_it_is_told_to_meanwhile)
{
    struct yard *y = begin();
    int rounds = y->rounds;
    probe_now(y->probe);
    probe_now(y->probe);
    probe_now(y->probe);
    until(y->answers == 3, turn(y));
    cr_assert_eq(y->rounds, rounds + 2);
    y->ask_in_answer = true; /* who asks in its callback has it done then */
    probe_now(y->probe);
    probe_now(y->probe);
    until(y->answers == 5, turn(y));
    cr_assert_eq(y->rounds, rounds + 4);
    end(y);
}

Test(probe, asks_as_often_as_it_is_told_to)
{
    struct yard *y = begin();
    int rounds = y->rounds;
    int64_t began = clock_ms();
    probe_set_period(y->probe, 20);
    until(y->rounds == rounds + 5, turn(y));
    int64_t took = clock_ms() - began;
    cr_assert(took >= 75 && took < 2000, "%lld ms", (long long)took);
    end(y);
}

/* Between two rounds a minute apart. */
Test(probe, a_change_of_role_is_noticed_at_once)
{
    struct yard *y = begin();
    int64_t began = clock_ms();
    until(clock_ms() > began + 250, turn(y));
    cr_assert_eq(y->answers, 1, "nothing has changed");
    y->role = ROLE_IS_REPLICA;
    until(y->answers == 2, turn(y));
    cr_assert_eq(y->answer.role, ROLE_REPLICA);
    y->role = "*5\r\n$5\r\nslave\r\n$9\r\n127.0.2.9\r\n:6379\r\n$9\r\nconnected\r\n:100\r\n";
    until(y->answers == 3, turn(y)); /* of another one */
    y->role = "*5\r\n$5\r\nslave\r\n$9\r\n127.0.2.9\r\n:6379\r\n$7\r\nconnect\r\n:100\r\n";
    until(y->answers == 4, turn(y)); /* its link is down */
    cr_assert_not(y->answer.link_connected);
    y->role = "*5\r\n$5\r\nslave\r\n$9\r\n127.0.2.9\r\n:6380\r\n$7\r\nconnect\r\n:100\r\n";
    until(y->answers == 5, turn(y));
    cr_assert_lt(clock_ms() - began, 5000);
    end(y);
}

Test(probe, a_shutdown_is_noticed_when_it_is_watched_closely)
{
    struct yard *y = begin();
    probe_set_close(y->probe, true);
    y->server = "run_id:rrrr\r\nshutdown_in_milliseconds:9000\r\n";
    until(y->leavings == 1, turn(y));
    cr_assert(y->leaving);
    y->server = "run_id:rrrr\r\n";
    until(y->leavings == 2, turn(y));
    cr_assert_not(y->leaving);
    end(y);
}

/* ---- silence, and what breaks ---- */

Test(probe, silence_makes_it_suspect_and_in_the_end_ends_the_connection)
{
    struct yard *y = begin();
    int64_t began = clock_ms();
    y->silent = true;
    until(y->suspects == 1, turn(y));
    int64_t took = clock_ms() - began;
    cr_assert(y->suspect);
    cr_assert(took >= 490 && took < 2000, "%lld ms", (long long)took);
    until(y->losts == 1, turn(y));
    took = clock_ms() - began;
    cr_assert(took >= 1990 && took < 5000, "%lld ms", (long long)took);
    cr_assert_eq(y->suspects, 1, "told once, however many connections");
    y->silent = false;
    until(y->suspects == 2 && y->answers == 2, turn(y));
    cr_assert_not(y->suspect);
    end(y);
}

Test(probe, each_silence_counts_from_its_own_beginning)
{
    struct yard *y = begin();
    int told = 0;
    for (int i = 0; i < 3; i++) {
        int64_t began = clock_ms();
        y->silent = true;
        until(y->suspects > told, turn(y));
        cr_assert(y->suspect);
        cr_assert_geq(clock_ms() - began, 390, "a beat that is not answered went out before");
        y->silent = false;
        hang_up(now_connected(y)); /* what it has not answered it never will */
        until(y->answers == 2 + i, turn(y));
        cr_assert_not(y->suspect);
        told = y->suspects;
        cr_assert_eq(told, 2 * (i + 1));
    }
    end(y);
}

/* Unless this program itself stood still for so long. */
Test(probe, slow_answers_do_not_add_up_to_a_silence)
{
    struct yard *y = begin();
    int64_t longest = 0;
    for (int i = 0; i < 5; i++) {
        int64_t began = clock_ms();
        int answers = y->answers;
        uv_stream_t *slow = (uv_stream_t *)&now_connected(y)->tcp;
        uv_read_stop(slow);
        probe_now(y->probe);
        until(clock_ms() >= began + 150, turn(y));
        cr_assert_eq(uv_read_start(slow, memory, on_read), 0);
        until(y->answers > answers, turn(y));
        longest = clock_ms() - began > longest ? clock_ms() - began : longest;
    }
    cr_assert(y->suspects == 0 || longest >= 450, "at most %lld ms", (long long)longest);
    end(y);
}

Test(probe, a_connection_that_breaks_is_made_again_at_once)
{
    struct yard *y = begin();
    int64_t began = clock_ms();
    hang_up(now_connected(y));
    until(y->answers == 2, turn(y));
    cr_assert_eq(y->losts, 1);
    cr_assert_eq(y->downs + y->suspects, 0);
    cr_assert_eq(y->calls, 2);
    cr_assert_lt(clock_ms() - began, 1000);
    end(y);
}

/* Each connection answers a round, and ends. The first ones may be a promotion. */
Test(probe, a_node_that_closes_again_and_again_is_connected_to_less_and_less)
{
    struct yard *y = begin();
    int64_t began = clock_ms();
    for (int i = 0; i < 8; i++) {
        until(y->answers > i, turn(y));
        hang_up(now_connected(y));
        until(y->losts > i, turn(y));
        if (i < 2)
            cr_assert_eq(y->downs, 0);
    }
    /* 40, 80, 160, 320 and 500 ms */
    cr_assert_geq(clock_ms() - began, 600);
    end(y);
}

Test(probe, a_node_that_is_gone_refuses_and_is_tried_again)
{
    struct yard *y = begin();
    close_door(y);
    hang_up(now_connected(y));
    until(y->downs == 4, turn(y));
    cr_assert_eq(y->why, NODE_REFUSES);
    cr_assert_eq(y->losts, 1);
    cr_assert_eq(y->suspects, 0, "a refusal is an answer");
    cr_assert_not(probe_replicaof(y->probe, &(struct endpoint){.host = "127.0.2.8", .port = 1}));
    cr_assert_not(probe_fence(y->probe, &(struct fence_order){.act = FENCE_PAUSE, .ms = 1}));
    end(y);
}

/* Tries to connect wait longer and longer, but not longer than a period. */
Test(probe, tries_to_connect_become_rare)
{
    struct yard *y = yard_new();
    close_door(y);
    watch(y);
    int64_t began = clock_ms();
    until(y->downs == 6, turn(y)); /* 20, 40, 80, 160 and 320 ms apart */
    cr_assert_geq(clock_ms() - began, 615);
    probe_set_period(y->probe, 20);
    int downs = y->downs;
    began = clock_ms();
    until(y->downs == downs + 5, turn(y));
    cr_assert_lt(clock_ms() - began, 2000);
    probe_set_period(y->probe, 60000);
    until(y->downs == downs + 7, turn(y));
    downs = y->downs;
    began = clock_ms();
    probe_now(y->probe);
    until(y->downs == downs + 1, turn(y));
    cr_assert_lt(clock_ms() - began, 450, "half a second is the usual delay by now");
    end(y);
}

/* ---- the password ---- */

static struct yard *guarded(bool wants_password)
{
    struct yard *y = yard_new();
    y->credential = credential_new(&owner, NULL, "pass", 4);
    y->wants_password = wants_password;
    watch(y);
    return y;
}

Test(probe, keeps_the_password_from_whom_it_does_not_know)
{
    struct yard *y = guarded(true);
    until(y->rounds == 2, turn(y));
    cr_assert_eq(y->answers, 0);
    cr_assert_not(heard(y, "Auth"));
    probe_set_trust(y->probe, true, false);
    until(y->answers == 1, turn(y));
    cr_assert(heard(y, "Auth pass; "));
    cr_assert_eq(y->calls, 1, "on the same connection");
    cr_assert_eq(y->losts + y->downs, 0);
    end(y);
}

Test(probe, shows_the_password_unasked_only_to_the_group_s_own)
{
    struct yard *y = guarded(false);
    probe_set_trust(y->probe, true, false);
    until(y->answers == 2, turn(y));
    cr_assert_not(heard(y, "Auth"), "it does not ask for it");
    probe_set_trust(y->probe, true, true);
    until(heard(y, "Auth pass; "), turn(y));
    int answers = y->answers;
    until(y->answers > answers, turn(y)); /* at once */
    y->heard[0] = '\0';
    answers = y->answers;
    until(y->answers > answers, turn(y));
    cr_assert_not(heard(y, "Auth"), "once");
    hang_up(now_connected(y));
    until(heard(y, "Auth pass; "), turn(y)); /* the next connection has not shown it yet */
    end(y);
}

Test(probe, a_refused_password_is_no_failure_of_the_node)
{
    struct yard *y = guarded(true);
    y->auth = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    probe_set_trust(y->probe, true, true);
    until(y->losts >= 2, turn(y));
    cr_assert_eq(y->downs, 0);
    cr_assert_eq(y->answers, 0);
    struct credential *before = y->credential;
    y->credential = credential_new(&owner, NULL, "word", 4);
    y->auth = "+OK\r\n";
    probe_set_credential(y->probe, y->credential);
    cr_assert_eq(atomic_load(&before->refs), 1);
    credential_release(before);
    until(y->answers == 1, turn(y));
    cr_assert(heard(y, "Auth word; "));
    y->heard[0] = '\0';
    probe_set_credential(y->probe, y->credential); /* it is tried on the living connection */
    until(heard(y, "Auth word; "), turn(y));
    end(y);
}

Test(probe, a_node_that_hangs_up_at_the_password_has_turned_us_away)
{
    struct yard *y = guarded(true);
    y->hangs_up_on_auth = true;
    probe_set_trust(y->probe, true, true);
    until(y->downs == 1, turn(y));
    cr_assert_eq(y->why, NODE_REJECTS);
    cr_assert_eq(y->losts, 0);
    end(y);
}

/* ---- orders ---- */

static void order(struct yard *y, enum fence_act act, int64_t ms, bool extend)
{
    static const struct endpoint master = {.host = "127.0.2.8", .port = 6379};
    struct fence_order it = {.act = act, .ms = ms, .extend = extend, .master = &master};
    y->heard[0] = '\0';
    cr_assert(probe_fence(y->probe, &it));
}

#define CUT_1000 "MULTI; Client UNPAUSE; Client PAUSE 1000 ALL; Client KILL TYPE slave; EXEC; "
#define CUT_ON "MULTI; Client PAUSE 1000 ALL; Client KILL TYPE slave; EXEC; "

static void hears(struct yard *y, const char *wanted)
{
    until(strlen(y->heard) >= strlen(wanted), turn(y));
    cr_assert_str_eq(y->heard, wanted);
}

Test(probe, points_a_replica_elsewhere)
{
    struct yard *y = begin();
    cr_assert(probe_replicaof(y->probe, &(struct endpoint){.host = "127.0.2.8", .port = 6380}));
    hears(y, "REPLICAOF 127.0.2.8 6380; ");
    end(y);
}

Test(probe, pauses_writes_and_takes_that_back)
{
    struct yard *y = begin();
    order(y, FENCE_PAUSE, 3000, false);
    hears(y, "Client PAUSE 3000 WRITE; ");
    order(y, FENCE_LIFT, 0, false);
    hears(y, "Client UNPAUSE; ");
    int64_t later = clock_ms() + 400;
    until(clock_ms() > later, turn(y));
    cr_assert_eq(y->losts + y->unfenced, 0);
    cr_assert_eq(y->calls, 1);
    end(y);
}

Test(probe, a_node_that_may_not_be_paused_says_so_once_for_each_order)
{
    struct yard *y = begin();
    y->order = "-NOPERM no\r\n";
    order(y, FENCE_CUT, 1000, false);
    hears(y, "MONITOR; " CUT_1000);
    until(y->unfenced == 1, turn(y));
    cr_assert_str_eq(y->error, "NOPERM no");
    int64_t later = clock_ms() + 400;
    until(clock_ms() > later, turn(y));
    cr_assert_eq(y->unfenced, 1, "not for each command");
    cr_assert_eq(y->losts, 0);
    order(y, FENCE_PAUSE, 1000, false);
    until(y->unfenced == 2, turn(y));
    end(y);
}

Test(probe, cuts_it_off_from_clients_only)
{
    struct yard *y = begin();
    struct fence_order it = {.act = FENCE_CUT, .ms = 1000, .spare = true};
    y->heard[0] = '\0';
    cr_assert(probe_fence(y->probe, &it));
    hears(y, "MONITOR; MULTI; Client UNPAUSE; Client PAUSE 1000 ALL; EXEC; ");
    end(y);
}

/* Somebody else has paused it, and the order stands behind that. */
Test(probe, an_order_that_is_not_answered_is_withdrawn)
{
    struct yard *y = begin();
    y->silent = true;
    int64_t began = clock_ms();
    order(y, FENCE_PAUSE, 3000, false);
    until(y->losts == 1, turn(y));
    int64_t took = clock_ms() - began;
    cr_assert(took >= 240 && took < 2000, "%lld ms", (long long)took);
    cr_assert_eq(y->unfenced, 0);
    y->silent = false;
    until(y->answers == 2, turn(y));
    end(y);
}

/* From the first cut on the connection monitors: what it hears of others answers nothing. */
Test(probe, cuts_it_off_and_goes_on_asking)
{
    struct yard *y = begin();
    order(y, FENCE_CUT, 1000, false);
    hears(y, "MONITOR; " CUT_1000);
    int64_t later = clock_ms() + 30;
    until(clock_ms() > later, turn(y));
    say(now_connected(y), "+1700000000.123456 [0 127.0.0.1:1234] \"SET\" \"a\" \"b\"\r\n");
    probe_now(y->probe);
    until(y->answers == 2, turn(y));
    cr_assert_eq(y->answer.role, ROLE_MASTER);
    cr_assert_not(y->answer.unready);
    order(y, FENCE_CUT, 1000, true); /* nobody is let through in between */
    hears(y, CUT_ON);
    order(y, FENCE_CUT, 1000, false); /* everybody has a turn */
    until(heard(y, "EXEC; "), turn(y));
    cr_assert_str_eq(y->heard, "Client UNPAUSE; " CUT_1000);
    cr_assert_eq(y->losts + y->suspects, 0);
    end(y);
}

Test(probe, demotes_it_as_a_client_like_others)
{
    struct yard *y = begin();
    order(y, FENCE_CUT, 1000, false);
    hears(y, "MONITOR; " CUT_1000);
    int64_t later = clock_ms() + 30;
    until(clock_ms() > later, turn(y));
    order(y, FENCE_DEMOTE, 0, false);
    hears(y, "Client UNPAUSE; Reset; REPLICAOF 127.0.2.8 6379; Client UNPAUSE; Config REWRITE; ");
    later = clock_ms() + 300;
    until(clock_ms() > later, turn(y));
    cr_assert_eq(y->losts, 0, "it is not exempt any more, so there is nothing to renew");
    order(y, FENCE_DEMOTE, 0, false);
    hears(y, "REPLICAOF 127.0.2.8 6379; Client UNPAUSE; Config REWRITE; ");
    end(y);
}

Test(probe, the_connection_is_renewed_when_the_pause_is_over)
{
    struct yard *y = begin();
    int64_t began = clock_ms();
    order(y, FENCE_CUT, 300, false);
    until(y->losts == 1, turn(y));
    int64_t took = clock_ms() - began;
    cr_assert(took >= 290 && took < 2000, "%lld ms", (long long)took);
    until(y->answers == 2, turn(y));
    cr_assert_eq(y->suspects, 0);
    end(y);
}

/* While everything is paused there, nobody answers, and that means nothing. */
Test(probe, silence_does_not_count_while_it_is_cut_off)
{
    struct yard *y = begin();
    int64_t began = clock_ms();
    order(y, FENCE_CUT, 1000, false);
    hears(y, "MONITOR; " CUT_1000);
    int64_t later = clock_ms() + 20;
    until(clock_ms() > later, turn(y));
    y->silent = true;
    until(y->suspects == 1, turn(y));
    cr_assert_geq(clock_ms() - began, 1000 + 490);
    end(y);
}
