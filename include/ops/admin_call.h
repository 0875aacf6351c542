/*
 * admin_call: one request on the admin socket, from its line to its answer. A verb's function answers at once, or lets
 * other threads be asked (admin_letters.h) or a job go on (struct admin_job), and answers later; it answers exactly once.
 *
 *     {"version":1,"verb":"kill","args":["id=5"]}  -->  {"version":1,"ok":true,"result":{...}}
 *                                                       {"version":1,"ok":false,"error":"what is wrong: how to mend it"}
 *
 * In a result, names tell what a number is: ..._ms is a time, ..._bytes a size. The admin thread only.
 */
#ifndef REDISPROXY_OPS_ADMIN_CALL_H
#define REDISPROXY_OPS_ADMIN_CALL_H

#include "base/list.h"
#include "ops/config.h"
#include "threads/mail.h"
#include "topology/control.h"
#include "worker/workers.h"

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#define ADMIN_VERSION 1
#define ADMIN_ARGS_MAX 16
/* The longest line that is read. */
#define ADMIN_LINE_MAX ((size_t)8 * 1024)

struct reload;

/* What verbs work with; all of it outlives the admin thread, but for the configuration, which others may follow: what is
 * needed of it is read where it is needed. */
struct admin_sources {
    const struct config *config;
    struct reload *reload;
    /* ops/reload.h has them: reload_run(), reload_preview(). They wait for the admin thread, so they run on others. */
    bool (*run)(struct reload *reload, char **text);
    bool (*preview)(struct reload *reload, char **text);
    struct board *board;
    struct control *control;
    const struct workers *workers;
    /* Has the main thread drain and end the process. */
    void (*drain)(void);
};

struct admin;

/* What goes on for a while: step() is called every ADMIN_STEP_MS until it returns false; `ending`: the proxy ends, and it
 * has to come to an end now, answering its call. */
#define ADMIN_STEP_MS 10
struct admin_job {
    struct list in_jobs;
    bool (*step)(struct admin_job *job, int64_t now_ms, bool ending);
};

/* What a verb's file sees of the admin thread. */
struct admin_core {
    struct admin_sources sources;
    uv_loop_t *loop;
    struct mailbox box; /* what other threads have for this one */
    struct list jobs;
    int64_t started_ms, started_wall_ms;
    atomic_bool draining;
    bool rebalancing, switching, reloading; /* one at a time */
    bool ending;                            /* the thread ends: nobody is asked any more */
};

struct verb;

struct admin_call {
    struct admin_core *core;
    const struct verb *verb;
    int argc;
    const char *argv[ADMIN_ARGS_MAX]; /* behind the verb; they live as long as the call */
    cJSON *request;                   /* which holds them */
    int64_t since_ms;
    uid_t uid;
    pid_t pid;
    /* The connection's: takes the answer; the call is freed when it returns. */
    void (*answered)(struct admin_call *call, const char *text, size_t len);
    void *connection; /* NULL: the client has gone */
};

/* Answers with a result, which is freed; and frees the call. */
void admin_done(struct admin_call *call, cJSON *result);
/* Refuses, or says what went wrong and how to mend it; `result` (may be NULL) tells what was done. */
void admin_failed_with(struct admin_call *call, cJSON *result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define admin_failed(call, ...) admin_failed_with(call, NULL, __VA_ARGS__)

void admin_job_start(struct admin_core *core, struct admin_job *job,
                     bool (*step)(struct admin_job *job, int64_t now_ms, bool ending));

/* ---- arguments ---- */

/* The value of "--name VALUE" or "--name=VALUE" among the arguments, or NULL; *at is where it begins (-1: nowhere). */
const char *admin_option(const struct admin_call *call, const char *name);
/* The argument with this number among those that belong to no option, or NULL. */
const char *admin_word(const struct admin_call *call, int number);
/* Reads "500ms", "20s", "2m", "1h" (a bare number: seconds). Returns false when it is none. */
bool admin_parse_duration(int64_t *ms, const char *text);
/* The configured group with this name (NULL: the only one), or -1 after the call was refused. */
int admin_group(struct admin_call *call, const char *name);

/* ---- building answers ---- */

/* Adds a text of whom we do not know: what does not print becomes '?'. */
void admin_add_text(cJSON *object, const char *name, const char *text);
void admin_add_number(cJSON *object, const char *name, int64_t number);

#endif
