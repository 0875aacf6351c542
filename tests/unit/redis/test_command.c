/*
 * command: lookups find the right row; the table says what a live server's
 * COMMAND says, and has no row that the server lacks (but those marked NEWER);
 * and the columns that are our decisions do not contradict each other.
 */
#include "redis/command.h"
#include "unit/live_redis.h"

#include <ctype.h>

static struct slice text(const char *word)
{
    return (struct slice){word, strlen(word)};
}

static const char *found(const char *name, const char *sub)
{
    const struct command *command = command_find(text(name), text(sub));
    return command ? command->name : "(none)";
}

/* Calls `visit` for every row, subcommands too. */
static void each_row(void (*visit)(const struct command *row))
{
    size_t count;
    const struct command *table = command_table(&count);
    for (size_t i = 0; i < count; i++) {
        visit(&table[i]);
        for (size_t j = 0; j < table[i].nsubs; j++)
            visit(&table[i].subs[j]);
    }
}

/* ---- lookups ---- */

Test(command, found_in_any_case)
{
    cr_assert_str_eq(found("get", "k"), "get");
    cr_assert_str_eq(found("GET", ""), "get");
    cr_assert_str_eq(found("zRangeByScore", "k"), "zrangebyscore");
    cr_assert_str_eq(found("Host:", "localhost"), "host:");
    cr_assert_str_eq(found("RESTORE-ASKING", ""), "restore-asking");
}

Test(command, subcommands)
{
    cr_assert_str_eq(found("config", "set"), "config|set");
    cr_assert_str_eq(found("CONFIG", "SeT"), "config|set");
    cr_assert_str_eq(found("CLIENT", "NO-EVICT"), "client|no-evict");
    cr_assert_str_eq(found("CLUSTER", "COUNT-FAILURE-REPORTS"), "cluster|count-failure-reports");
    cr_assert_str_eq(found("get", "set"), "get");
    cr_assert_str_eq(found("CONFIG", "nonsense"), "config");
    cr_assert_str_eq(found("CONFIG", "se"), "config");
    cr_assert_str_eq(found("CONFIG", "sett"), "config");
    cr_assert_str_eq(found("CONFIG", ""), "config");
    cr_assert_str_eq(found("CONFIG", "set|x"), "config");
}

Test(command, unknown)
{
    static const char *const names[] = {"",  "ge",       "gett", "config|set",
                                        "{", "@",        "0",    "zzzzzzz",
                                        "a", "\xff\xfe", "get ", "jsonwhatever"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert_null(command_find(text(names[i]), text("")), "%s", names[i]);
}

Test(command, names_of_any_length_and_content)
{
    char name[100];
    memset(name, 'g', sizeof(name));
    for (size_t len = 0; len <= sizeof(name); len++) {
        cr_assert_null(command_find((struct slice){name, len}, text("")));
        const struct command *config = command_find(text("CONFIG"), (struct slice){name, len});
        cr_assert_str_eq(config->name, "config");
    }
    cr_assert_null(command_find((struct slice){"get\0", 4}, text("")));
    cr_assert_str_eq(command_find(text("config"), (struct slice){"set\0", 4})->name, "config");
}

static void finds_itself(const struct command *row)
{
    char upper[64];
    size_t len = strlen(row->name);
    for (size_t i = 0; i <= len; i++)
        upper[i] = (char)toupper((unsigned char)row->name[i]);
    char *bar = strchr(upper, '|');
    struct slice name = {upper, bar ? (size_t)(bar - upper) : len};
    struct slice sub = bar ? text(bar + 1) : text("");
    cr_assert_eq(command_find(name, sub), row, "%s", row->name);
}

Test(command, every_row_is_found)
{
    each_row(finds_itself);
}

Test(command, rows_are_sorted)
{
    size_t count;
    const struct command *table = command_table(&count);
    cr_assert_gt(count, 240);
    for (size_t i = 0; i < count; i++) {
        cr_assert(i == 0 || strcmp(table[i - 1].name, table[i].name) < 0, "%s", table[i].name);
        for (size_t j = 1; j < table[i].nsubs; j++)
            cr_assert(strcmp(table[i].subs[j - 1].name, table[i].subs[j].name) < 0, "%s",
                      table[i].subs[j].name);
    }
}

Test(command, arity)
{
    const struct command *get = command_find(text("get"), text("k"));
    const struct command *set = command_find(text("set"), text("k"));
    cr_assert(command_arity_ok(get, 2));
    cr_assert_not(command_arity_ok(get, 1));
    cr_assert_not(command_arity_ok(get, 3));
    cr_assert(command_arity_ok(set, 3));
    cr_assert(command_arity_ok(set, 5));
    cr_assert_not(command_arity_ok(set, 2));
}

Test(command, the_proxys_own_are_told_by_their_spelling)
{
    cr_assert(command_is_own(text("Info")));
    cr_assert(command_is_own(text("Select")));
    cr_assert_not(command_is_own(text("INFO")));
    cr_assert_not(command_is_own(text("info")));
    cr_assert_not(command_is_own(text("Info2")));
    cr_assert_not(command_is_own(text("Get")));
    cr_assert_not(command_is_own(text("")));
}

/* ---- kinds of verbs ---- */

/* Whether exactly these verbs are of the kind. */
static void are_all(bool (*kind)(uint8_t verb), const enum command_verb *verbs, size_t count)
{
    for (unsigned verb = 0; verb < VERBS; verb++) {
        bool is = false;
        for (size_t i = 0; i < count; i++)
            is |= verbs[i] == verb;
        cr_assert_eq(kind((uint8_t)verb), is, "verb %u", verb);
    }
}

#define ARE_ALL(kind, ...)                                                                         \
    are_all(kind, (const enum command_verb[]){__VA_ARGS__},                                        \
            sizeof((const enum command_verb[]){__VA_ARGS__}) / sizeof(enum command_verb))

Test(command, these_are_subscriptions)
{
    ARE_ALL(command_is_subscription, VERB_SUBSCRIBE, VERB_PSUBSCRIBE, VERB_SSUBSCRIBE,
            VERB_UNSUBSCRIBE, VERB_PUNSUBSCRIBE, VERB_SUNSUBSCRIBE);
}

Test(command, these_make_a_transaction)
{
    ARE_ALL(command_is_transaction, VERB_MULTI, VERB_EXEC, VERB_DISCARD, VERB_WATCH, VERB_UNWATCH);
}

Test(command, these_tell_the_node_something_about_the_connection)
{
    ARE_ALL(command_is_told, VERB_CLIENT_TRACKING, VERB_CLIENT_NO_EVICT, VERB_CLIENT_NO_TOUCH,
            VERB_CLIENT_IMPORT_SOURCE);
}

static uint8_t verb_named(const char *name, const char *sub)
{
    return command_find(text(name), text(sub))->verb;
}

/* A verb that stood at the wrong row would be as good as none. */
Test(command, a_kind_is_found_by_its_commands_names)
{
    static const char *const subscriptions[] = {"subscribe",   "psubscribe",   "ssubscribe",
                                                "unsubscribe", "punsubscribe", "sunsubscribe"};
    static const char *const transaction[] = {"multi", "exec", "discard", "watch", "unwatch"};
    static const char *const told[] = {"tracking", "no-evict", "no-touch"};
    for (size_t i = 0; i < sizeof(subscriptions) / sizeof(subscriptions[0]); i++)
        cr_assert(command_is_subscription(verb_named(subscriptions[i], "")));
    for (size_t i = 0; i < sizeof(transaction) / sizeof(transaction[0]); i++)
        cr_assert(command_is_transaction(verb_named(transaction[i], "")));
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        cr_assert(command_is_told(verb_named("client", told[i])));
    cr_assert_not(command_is_subscription(verb_named("publish", "")));
    cr_assert_not(command_is_transaction(verb_named("get", "")));
    cr_assert_not(command_is_told(verb_named("client", "getredir")));
}

/* ---- our columns ---- */

static void is_consistent(const struct command *row)
{
    const char *name = row->name;
    unsigned flags = row->flags;
    /* the read port writes nothing, and RP is only for what is not readonly anyway */
    cr_assert_not(flags & COMMAND_READ_PORT && flags & (COMMAND_WRITE | COMMAND_READONLY), "%s",
                  name);
    cr_assert_not(flags & COMMAND_WRITE && flags & COMMAND_READONLY, "%s", name);
    /* what may wait is on an upstream of its own */
    cr_assert(!(flags & COMMAND_BLOCKING) || row->way == WAY_BLOCK, "%s", name);
    /* what is never sent is allowed nowhere */
    cr_assert(row->way != WAY_REFUSE || !(flags & (COMMAND_READ_PORT | COMMAND_READONLY)), "%s",
              name);
    /* the session has a verb for what it performs, and for nothing else */
    bool performed = row->verb >= VERB_AUTH && row->verb <= VERB_CLIENT_UNBLOCK;
    cr_assert_eq(row->way == WAY_SESSION, performed, "%s", name);
    bool state = row->verb >= VERB_MULTI && row->verb <= VERB_MONITOR;
    cr_assert(!state || row->way == WAY_LEASE, "%s", name);
    cr_assert(row->verb != VERB_WAIT || row->way == WAY_BLOCK, "%s", name);
    cr_assert(row->verb != VERB_EVERYWHERE || row->way == WAY_SHARE, "%s", name);
    bool script = row->verb >= VERB_EVAL && row->verb <= VERB_FCALL;
    cr_assert(!script || row->way == WAY_ALONE, "%s", name);
    /* an unknown subcommand is handled with care */
    if (row->subs && strcmp(name, "command") != 0)
        cr_assert(row->way == WAY_LEASE && !(flags & COMMAND_READ_PORT), "%s", name);
    cr_assert(row->subs == NULL || row->nsubs > 0, "%s", name);
}

Test(command, columns_are_consistent)
{
    each_row(is_consistent);
}

/* What may change data, the node or other clients, though it lacks the write flag. */
Test(command, the_read_port_refuses)
{
    static const char *const refused[][2] = {
        {"config", "set"},    {"config", "rewrite"}, {"config", "resetstat"},
        {"replicaof", ""},    {"slaveof", ""},       {"shutdown", ""},
        {"failover", ""},     {"debug", ""},         {"save", ""},
        {"bgsave", ""},       {"bgrewriteaof", ""},  {"cluster", "failover"},
        {"publish", ""},      {"spublish", ""},      {"client", "kill"},
        {"client", "pause"},  {"client", "unpause"}, {"acl", "setuser"},
        {"acl", "deluser"},   {"acl", "load"},       {"acl", "save"},
        {"acl", "new"},       {"module", "load"},    {"module", "unload"},
        {"script", "flush"},  {"script", "kill"},    {"script", "debug"},
        {"function", "kill"}, {"function", "load"},  {"latency", "reset"},
        {"slowlog", "reset"}, {"cluster", "reset"},  {"sync", ""},
        {"psync", ""},        {"replconf", ""},      {"post", ""},
        {"host:", ""},        {"asking", ""},        {"wait", ""},
        {"config", "new"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const struct command *row = command_find(text(refused[i][0]), text(refused[i][1]));
        cr_assert_not_null(row);
        cr_assert_not(row->flags & (COMMAND_READONLY | COMMAND_READ_PORT), "%s", row->name);
    }
}

/* ---- against a live server ---- */

static bool has_flag(const redisReply *flags, const char *name)
{
    for (size_t i = 0; i < flags->elements; i++)
        if (strcmp(flags->element[i]->str, name) == 0)
            return true;
    return false;
}

static void same_flags(const redisReply *flags, const struct command *row)
{
    static const struct {
        const char *name;
        unsigned flag;
    } known[] = {
        {"readonly", COMMAND_READONLY},        {"write", COMMAND_WRITE},
        {"blocking", COMMAND_BLOCKING},        {"noscript", COMMAND_NOSCRIPT},
        {"movablekeys", COMMAND_MOVABLE_KEYS},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        cr_expect_eq(has_flag(flags, known[i].name), (row->flags & known[i].flag) != 0, "%s: %s",
                     row->name, known[i].name);
    /* COMMAND of 7.0 never says so; were it to, the table must know */
    if (has_flag(flags, "may_replicate"))
        cr_expect(row->flags & COMMAND_MAY_REPLICATE, "%s: may_replicate", row->name);
}

/* One entry of COMMAND: name, arity, flags, first key, last key, step, categories, tips, key
 * specifications, subcommands. Returns how many rows it stands for. */
static size_t same_as_server(const redisReply *entry)
{
    const char *full = entry->element[0]->str, *bar = strchr(full, '|');
    struct slice name = {full, bar ? (size_t)(bar - full) : strlen(full)};
    const struct command *row = command_find(name, text(bar ? bar + 1 : ""));
    if (!row || strcmp(row->name, full) != 0) {
        cr_expect_fail("the table lacks %s", full);
        return 0;
    }
    cr_expect_not(row->flags & COMMAND_NEWER, "%s is marked NEWER", full);
    cr_expect_eq(row->arity, entry->element[1]->integer, "%s: arity", full);
    same_flags(entry->element[2], row);
    cr_expect_eq(row->first_key, entry->element[3]->integer, "%s: first key", full);
    cr_expect_eq(row->last_key, entry->element[4]->integer, "%s: last key", full);
    cr_expect_eq(row->key_step, entry->element[5]->integer, "%s: key step", full);
    size_t rows = 1;
    const redisReply *subs = entry->element[9];
    for (size_t i = 0; i < subs->elements; i++)
        rows += same_as_server(subs->element[i]);
    return rows;
}

static size_t rows_of_7_0;

static void count_row(const struct command *row)
{
    rows_of_7_0 += !(row->flags & COMMAND_NEWER);
}

/* Another server has other commands, and some of its flags: but what reads reads, and what may wait is
 * never shared, or one table could not do for all. Before 7.0 COMMAND has no subcommands. */
static void no_contradiction(const redisReply *entry)
{
    const char *full = entry->element[0]->str, *bar = strchr(full, '|');
    struct slice name = {full, bar ? (size_t)(bar - full) : strlen(full)};
    const struct command *row = command_find(name, text(bar ? bar + 1 : ""));
    const redisReply *flags = entry->element[2];
    if (entry->elements < 10 || !row || strcmp(row->name, full) != 0)
        return;
    cr_expect_eq(has_flag(flags, "readonly"), (row->flags & COMMAND_READONLY) != 0, "%s", full);
    cr_expect_eq(has_flag(flags, "write"), (row->flags & COMMAND_WRITE) != 0, "%s", full);
    cr_expect(!has_flag(flags, "blocking") || row->way == WAY_BLOCK, "%s", full);
    cr_expect_eq(row->first_key, entry->element[3]->integer, "%s: first key", full);
    for (size_t i = 0; i < entry->element[9]->elements; i++)
        no_contradiction(entry->element[9]->element[i]);
}

static bool is_7_0(redisContext *context)
{
    redisReply *info = redisCommand(context, "INFO server");
    bool yes = strstr(info->str, "redis_version:7.0.") != NULL;
    freeReplyObject(info);
    return yes;
}

Test(command, the_table_says_what_the_server_says, .timeout = 60)
{
    struct live_redis live;
    live_start(&live);
    redisReply *reply = redisCommand(live.context, "COMMAND");
    cr_assert_eq(reply->type, REDIS_REPLY_ARRAY);
    size_t rows = 0;
    if (!is_7_0(live.context)) {
        for (size_t i = 0; i < reply->elements; i++)
            no_contradiction(reply->element[i]);
        freeReplyObject(reply);
        live_stop(&live);
        return;
    }
    for (size_t i = 0; i < reply->elements; i++)
        rows += same_as_server(reply->element[i]);
    /* every row of the server was found, each another: equal numbers mean that ours has no more */
    each_row(count_row);
    cr_expect_eq(rows, rows_of_7_0, "server %zu, table %zu", rows, rows_of_7_0);
    freeReplyObject(reply);
    live_stop(&live);
}

/* ---- what is shared ---- */

static struct live_redis shared_live;

/* What CLIENT INFO says of the connection's state. */
static void connection_state(char *out, size_t size)
{
    static const char *const parts[] = {
        " name=", " flags=", " db=", " sub=", " psub=", " multi=", " user=", " redir=", " resp="};
    redisReply *info = redisCommand(shared_live.context, "CLIENT INFO");
    cr_assert(info && info->type == REDIS_REPLY_STRING);
    size_t len = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const char *part = strstr(info->str, parts[i]);
        if (part) /* some came with later versions */
            len += (size_t)snprintf(out + len, size - len, "%.*s",
                                    1 + (int)strcspn(part + 1, " \n"), part);
    }
    freeReplyObject(info);
}

/* Sends the command with as few arguments as it takes, each "1", and an ECHO. */
static void send_shortest(const struct command *row)
{
    const char *argv[16] = {row->name, "1", "1", "1", "1", "1", "1", "1",
                            "1",       "1", "1", "1", "1", "1", "1", "1"};
    char name[64];
    snprintf(name, sizeof(name), "%s", row->name);
    char *bar = strchr(name, '|');
    argv[0] = name;
    if (bar) {
        *bar = '\0';
        argv[1] = bar + 1;
    }
    redisAppendCommandArgv(shared_live.context, abs(row->arity), argv, NULL);
    redisAppendCommand(shared_live.context, "ECHO behind");
}

/* Left out: what would write files, and COMMAND DOCS, which is nested too deeply for hiredis. */
static bool can_be_tried(const struct command *row)
{
    return row->way == WAY_SHARE && strncmp(row->name, "bg", 2) != 0 &&
           strcmp(row->name, "command|docs") != 0;
}

static void answers_once(const struct command *row)
{
    if (!can_be_tried(row))
        return;
    char before[256], after[256];
    redisReply *reply = NULL, *echo = NULL;
    connection_state(before, sizeof(before));
    send_shortest(row);
    cr_assert_eq(redisGetReply(shared_live.context, (void **)&reply), REDIS_OK, "%s", row->name);
    cr_assert_eq(redisGetReply(shared_live.context, (void **)&echo), REDIS_OK, "%s", row->name);
    cr_assert(echo->type == REDIS_REPLY_STRING && strcmp(echo->str, "behind") == 0, "%s",
              row->name);
    freeReplyObject(reply);
    freeReplyObject(echo);
    connection_state(after, sizeof(after));
    cr_assert_str_eq(before, after, "%s", row->name);
}

/* One reply, the connection's state unchanged, never closed. */
Test(command, what_is_shared_answers_once, .timeout = 60)
{
    live_start(&shared_live);
    each_row(answers_once);
    live_stop(&shared_live);
}
