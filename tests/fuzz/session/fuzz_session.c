/*
 * fuzz_session: whole sessions against a model. The input is a play: who says
 * what, where it is cut, what nodes do and what the control plane publishes.
 * Sessions, router, pool and upstreams are the real ones; the rest of the
 * world is in this folder (world.h).
 *
 * What has to hold, whatever happens:
 *   - every command gets one reply, its own, and in order (hears.c);
 *   - no write is executed twice, nor behind a later one of its client, nor after its
 *     client was told that it was not (node.c, hears.c);
 *   - nothing is written to a node that the newest snapshot does not name (node.c);
 *   - in the end nobody waits, and nothing is left over.
 *
 * An event is two bytes: what happens, and how. After each the loop turns, and
 * nodes that are not slow answer, until nobody has anything to do; events
 * between BATCH and its end happen at once.
 *
 * Build and run: make fuzz [FUZZ_SECONDS=60]
 */
#include "world.h"

#include "base/log.h"
#include "base/secret.h"
#include "nodes/logins.h"
#include "session/drain.h"
#include "session/large_keys.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_TIMEOUT_MS 2000
#define TURNS_MAX 20000
/* More wrong passwords are not in one play. */
#define GUESSES_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stage {
    struct turn turn;
    struct traffic_group_options group;
    struct traffic_listener_options listeners[3];
    struct traffic_options options;
    struct session_host host;
    struct shared *shared;
    struct scripts *scripts;
    struct client *slots[SLOTS];
    int master;
    bool writable, settling, leaving;
};

static struct stage stage; /* too large for the stack of a sanitized build */

static void judge_all(void)
{
    for (unsigned i = 1; i <= books.client_count; i++)
        client_judge(books.clients[i]);
}

static bool turn_once(struct stage *s)
{
    bool did = wires_turn();
    did |= session_host_turn(&s->host);
    did |= nodes_act();
    judge_all();
    return did;
}

static void turn_until_quiet(struct stage *s)
{
    int turns = 0;
    while (turn_once(s))
        CHECK(++turns < TURNS_MAX, "it never ends");
}

static void pass_time(struct stage *s, unsigned ms)
{
    wire_now += ms;
    for (int i = 0; i < NODES; i++)
        node_expire_blocked(i);
    timers_run();
    session_host_tick(&s->host, (int64_t)wire_now);
}

static void show(struct stage *s)
{
    struct topology *next = topology_new(1);
    struct topology_group *group = &next->groups[0];
    group->name = s->group.name;
    group->state = s->writable ? GROUP_STEADY : GROUP_SWITCHING;
    group->master = s->master;
    group->writable = s->writable && s->master >= 0;
    group->settling = s->settling;
    group->node_count = NODES;
    group->nodes = calloc(NODES, sizeof(*group->nodes));
    for (int i = 0; i < NODES; i++) {
        group->nodes[i] = *node_view(i);
        group->nodes[i].readable = i != s->master && !node_is_master(i);
        group->nodes[i].leaving = s->leaving && i == s->master;
    }
    if (!group->writable)
        books.unserved = true;
    board_publish(s->turn.board, next);
    books.shown = next; /* the board keeps it */
    session_host_adopt(&s->host);
}

/* ---- life ---- */

static void begin(struct stage *s, uint8_t how)
{
    memset(s, 0, sizeof(*s));
    memset(&books, 0, sizeof(books));
    wires_begin();
    nodes_begin();
    turn_init(&s->turn, NULL, board_new(1), sizeof(struct session_request));
    s->group = (struct traffic_group_options){.name = "mymaster",
                                              .hold_timeout_ms = HOLD_TIMEOUT_MS,
                                              .hold_memory = how & 1 ? 400 : 1 << 20,
                                              .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    for (int i = 0; i < 3; i++)
        s->listeners[i] = (struct traffic_listener_options){
            .route = (enum route)i, .multiplexing = how & 2 ? MULTIPLEXING_NO : MULTIPLEXING_YES};
    s->options = (struct traffic_options){.groups = &s->group,
                                          .group_count = 1,
                                          .listeners = s->listeners,
                                          .listener_count = 3,
                                          .max_clients = 100,
                                          .request_max = 1 << 20,
                                          .output_high = how & 4 ? 200 : 1 << 16,
                                          .output_limit = 1 << 16,
                                          .output_memory = 1 << 17};
    s->shared = shared_new(1, 1, 3);
    s->host = (struct session_host){.turn = &s->turn,
                                    .options = &s->options,
                                    .request_share = how & 8 ? 20000 : 1 << 20,
                                    .stop.shared = s->shared,
                                    .hooks = &command_hooks};
    session_host_init(&s->host);
    s->turn.least =
        how & 8 ? TURN_HASTY : 0; /* half of the plays go on in the next turn after each step */
    s->scripts = scripts_new(2000);
    s->host.scripts = &s->scripts;
    s->host.learn = learn_new(&s->turn.requests);
    s->host.router =
        router_new(&s->turn, &s->options, s->shared, 0, &session_router_events, &s->host);
    s->writable = true;
    show(s);
}

/* Everything is well again, for as long as it takes. */
static bool somebody_waits(void)
{
    for (unsigned i = 1; i <= books.client_count; i++)
        if (!client_heard_all(books.clients[i]))
            return true;
    return false;
}

static void turn_until_nobody_blocks(struct stage *s)
{
    bool woke;
    do {
        turn_until_quiet(s);
        woke = node_wake_blocked(0);
        woke |= node_wake_blocked(1);
    } while (woke);
}

static void heal(struct stage *s)
{
    s->master = node_is_master(0) ? 0 : 1;
    node_become(s->master, true);
    s->writable = true;
    s->settling = s->leaving = false;
    for (int i = 0; i < NODES; i++) {
        node_down(i, false);
        node_slow(i, false);
        node_trouble(i, WELL);
        node_squeeze(i, ROOM_ENOUGH);
        if (node_is_leaving(i))
            node_crash(i, true);
    }
    show(s);
    for (unsigned i = 1; i <= books.client_count; i++) {
        struct client *c = books.clients[i];
        if (c->wire)
            c->wire->room = ROOM_ENOUGH;
        (void)client_send(c, ROOM_ENOUGH);
    }
    for (int i = 0; i < 60; i++) {
        turn_until_nobody_blocks(s);
        pass_time(s, 50);
    }
    turn_until_quiet(s);
    /* Who guesses passwords waits longer and longer from one try to the next (nodes/logins.h). */
    for (int i = 0; i < GUESSES_MAX && somebody_waits(); i++) {
        pass_time(s, LOGINS_PAUSE_MAX_MS);
        turn_until_nobody_blocks(s); /* a BLPOP may have stood behind that */
    }
}

static void end(struct stage *s)
{
    session_close_all(&s->host);
    router_close(s->host.router);
    turn_until_quiet(s);
    CHECK(s->host.count == 0, "a session is left");
    CHECK(router_empty(s->host.router), "an upstream is left");
    learn_free(s->host.learn);
    large_keys_expire(&s->host.large_keys, INT64_MAX);
    scripts_free(s->scripts);
    struct identities *all = router_identities(s->host.router);
    CHECK(all->all.next->next == &all->all, "an identity is still held"); /* but the proxy's own */
    router_free(s->host.router);
    shared_free(s->shared);
    CHECK(s->turn.requests.live == 0, "a request was forgotten");
    request_pool_free(&s->turn.requests);
    buf_stock_free(&s->turn.stock);
    board_free(s->turn.board);
    nodes_end();
    wires_end();
    for (unsigned i = 1; i <= books.client_count; i++)
        client_free(books.clients[i]);
}

/* ---- events ---- */

enum event {
    BATCH,
    NEXT_TURN,
    SEND,
    LEAVE,
    NEW_CLIENT,
    SQUEEZE_CLIENT,
    PASS_TIME,
    HOLD,
    RELEASE,
    PROMOTE,
    NO_MASTER,
    SWITCHED,
    SETTLED,
    LEAVING,
    CRASH,
    CUT,
    TROUBLE,
    DOWN,
    SLOW,
    EXECUTE,
    DELIVER,
    SQUEEZE_NODE,
    PUBLISH,
    WAKE,
    FORGET_USERS,
    EVENTS
};

static const char *const event_names[EVENTS] = {
    "batch",       "next turn", "send",    "leave",        "new client", "squeeze client",
    "pass time",   "hold",      "release", "promote",      "no master",  "switched",
    "settled",     "leaving",   "crash",   "cut",          "trouble",    "down",
    "slow",        "execute",   "deliver", "squeeze node", "publish",    "wake",
    "forget users"};

static void open_slot(struct stage *s, unsigned slot, uint8_t how)
{
    if (books.client_count < CLIENTS)
        s->slots[slot] = client_new(&s->host, &s->listeners[how % 3]);
}

static void switch_roles(struct stage *s)
{
    node_become(0, !node_is_master(0));
    node_become(1, !node_is_master(0));
    (void)s;
}

/* What the control plane says, and what is so, which need not be the same. */
static void play_topology(struct stage *s, enum event event, uint8_t how)
{
    switch (event) {
    case HOLD:
        s->writable = false;
        break;
    case RELEASE:
        s->writable = true;
        break;
    case PROMOTE:
        switch_roles(s);
        return;
    case NO_MASTER:
        s->writable = false;
        s->master = -1;
        break;
    case SWITCHED:
        s->master = node_is_master(0) ? 0 : 1;
        s->writable = how & 1;
        s->settling = true;
        s->leaving = false;
        break;
    case SETTLED:
        s->settling = false;
        break;
    default: /* LEAVING */
        if (s->master < 0)
            return;
        node_leave(s->master);
        s->leaving = true;
        break;
    }
    show(s);
}

static void play_node(struct stage *s, enum event event, uint8_t how)
{
    int node = how & 1;
    unsigned amount = how >> 1;
    (void)s;
    switch (event) {
    case CRASH:
        node_crash(node, amount & 1);
        break;
    case CUT:
        node_cut(node, amount >> 1, amount & 1 ? UV_EOF : UV_ECONNRESET);
        break;
    case TROUBLE:
        node_trouble(node, (enum trouble)(amount % TROUBLES));
        break;
    case DOWN:
        node_down(node, amount & 1);
        break;
    case SLOW:
        node_slow(node, amount & 1);
        break;
    case EXECUTE:
        (void)node_execute(node, amount);
        break;
    case DELIVER:
        (void)node_deliver(node, amount);
        break;
    case SQUEEZE_NODE:
        node_squeeze(node, amount == 127 ? ROOM_ENOUGH : amount);
        break;
    case PUBLISH:
        node_publish(node, amount % CHANNELS);
        break;
    case WAKE:
        (void)node_wake_blocked(node);
        break;
    default:
        node_forget_users();
        break;
    }
}

static void play_client(struct stage *s, enum event event, uint8_t how)
{
    unsigned slot = how % SLOTS, amount = how / SLOTS;
    struct client *c = s->slots[slot];
    if (!c && event != NEW_CLIENT)
        return;
    switch (event) {
    case SEND:
        (void)client_send(c, amount == 85 ? ROOM_ENOUGH : amount);
        break;
    case LEAVE:
        client_leave(c, amount & 1);
        break;
    case SQUEEZE_CLIENT:
        if (c->wire)
            c->wire->room = amount == 85 ? ROOM_ENOUGH : amount;
        break;
    default:
        open_slot(s, slot, (uint8_t)amount);
        break;
    }
}

/* Bytes under this issue a command: its slot, whether it is held back, whether it is a line. */
#define COMMANDS_UNDER 192

static void play(struct stage *s, uint8_t what, uint8_t how)
{
    enum event event = (enum event)((what - COMMANDS_UNDER) % EVENTS);
    if (what < COMMANDS_UNDER) {
        unsigned slot = what % SLOTS, rest = what / SLOTS;
        if (!s->slots[slot])
            open_slot(s, slot, 0);
        if (!s->slots[slot])
            return;
        client_issue(s->slots[slot], (enum kind)(how % KINDS), rest * 8 + how / KINDS,
                     (rest & 7) == 7);
        if (!(rest & 1))
            (void)client_send(s->slots[slot], ROOM_ENOUGH);
    } else if (event >= SEND && event <= SQUEEZE_CLIENT) {
        play_client(s, event, how);
    } else if (event == PASS_TIME) {
        pass_time(s, how);
    } else if (event >= HOLD && event <= LEAVING) {
        play_topology(s, event, how);
    } else if (event >= CRASH) {
        play_node(s, event, how);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage *s = &stage;
    unsigned batch = 0;
    if (size < 3)
        return 0;
    trace = getenv("FUZZ_TRACE") != NULL;
    log_set_level(trace ? LOG_DEBUG : LOG_ERROR);
    begin(s, data[0]);
    for (size_t at = 1; at + 1 < size; at += 2) {
        unsigned event = data[at] < COMMANDS_UNDER ? EVENTS : (data[at] - COMMANDS_UNDER) % EVENTS;
        if (event < EVENTS)
            TRACE("== %s %u", event_names[event], data[at + 1]);
        if (event == BATCH)
            batch = data[at + 1] % 16;
        else if (event == NEXT_TURN)
            (void)turn_once(s);
        else
            play(s, data[at], data[at + 1]);
        if (batch > 0)
            batch--;
        else
            turn_until_quiet(s);
    }
    heal(s);
    if (s->host.over_output > 0) /* who read nothing was over output_limit */
        books.cut_short = true;
    for (unsigned i = 1; i <= books.client_count; i++)
        client_has_heard_all(books.clients[i]);
    end(s);
    return 0;
}
