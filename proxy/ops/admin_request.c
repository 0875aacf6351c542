/* admin_request: see the header. */
#include "ops/admin_request.h"

#include "ops/verb.h"

#include <string.h>

/* Fills in verb and arguments. Returns false after refusing. */
static bool read_request(struct admin_call *call)
{
    const cJSON *verb = cJSON_GetObjectItemCaseSensitive(call->request, "verb");
    const cJSON *args = cJSON_GetObjectItemCaseSensitive(call->request, "args"), *arg;
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(call->request, "version");
    if (!cJSON_IsObject(call->request) || !cJSON_IsString(verb) || (args && !cJSON_IsArray(args))) {
        admin_failed(call, "this is no request: send a line "
                           "{\"version\":1,\"verb\":\"status\",\"args\":[]}");
        return false;
    }
    if (!cJSON_IsNumber(version) || version->valueint != ADMIN_VERSION) {
        admin_failed(call,
                     "the proxy speaks version %d of the admin protocol: use the "
                     "redisproxy program that it was started from",
                     ADMIN_VERSION);
        return false;
    }
    cJSON_ArrayForEach(arg, args)
    {
        if (!cJSON_IsString(arg) || call->argc == ADMIN_ARGS_MAX) {
            admin_failed(call, "args has to be at most %d texts", ADMIN_ARGS_MAX);
            return false;
        }
        call->argv[call->argc++] = arg->valuestring;
    }
    call->verb = verb_find(verb->valuestring);
    if (call->verb)
        return true;
    admin_failed(call, "there is no such verb: \"redisproxy ctl help\" lists them");
    return false;
}

static bool knows_option(const struct verb *verb, const char *arg)
{
    size_t len = strcspn(arg, "=");
    for (const char *at = verb->options ? verb->options : ""; *at; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == len && strncmp(at, arg, len) == 0)
            return true;
        at += word;
    }
    return false;
}

/* Whether the arguments have the verb's form; otherwise it is refused. */
static bool check_arguments(struct admin_call *call)
{
    const struct verb *verb = call->verb;
    int words = 0;
    while (admin_word(call, words))
        words++;
    for (int i = 0; i < call->argc; i++) {
        if (strncmp(call->argv[i], "--", 2) == 0 && !knows_option(verb, call->argv[i])) {
            admin_failed(call, "%s has no option %.40s: it is \"%s %s\"", verb->name, call->argv[i],
                         verb->name, verb->args);
            return false;
        }
    }
    if (words >= verb->least && words <= verb->most)
        return true;
    admin_failed(call, "these are too %s words: it is \"%s %s\"",
                 words < verb->least ? "few" : "many", verb->name, verb->args);
    return false;
}

void admin_request_begin(struct admin_call *call)
{
    if (!read_request(call) || !check_arguments(call))
        return;
    if (call->verb->begin)
        call->verb->begin(call);
    else
        admin_failed(call, "%s is not done here: use \"redisproxy ctl -c proxy.conf %s\"",
                     call->verb->name, call->verb->name);
}
