/*
 * tiny: a module for redis-server, whose commands the proxy's table cannot know (test_versions). Each
 * answers with the node's id of the connection that it came on.
 *
 *     TINY.READ key     readonly
 *     TINY.WRITE key    write: adds one to the key
 *     TINY.KEEP         no keys, no flags: it may do anything to its connection
 *
 * Redis' own redismodule.h is not on every machine: what is needed of the module API is declared here.
 */
#include <stddef.h>

struct context;

static int (*get_api)(const char *name, void *function);
static int (*set_attributes)(struct context *, const char *name, int version, int api);
static int (*create_command)(struct context *, const char *name,
                             int (*run)(struct context *, void **argv, int argc), const char *flags,
                             int first_key, int last_key, int key_step);
static unsigned long long (*client_id)(struct context *);
static int (*reply_number)(struct context *, long long);
static int (*wrong_arity)(struct context *);
static void *(*call)(struct context *, const char *command, const char *format, ...);
static void (*free_reply)(void *reply);

static int answer(struct context *ctx, void **argv, int argc)
{
    (void)argv;
    (void)argc;
    return reply_number(ctx, (long long)client_id(ctx));
}

static int answer_write(struct context *ctx, void **argv, int argc)
{
    if (argc != 2)
        return wrong_arity(ctx);
    free_reply(call(ctx, "INCR", "!s", argv[1]));
    return answer(ctx, argv, argc);
}

/* What redis-server calls. A context begins with the function that finds all others. */
int RedisModule_OnLoad(struct context *ctx);

int RedisModule_OnLoad(struct context *ctx)
{
    get_api = *(int (**)(const char *, void *))ctx;
    get_api("RedisModule_SetModuleAttribs", &set_attributes);
    get_api("RedisModule_CreateCommand", &create_command);
    get_api("RedisModule_GetClientId", &client_id);
    get_api("RedisModule_ReplyWithLongLong", &reply_number);
    get_api("RedisModule_WrongArity", &wrong_arity);
    get_api("RedisModule_Call", &call);
    get_api("RedisModule_FreeCallReply", &free_reply);
    if (!set_attributes || !create_command || !client_id || !reply_number || !wrong_arity ||
        !call || !free_reply)
        return 1;
    set_attributes(ctx, "tiny", 1, 1);
    return create_command(ctx, "tiny.read", answer, "readonly fast", 1, 1, 1) |
           create_command(ctx, "tiny.write", answer_write, "write deny-oom", 1, 1, 1) |
           create_command(ctx, "tiny.keep", answer, "", 0, 0, 0);
}
