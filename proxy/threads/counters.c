/* counters: see the header. */
#include "threads/counters.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        abort();
    return memory;
}

/* Of pages that the system gives zeroed, and only when they are touched. */
static struct command_counters *commands_new(void)
{
    size_t size = COUNTED_COMMANDS * sizeof(struct command_counters);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

static void commands_free(struct command_counters *commands)
{
    munmap(commands, COUNTED_COMMANDS * sizeof(struct command_counters));
}

struct counters *counters_new(size_t listeners, size_t groups)
{
    struct counters *c = zeroed(1, sizeof(*c));
    c->listener_count = listeners;
    c->group_count = groups;
    c->listeners = zeroed(listeners, sizeof(*c->listeners));
    c->groups = zeroed(groups, sizeof(*c->groups));
    for (size_t i = 0; i < listeners; i++) /* what is not counted in takes no memory */
        c->listeners[i].commands = commands_new();
    return c;
}

void counters_free(struct counters *c)
{
    for (size_t i = 0; i < c->listener_count; i++)
        commands_free(c->listeners[i].commands);
    free(c->listeners);
    free(c->groups);
    free(c);
}

/* ---- nodes ---- */

struct node_counters *counters_node(struct counters *c, size_t group, uint64_t node)
{
    for (size_t i = 0; i < NODE_COUNTERS_MAX; i++)
        if (atomic_load_explicit(&c->nodes[i].node, memory_order_acquire) == node &&
            c->nodes[i].group == group)
            return &c->nodes[i];
    return NULL;
}

struct node_counters *counters_take_node(struct counters *c, size_t group, uint64_t node)
{
    struct node_counters *of = counters_node(c, group, node);
    for (size_t i = 0; i < NODE_COUNTERS_MAX && !of; i++)
        if (atomic_load_explicit(&c->nodes[i].node, memory_order_relaxed) == 0) {
            of = &c->nodes[i];
            of->group = group;
            atomic_store_explicit(&of->node, node, memory_order_release);
        }
    return of;
}

void counters_release_node(struct node_counters *of)
{
    atomic_store_explicit(&of->node, 0, memory_order_release);
    counter_set(&of->connects, 0);
    counter_set(&of->traffic.received, 0);
    counter_set(&of->traffic.sent, 0);
    for (int i = 0; i < CONNECT_FAILURE_COUNT; i++)
        counter_set(&of->failures[i], 0);
    for (int kind = 0; kind < UPSTREAM_KIND_COUNT; kind++)
        for (int phase = 0; phase < UPSTREAM_PHASE_COUNT; phase++)
            counter_set(&of->upstreams[kind][phase], 0);
}

/* ---- client libraries ---- */

static bool is_presentable(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len < CLIENT_LIB_SIZE;
}

static void add_lib(struct counters *c, const char *name, const char *version)
{
    size_t count = atomic_load_explicit(&c->lib_count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++)
        if (strcmp(c->libs[i].name, name) == 0 && strcmp(c->libs[i].version, version) == 0)
            return;
    if (count == CLIENT_LIBS_MAX)
        return;
    snprintf(c->libs[count].name, CLIENT_LIB_SIZE, "%s", name);
    snprintf(c->libs[count].version, CLIENT_LIB_SIZE, "%s", version);
    atomic_store_explicit(&c->lib_count, count + 1, memory_order_release);
}

void counters_note_lib(struct counters *c, const char *name, const char *version)
{
    size_t count = atomic_load_explicit(&c->lib_count, memory_order_relaxed);
    /* The last place is kept for those that find no other. */
    bool fits = is_presentable(name) && is_presentable(version);
    for (size_t i = 0; i < count && fits; i++)
        if (strcmp(c->libs[i].name, name) == 0 && strcmp(c->libs[i].version, version) == 0)
            return;
    if (fits && count < CLIENT_LIBS_MAX - 1)
        add_lib(c, name, version);
    else
        add_lib(c, "other", "other");
}

/* ---- requests ---- */

void counters_note_other(struct listener_counters *listener, const struct counted_request *r)
{
    counter_add(&listener->commands[r->command].others[r->result], 1);
    histogram_add(&listener->whole[r->class], r->whole);
    if (r->was_sent)
        histogram_add(&listener->node[r->class], r->node);
}

/* ---- labels ---- */

#define LABEL(id, label) label,
#define LABELS(function, type, LIST)                                                               \
    const char *function(enum type value)                                                          \
    {                                                                                              \
        static const char *const labels[] = {LIST(LABEL)};                                         \
        return labels[value];                                                                      \
    }

LABELS(request_result_label, request_result, REQUEST_RESULTS)
LABELS(close_reason_label, close_reason, CLOSE_REASONS)
LABELS(refuse_reason_label, refuse_reason, REFUSE_REASONS)
LABELS(retry_cause_label, retry_cause, RETRY_CAUSES)
LABELS(connect_failure_label, connect_failure, CONNECT_FAILURES)
LABELS(upstream_kind_label, upstream_kind, UPSTREAM_KINDS)
LABELS(upstream_phase_label, upstream_phase, UPSTREAM_PHASES)
