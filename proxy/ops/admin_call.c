/* admin_call: see the header. */
#include "ops/admin_call.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/verb.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 512

/* Who did what: one line for everything that changes something. */
static void note(const struct admin_call *call, const char *error)
{
    char args[256] = "", quoted[300], why[400];
    size_t len = 0;
    if (!call->verb || !verb_changes(call->verb, call->argc))
        return;
    for (int i = 0; i < call->argc && len < sizeof(args); i++)
        len +=
            (size_t)snprintf(args + len, sizeof(args) - len, "%s%s", i ? " " : "", call->argv[i]);
    if (error)
        log_event(LOG_WARN, "administration",
                  "verb=%s args=%s uid=%lu pid=%ld result=failed ms=%" PRId64 " error=%s",
                  call->verb->name, log_quote(quoted, sizeof(quoted), args),
                  (unsigned long)call->uid, (long)call->pid, clock_ms() - call->since_ms,
                  log_quote(why, sizeof(why), error));
    else
        log_event(LOG_INFO, "administration",
                  "verb=%s args=%s uid=%lu pid=%ld result=ok ms=%" PRId64, call->verb->name,
                  log_quote(quoted, sizeof(quoted), args), (unsigned long)call->uid,
                  (long)call->pid, clock_ms() - call->since_ms);
}

static void answer(struct admin_call *call, cJSON *result, const char *error)
{
    cJSON *root = cJSON_CreateObject();
    note(call, error);
    cJSON_AddNumberToObject(root, "version", ADMIN_VERSION);
    cJSON_AddBoolToObject(root, "ok", !error);
    if (error)
        admin_add_text(root, "error", error);
    if (result)
        cJSON_AddItemToObject(root, "result", result);
    char *text = cJSON_PrintUnformatted(root);
    if (!text)
        abort();
    cJSON_Delete(root);
    call->answered(call, text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(call->request);
    free(call);
}

void admin_done(struct admin_call *call, cJSON *result)
{
    answer(call, result, NULL);
}

void admin_failed_with(struct admin_call *call, cJSON *result, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    answer(call, result, text);
}

void admin_job_start(struct admin_core *core, struct admin_job *job,
                     bool (*step)(struct admin_job *job, int64_t now_ms, bool ending))
{
    job->step = step;
    list_init(&job->in_jobs);
    list_append(&core->jobs, &job->in_jobs);
}

/* ---- arguments ---- */

/* Whether the argument is this option; *value is what stands behind a '='. */
static bool is_option(const char *arg, const char *name, const char **value)
{
    size_t len = strlen(name);
    if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, name, len) != 0)
        return false;
    *value = arg[2 + len] == '=' ? arg + 2 + len + 1 : NULL;
    return *value || !arg[2 + len];
}

const char *admin_option(const struct admin_call *call, const char *name)
{
    const char *value;
    for (int i = 0; i < call->argc; i++)
        if (is_option(call->argv[i], name, &value))
            return value ? value : i + 1 < call->argc ? call->argv[i + 1] : NULL;
    return NULL;
}

const char *admin_word(const struct admin_call *call, int number)
{
    for (int i = 0; i < call->argc; i++) {
        if (strncmp(call->argv[i], "--", 2) == 0)
            i += !strchr(call->argv[i], '='); /* and its value */
        else if (number-- == 0)
            return call->argv[i];
    }
    return NULL;
}

bool admin_parse_duration(int64_t *ms, const char *text)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].name) == 0)
            return errno == 0 && !__builtin_mul_overflow(number, units[i].ms, ms);
    return false;
}

int admin_group(struct admin_call *call, const char *name)
{
    const struct traffic_options *options = &call->core->sources.config->traffic;
    int found = -1;
    size_t count = 0;
    for (size_t i = 0; i < options->group_count; i++) {
        if (options->groups[i].gone)
            continue;
        count++;
        if (!name || strcmp(options->groups[i].name, name) == 0)
            found = (int)i;
    }
    if (found >= 0 && (name || count == 1))
        return found;
    if (name)
        admin_failed(call, "there is no group %s: \"redisproxy ctl status\" shows the groups",
                     name);
    else
        admin_failed(call, "there are %zu groups: say which one", count);
    return -1;
}

/* ---- answers ---- */

void admin_add_text(cJSON *object, const char *name, const char *text)
{
    char clean[TEXT_MAX];
    size_t i;
    for (i = 0; i < sizeof(clean) - 1 && text[i]; i++)
        clean[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    clean[i] = '\0';
    cJSON_AddStringToObject(object, name, clean);
}

void admin_add_number(cJSON *object, const char *name, int64_t number)
{
    cJSON_AddNumberToObject(object, name, (double)number);
}
