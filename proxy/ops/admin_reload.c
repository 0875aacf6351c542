/*
 * admin_reload: reload and config diff. A reload waits until all threads have followed, this one too; so it is done on a
 * thread of libuv's pool, and answered when that is through.
 */
#include "ops/admin_verbs.h"

#include "ops/admin_call.h"

#include <stdlib.h>
#include <string.h>

struct reloading {
    uv_work_t work;
    struct admin_call *call;
    bool (*what)(struct reload *reload, char **text);
    bool good;
    char *text;
};

/* On a thread of the pool. */
static void work(uv_work_t *work)
{
    struct reloading *r = work->data;
    r->good = r->what(r->call->core->sources.reload, &r->text);
}

/* A row for each line. */
static cJSON *rows_of(char *text, const char *name)
{
    cJSON *list = cJSON_CreateArray();
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        cJSON *row = *line ? cJSON_CreateObject() : NULL;
        if (!row)
            continue;
        admin_add_text(row, name, line);
        cJSON_AddItemToArray(list, row);
    }
    return list;
}

static void done(uv_work_t *work, int status)
{
    struct reloading *r = work->data;
    cJSON *result = cJSON_CreateObject();
    (void)status; /* it was not cancelled */
    r->call->core->reloading = false;
    cJSON_AddItemToObject(result, r->good ? "changes" : "errors",
                          rows_of(r->text, r->good ? "change" : "error"));
    if (r->good)
        admin_done(r->call, result);
    else
        admin_failed_with(r->call, result, "the configuration is not used, all stays as it was");
    free(r->text);
    free(r);
}

static void begin(struct admin_call *call, bool (*what)(struct reload *reload, char **text))
{
    struct reloading *r;
    if (call->core->reloading) {
        admin_failed(call, "another reload goes on: try again");
        return;
    }
    r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    r->call = call;
    r->what = what;
    r->work.data = r;
    call->core->reloading = true;
    if (uv_queue_work(call->core->loop, &r->work, work, done) != 0)
        abort(); /* it fails for a missing function only */
}

void admin_reload(struct admin_call *call)
{
    begin(call, call->core->sources.run);
}

void admin_config_diff(struct admin_call *call)
{
    begin(call, call->core->sources.preview);
}
