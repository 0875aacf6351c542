/* verb: the table. To add a verb, add a row here, and its function in an admin_*.c. */
#include "ops/verb.h"

#include "ops/admin_verbs.h"
#include "ops/doctor.h"

#include <string.h>

static int doctor(const struct config *config, bool json)
{
    return doctor_run(config, json, stdout);
}

/* clang-format off */
static const struct verb table[] = {
    {.name = "status", .args = "", .begin = admin_status,
     .help = "the whole at a glance: groups, listeners, clients, what is held"},
    {.name = "nodes", .args = "[GROUP]", .most = 1, .words = WORDS_GROUP, .begin = admin_nodes,
     .help = "each node: role, state, whether it is written to and read, why it refuses the proxy"},
    {.name = "sentinels", .args = "[GROUP]", .most = 1, .words = WORDS_GROUP, .begin = admin_sentinels,
     .help = "each Sentinel: whether it answers, whom it names, whether that is the proxy's master"},
    {.name = "sessions", .args = "[FILTER...] [--limit N]", .most = 8, .options = "--limit",
     .words = WORDS_SESSION, .begin = admin_sessions,
     .help = "the clients: address, user, library, age, idle, state, what is unanswered",
     .more = "A filter is FIELD=VALUE, FIELD!=VALUE, or FIELD>VALUE and FIELD<VALUE for times, numbers and sizes; a client "
             "is shown when all of several hold. Fields: id, address, user, name, library, listener, group, state, "
             "command, tls, db, age, idle, in_flight, waiting, requests, output. A text that ends in * is a beginning. A "
             "state is idle, busy, transaction, subscribed, blocked, replication, held or leaving. At most 10000 are shown "
             "unless --limit says otherwise."},
    {.name = "kill", .args = "ID|ADDRESS|FILTER...", .least = 1, .most = 8, .words = WORDS_SESSION,
     .changes = true, .begin = admin_kill,
     .help = "disconnects clients at once: with this id, from this address, or whom the filters mean",
     .more = "What they had in flight is executed or not, as when a client dies. \"rebalance\" is the gentle way."},
    {.name = "pause", .args = "GROUP [--for TIME]", .least = 1, .most = 1, .options = "--for",
     .words = WORDS_GROUP, .changes = true, .begin = admin_pause,
     .help = "holds what is for the group's master, as in a switchover; it resumes by itself",
     .more = "Requests wait in their order, within hold_memory; what replicas serve goes on. The answer comes when "
             "everything that was sent before is answered (for at most 5 s). A pause lasts at most nine tenths of "
             "hold_timeout, which is also what it lasts without --for, so that no request fails for it."},
    {.name = "resume", .args = "GROUP", .least = 1, .most = 1, .words = WORDS_GROUP,
     .changes = true, .begin = admin_resume, .help = "ends a pause"},
    {.name = "switchover", .args = "GROUP [--to NODE] [--timeout TIME]", .least = 1, .most = 1,
     .options = "--to --timeout", .words = WORDS_GROUP, .changes = true, .slow = true,
     .begin = admin_switchover,
     .help = "a planned change of master, without a lost write: checks, holds, asks Sentinel, waits, verifies",
     .more = "It is refused, and nothing is changed, when a Sentinel has no quorum or a replica that may be promoted is not "
             "in step. Requests are held from before Sentinel is asked until the new master is written to. When it fails "
             "later, what is held goes on with the master that there is. The exit status is fit for a preStop hook: 0 means "
             "that another node is master now.\n\n"
             "Sentinel chooses the new master, and takes no wish. --to is accepted when Sentinel's own rule leaves no other "
             "choice: NODE alone has the lowest replica-priority. Otherwise the answer says what to set."},
    {.name = "reconnect", .args = "[GROUP]", .most = 1, .words = WORDS_GROUP, .changes = true,
     .begin = admin_reconnect,
     .help = "makes the connections to the nodes anew, at boundaries between requests; none is dropped",
     .more = "A client's own connection is kept while it has a transaction, subscriptions or anything else there, and goes "
             "when that ends: own_later says how many there are."},
    {.name = "rebalance", .args = "[--over TIME]", .options = "--over", .changes = true,
     .begin = admin_rebalance,
     .help = "disconnects all clients at boundaries between their requests, spread over a time (60s)",
     .more = "For after a rollout: clients come back evenly over all instances. Who is inside a transaction or blocks is "
             "asked again at the end, and stays if that is still so. The log says when it is over."},
    {.name = "drain", .args = "", .changes = true, .begin = admin_drain,
     .help = "ends the proxy as SIGTERM does: what is in flight or held is answered first",
     .more = "It answers at once. The SIGTERM that follows asks for the same, and is no second signal: so it can be a preStop hook."},
    {.name = "log-level", .args = "[LEVEL]", .most = 1, .words = WORDS_LEVEL, .changes = true,
     .only_asks_alone = true, .begin = admin_log_level,
     .help = "shows or sets which lines are logged: debug, info, warn or error; until the next start"},
    {.name = "config", .args = "[get [NAME] | diff]", .most = 2, .slow = true, .words = WORDS_CONFIG,
     .begin = admin_config, .help = "the settings in effect, with the line that set them; diff: what a reload would change",
     .more = "Secrets are shown as ***. diff reads the file as a reload would, and changes nothing; its exit status is 1 when "
             "the file is wrong."},
    {.name = "history", .args = "[GROUP]", .most = 1, .words = WORDS_GROUP, .begin = admin_history,
     .help = "the last switchovers: when, how long each phase took, what was held"},
    {.name = "reload", .args = "", .changes = true, .slow = true, .begin = admin_reload,
     .help = "reads the configuration file again: all of it is used, or, with an error, nothing",
     .more = "As SIGHUP does, but the answer says what has changed, or what is wrong with the file, and the exit status is 1 "
             "then. Clients that need not change do not notice."},
    {.name = "doctor", .args = "", .local = doctor,
     .help = "what is wrong with this deployment, each with the setting to change; it needs -c"},
};
/* clang-format on */

const struct verb *verb_table(size_t *count)
{
    *count = sizeof(table) / sizeof(table[0]);
    return table;
}

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
