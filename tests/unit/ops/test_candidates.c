/* candidates: whom Sentinel would promote, from its own list. */
#include "ops/candidates.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listed {
    const char *ip, *flags, *link, *priority;
};

static void put(char *out, size_t size, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, size - len, "$%zu\r\n%s\r\n", strlen(text), text);
}

static redisReply *parsed(const char *bytes)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    redisReaderFeed(reader, bytes, strlen(bytes));
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    cr_assert_not_null(reply);
    redisReaderFree(reader);
    return reply;
}

static struct candidates read_list(const struct listed *each, size_t count)
{
    char bytes[4096];
    struct candidates out;
    snprintf(bytes, sizeof(bytes), "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        const char *words[] = {
            "ip",          each[i].ip,           "port",       "6379",           "flags",
            each[i].flags, "master-link-status", each[i].link, "slave-priority", each[i].priority};
        strcat(bytes, "*10\r\n");
        for (size_t k = 0; k < 10; k++)
            put(bytes, sizeof(bytes), words[k]);
    }
    redisReply *reply = parsed(bytes);
    cr_assert_eq(candidates_read(&out, reply), 0);
    freeReplyObject(reply);
    return out;
}

Test(candidates, those_of_the_lowest_priority_that_are_well)
{
    struct candidates c =
        read_list((const struct listed[]){{"10.0.0.1", "slave", "ok", "100"},
                                          {"10.0.0.2", "slave,s_down,disconnected", "err", "1"},
                                          {"10.0.0.3", "slave", "ok", "50"},
                                          {"10.0.0.4", "slave", "ok", "0"},
                                          {"10.0.0.5", "slave", "err", "1"},
                                          {"10.0.0.6", "slave", "ok", "50"}},
                  6);
    cr_assert_eq(c.replicas, 6);
    cr_assert_eq(c.count, 2);
    cr_expect_str_eq(c.each[0].name, "10.0.0.3:6379");
    cr_expect_str_eq(c.each[1].name, "10.0.0.6:6379");
}

Test(candidates, only_one_may_be_wished_for)
{
    char why[400];
    struct candidates c = read_list((const struct listed[]){{"10.0.0.1", "slave", "ok", "100"},
                                                            {"10.0.0.3", "slave", "ok", "50"}},
                                    2);
    cr_expect(candidates_only(&c, "10.0.0.3", why, sizeof(why)));
    cr_expect(candidates_only(&c, "10.0.0.3:6379", why, sizeof(why)));
    cr_expect(!candidates_only(&c, "10.0.0.1", why, sizeof(why)));
    cr_expect(!candidates_only(&c, "10.0.0.3:6380", why, sizeof(why)));
    c = read_list((const struct listed[]){{"10.0.0.1", "slave", "ok", "100"},
                                          {"10.0.0.3", "slave", "ok", "100"}},
                  2);
    cr_expect(!candidates_only(&c, "10.0.0.3", why, sizeof(why)));
    cr_expect_not_null(strstr(why, "replica-priority 99"));
}

Test(candidates, the_last_one_counts)
{
    struct candidates c = {.count = 2, .each = {{.offset = 100}, {.offset = 90}}};
    cr_expect_eq(candidates_behind(&c, 95), 5);
    cr_expect_eq(candidates_behind(&c, 90), 0);
    c.each[0].offset = -1;
    cr_expect_eq(candidates_behind(&c, 90), -1);
}

Test(candidates, what_is_no_list)
{
    static const char *const replies[] = {
        "-ERR No such master\r\n",       ":1\r\n", "$-1\r\n", "*1\r\n*0\r\n", "*1\r\n:1\r\n",
        "*1\r\n*2\r\n$2\r\nip\r\n:1\r\n"};
    struct candidates out;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        redisReply *reply = parsed(replies[i]);
        cr_expect_neq(candidates_read(&out, reply), 0, "%s", replies[i]);
        freeReplyObject(reply);
    }
}

Test(candidates, numbers_of_info)
{
    static const char info[] =
        "# Replication\r\nrole:slave\r\nslave_repl_offset:42\r\nmaster_repl_offset:43\r\n";
    cr_expect_eq(info_number(info, "slave_repl_offset"), 42);
    cr_expect_eq(info_number(info, "master_repl_offset"), 43);
    cr_expect_eq(info_number(info, "repl_offset"), -1);
    cr_expect_eq(info_number("", "x"), -1);
}
