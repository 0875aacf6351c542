/*
 * table: what is special about which command. A row stands for a verb, which redis/commands.def gives to one or more
 * commands, and names the functions that a session calls at certain points of the command's way (struct verb,
 * session/hooks.h, which tells when each is called). A command without a row needs nothing special: it is sent, and
 * its reply is delivered. README.md in this folder shows how a command is added.
 */
#include "commands/table.h"

#include "commands/capa.h"
#include "commands/client_kill.h"
#include "commands/client_list.h"
#include "commands/client_unblock.h"
#include "commands/connection.h"
#include "commands/connection_name.h"
#include "commands/everywhere.h"
#include "commands/exec.h"
#include "commands/info.h"
#include "commands/login.h"
#include "commands/pause.h"
#include "commands/pubsub.h"
#include "commands/redirect.h"
#include "commands/replication.h"
#include "commands/scan.h"
#include "commands/scripts.h"
#include "commands/tracking.h"
#include "commands/wait.h"

/* ACL LOG only tells something, but ACL LOG RESET changes it. */
static bool acl_log_changes(const struct session_request *r)
{
    return slice_is(session_arg(r, 2), "reset");
}

static const struct verb verbs[VERBS] = {
    /* who the client is */
    [VERB_AUTH] = {.perform = login_perform,
                   .prepare = login_prepare,
                   .answered = login_answered,
                   .node_decides = true},
    [VERB_HELLO] = {.perform = login_perform,
                    .prepare = login_prepare,
                    .answered = hello_answered,
                    .node_decides = true},
    [VERB_SELECT] = {.perform = login_perform,
                     .prepare = login_prepare,
                     .answered = login_answered,
                     .node_decides = true},
    /* its connection */
    [VERB_QUIT] = {.perform = quit_perform},
    [VERB_RESET] = {.perform = reset_perform},
    [VERB_CLIENT_ID] = {.perform = client_id_perform},
    [VERB_CLIENT_INFO] = {.perform = client_info_perform},
    [VERB_CLIENT_LIST] = {.perform = client_list_perform},
    [VERB_CLIENT_KILL] = {.perform = client_kill_perform},
    [VERB_CLIENT_UNBLOCK] = {.perform = client_unblock_perform},
    [VERB_CLIENT_GETNAME] = {.perform = connection_name_perform},
    [VERB_CLIENT_SETNAME] = {.perform = connection_name_perform},
    [VERB_CLIENT_SETINFO] = {.perform = connection_name_perform},
    [VERB_CLIENT_REPLY] = {.perform = connection_name_perform, .prepare = client_reply_prepare},
    [VERB_CLIENT_CAPA] = {.seen = client_capa_seen},
    /* what its node is told about it */
    [VERB_CLIENT_TRACKING] = {.prepare = tracking_prepare, .answered = tracking_answered},
    [VERB_CLIENT_NO_EVICT] = {.prepare = tracking_prepare, .answered = tracking_answered},
    [VERB_CLIENT_NO_TOUCH] = {.prepare = tracking_prepare, .answered = tracking_answered},
    [VERB_CLIENT_IMPORT_SOURCE] = {.prepare = tracking_prepare, .answered = tracking_answered},
    [VERB_CLIENT_REDIR] = {.prepare = tracking_redir_prepare, .answered = redirect_answered},
    /* transactions */
    [VERB_EXEC] = {.prepare = script_exec_prepare, .answered = exec_answered},
    /* messages */
    [VERB_SUBSCRIBE] = {.prepare = subscribe_prepare},
    [VERB_PSUBSCRIBE] = {.prepare = subscribe_prepare},
    [VERB_SSUBSCRIBE] = {.prepare = subscribe_prepare},
    [VERB_UNSUBSCRIBE] = {.prepare = subscribe_prepare},
    [VERB_PUNSUBSCRIBE] = {.prepare = subscribe_prepare},
    [VERB_SUNSUBSCRIBE] = {.prepare = subscribe_prepare},
    [VERB_MONITOR] = {.prepare = subscribe_prepare, .answered = monitor_answered},
    [VERB_PUBSUB] = {.repeatable = true}, /* it asks */
    /* scripts */
    [VERB_EVAL] = {.seen = script_seen, .answered = eval_answered},
    [VERB_EVALSHA] = {.seen = script_seen, .prepare = evalsha_prepare, .answered = script_answered},
    [VERB_FCALL] = {.seen = script_seen, .answered = script_answered},
    [VERB_EVERYWHERE] = {.sent = everywhere_sent,
                         .answered = everywhere_answered,
                         .with_exec = true,
                         .repeatable = true},
    /* the rest */
    [VERB_CLIENT_PAUSE] = {.answered = pause_answered, .with_exec = true},
    [VERB_CLIENT_UNPAUSE] = {.answered = pause_answered, .with_exec = true},
    [VERB_WAIT] = {.prepare = wait_prepare, .answered = wait_answered},
    [VERB_INFO] = {.seen = info_seen, .answered = info_answered},
    [VERB_SCAN] = {.seen = scan_seen,
                   .route = scan_route,
                   .sending = scan_sending,
                   .begins = scan_begins,
                   .repeatable = true}, /* it reads */
    [VERB_ACL_LOG] = {.changes = acl_log_changes},
    [VERB_SYNC] = {.route = replication_route, .replicates = true},
    [VERB_REPLCONF] = {.route = replication_route, .replicates = true},
};

static const struct carried *const carried[] = {&pubsub_carried, &tracking_carried};

const struct session_hooks command_hooks = {.verbs = verbs,
                                            .carried = carried,
                                            .carried_count = sizeof(carried) / sizeof(carried[0]),
                                            .new_master = script_tell_new_master};
