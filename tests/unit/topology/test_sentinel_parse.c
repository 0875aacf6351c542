/*
 * sentinel_parse, node_parse: the words of live servers (Redis 7.0.15), read.
 */
#include "topology/node_parse.h"
#include "topology/sentinel_parse.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <string.h>

static redisReply *reply(const char *text)
{
    redisReader *reader = redisReaderCreate();
    void *out = NULL;
    cr_assert_eq(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    cr_assert_eq(redisReaderGetReply(reader, &out), REDIS_OK);
    cr_assert_not_null(out);
    redisReaderFree(reader);
    return out;
}

static void event_is(const char *channel, const char *payload, const char *master, int mport,
                     const char *subject, int sport)
{
    struct sentinel_event event;
    cr_assert(sentinel_parse_event(&event, channel, payload), "%s", payload);
    cr_assert_str_eq(event.name, "mymaster");
    cr_assert_str_eq(event.master.host, master);
    cr_assert_eq(event.master.port, mport);
    cr_assert_str_eq(event.subject.host, subject);
    cr_assert_eq(event.subject.port, sport);
}

Test(sentinel_parse, events)
{
    event_is("+elected-leader", "master mymaster 127.0.3.1 6379", "127.0.3.1", 6379, "", 0);
    event_is("+odown", "master mymaster ::1 6379 #quorum 2/2", "::1", 6379, "", 0);
    event_is("+selected-slave", "slave 127.0.3.2:6379 127.0.3.2 6379 @ mymaster 127.0.3.1 6379",
             "127.0.3.1", 6379, "127.0.3.2", 6379);
    event_is("+switch-master", "mymaster redis-0 6379 redis-1 6380", "redis-0", 6379, "redis-1",
             6380);
    event_is("+role-change", "slave a:1 a 1 @ mymaster b 2 new reported role is master", "b", 2,
             "a", 1);
}

Test(sentinel_parse, what_is_no_event)
{
    struct sentinel_event event;
    cr_assert(sentinel_parse_event(&event, "+tilt", "#tilt mode entered"));
    cr_assert_str_eq(event.name, "");
    cr_assert(!sentinel_parse_event(&event, "+sdown", ""));
    cr_assert(!sentinel_parse_event(&event, "+sdown", "master mymaster 127.0.3.1"));
    cr_assert(!sentinel_parse_event(&event, "+sdown", "master mymaster 127.0.3.1 0"));
    cr_assert(!sentinel_parse_event(&event, "+sdown", "master mymaster 127.0.3.1 65536"));
    cr_assert(!sentinel_parse_event(&event, "+switch-master", "mymaster a 1 b"));
}

Test(sentinel_parse, replies)
{
    struct endpoint endpoint;
    redisReply *r = reply("*2\r\n$9\r\n127.0.3.1\r\n$4\r\n6379\r\n");
    cr_assert(sentinel_parse_address(&endpoint, r));
    cr_assert_eq(endpoint.port, 6379);
    freeReplyObject(r);
    r = reply("*-1\r\n");
    cr_assert(!sentinel_parse_address(&endpoint, r));
    freeReplyObject(r);
    r = reply("-ERR No such master with that name\r\n");
    cr_assert_null(sentinel_field(r, "config-epoch"));
    freeReplyObject(r);
    r = reply("*4\r\n$2\r\nip\r\n$1\r\na\r\n$4\r\nport\r\n$1\r\n7\r\n");
    cr_assert(sentinel_parse_instance(&endpoint, r));
    cr_assert_eq(endpoint.port, 7);
    freeReplyObject(r);
    cr_assert_eq(sentinel_parse_step("wait_promotion"), FAILOVER_WAIT_PROMOTION);
    cr_assert_eq(sentinel_parse_step(NULL), FAILOVER_NONE);
}

Test(node_parse, role)
{
    struct node_answer answer = {.role = ROLE_UNKNOWN};
    struct endpoint master;
    redisReply *r = reply("*5\r\n$5\r\nslave\r\n$4\r\n10.1\r\n:6379\r\n$9\r\nconnected\r\n:12\r\n");
    cr_assert(node_parse_role(&answer, &master, r));
    cr_assert_eq(answer.role, ROLE_REPLICA);
    cr_assert(answer.link_connected);
    cr_assert_str_eq(master.host, "10.1");
    cr_assert_eq(master.port, 6379);
    freeReplyObject(r);
    r = reply("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
    cr_assert(node_parse_role(&answer, &master, r));
    cr_assert_eq(answer.role, ROLE_MASTER);
    freeReplyObject(r);
    r = reply("-NOAUTH Authentication required.\r\n");
    cr_assert(!node_parse_role(&answer, &master, r));
    cr_assert(!node_parse_unready(r));
    freeReplyObject(r);
    r = reply("-LOADING Redis is loading the dataset in memory\r\n");
    cr_assert(node_parse_unready(r));
    freeReplyObject(r);
}

Test(node_parse, replication)
{
    static const char info[] = "# Replication\r\nrole:master\r\nconnected_slaves:1\r\n"
                               "min_slaves_good_slaves:1\r\nmaster_replid:abc\r\n"
                               "master_replid2:def\r\n";
    struct node_answer answer = {.role = ROLE_MASTER};
    node_parse_replication(&answer, info, -1);
    cr_assert_str_eq(answer.replid[0], "abc");
    cr_assert_str_eq(answer.replid[1], "def");
    cr_assert_eq(answer.good_replicas_missing, 0);
    node_parse_replication(&answer, info, 2);
    cr_assert_eq(answer.good_replicas_missing, 1);
    answer = (struct node_answer){.role = ROLE_MASTER};
    node_parse_replication(&answer, "role:master\r\nmaster_replid:abc\r\n", 2);
    cr_assert_eq(answer.good_replicas_missing, 0); /* not counted: min-replicas-max-lag is 0 */
}

/* They would be calculated with. */
Test(node_parse, numbers_of_26_digits)
{
    static const char info[] = "min_slaves_good_slaves:-99999999999999999999999999\r\n"
                               "master_repl_offset:99999999999999999999999999\r\n"
                               "second_repl_offset:-99999999999999999999999999\r\n";
    struct node_answer answer = {.role = ROLE_MASTER};
    node_parse_replication(&answer, info, 2);
    cr_assert_eq(answer.offset, 0, "unknown");
    cr_assert_eq(answer.promoted_offset, -1);
    cr_assert_eq(answer.good_replicas_missing, 2);
}

/* A name that would break a line of the log, or be more than a name. */
Test(sentinel_parse, what_is_no_host)
{
    static const char *const names[] = {"a\nb", "a\rb", "a b", "", "a\x1b[2J", "a\"b"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct endpoint endpoint;
        struct node_answer answer = {.role = ROLE_UNKNOWN};
        char text[200];
        redisReply *r;
        snprintf(text, sizeof(text), "*4\r\n$2\r\nip\r\n$%zu\r\n%s\r\n$4\r\nport\r\n$1\r\n7\r\n",
                 strlen(names[i]), names[i]);
        r = reply(text);
        cr_assert(!sentinel_parse_instance(&endpoint, r), "%s", names[i]);
        freeReplyObject(r);
        snprintf(text, sizeof(text),
                 "*5\r\n$5\r\nslave\r\n$%zu\r\n%s\r\n:6379\r\n$9\r\nconnected\r\n:1\r\n",
                 strlen(names[i]), names[i]);
        r = reply(text);
        cr_assert(!node_parse_role(&answer, &endpoint, r), "%s", names[i]);
        freeReplyObject(r);
    }
}
