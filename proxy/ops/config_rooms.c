/*
 * config_rooms: the sections as the rooms' option structs. A group's index is the place of its name among all that there
 * ever were: what is known of it, and who waits for it, is found by this number.
 */
#include "ops/config_rooms.h"

#include "base/cpus.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* A group is kept for so long after the last of its sessions has to have gone. */
#define LINGER_MS 1000

/* Names of groups stand in snapshots and in the log's lines: they live as long as the process. Where one stands is the
 * group's index. What was counted for a listener is its address's: where that stands is the listener's number. */
struct config_names {
    size_t refs, count, room;
    size_t address_count, address_room;
    struct address *addresses;
    char *at[];
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (!memory)
        out_of_memory(count * size);
    return memory;
}

/* ---- names ---- */

static struct config_names *names_new(size_t groups, size_t listeners)
{
    size_t room = groups + CONFIG_GROUPS_SPARE;
    struct config_names *names = allocate(1, sizeof(*names) + room * sizeof(names->at[0]));

    names->room = room;
    names->address_room = listeners + CONFIG_LISTENERS_SPARE;
    names->addresses = allocate(names->address_room, sizeof(*names->addresses));
    return names;
}

/* The index of this name, with which it is entered if need be; -1: there is no room. */
static int names_index(struct config_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->at[i], name) == 0)
            return (int)i;
    if (names->count == names->room)
        return -1;
    names->at[names->count] = strdup(name);
    if (!names->at[names->count])
        abort();
    return (int)names->count++;
}

/* The same of a listener. */
static int address_number(struct config_names *names, const struct address *address)
{
    for (size_t i = 0; i < names->address_count; i++)
        if (address_equal(&names->addresses[i], address))
            return (int)i;
    if (names->address_count == names->address_room)
        return -1;
    names->addresses[names->address_count] = *address;
    return (int)names->address_count++;
}

void config_names_release(struct config_names *names)
{
    if (!names || --names->refs > 0)
        return;
    for (size_t i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->addresses);
    free(names);
}

void config_names_forget(struct config_names *names, const struct config *running)
{
    while (names->count > running->traffic.group_count)
        free(names->at[--names->count]);
    names->address_count = running->traffic.listener_numbers;
}

/* Enters those of this file. */
static void take_names(struct config *config, const struct config *running,
                       struct config_errors *errors)
{
    const struct config_sections *sections = config->sections;

    config->names = running ? running->names
                            : names_new(config_count(sections, SECTION_MASTER),
                                        config_count(sections, SECTION_LISTEN));
    config->names->refs++;
    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section->kind == SECTION_MASTER && names_index(config->names, section->label) < 0)
            config_error(
                errors, section->line,
                "[master %s] is one group too many since the proxy was started: restart it",
                section->label);
        else if (section->kind == SECTION_LISTEN &&
                 address_number(config->names, &section->address) < 0)
            config_error(
                errors, section->line,
                "[listen %s] is one address too many since the proxy was started: restart it",
                section->label);
    }
}

/* ---- the rooms' structs ---- */

static const struct section *first_group(const struct config_sections *sections)
{
    for (size_t i = 0; i < sections->count; i++)
        if (sections->items[i]->kind == SECTION_MASTER)
            return sections->items[i];
    return NULL;
}

static void fill_group(const struct section *section, const char *name,
                       struct topology_options *topology, struct traffic_group_options *traffic)
{
    const struct master_settings *settings = &section->settings.master;

    *topology = (struct topology_options){
        .name = name,
        .sentinels = settings->sentinels.items,
        .sentinel_count = settings->sentinels.count,
        .sentinel_username = settings->sentinel_username,
        .sentinel_password = settings->sentinel_password,
        .sentinel_password_file = settings->sentinel_password_file,
        .username = settings->username,
        .password = settings->password,
        .password_file = settings->password_file,
        .promotion = (enum promotion)settings->promotion,
        .reconfigure_assist = settings->reconfigure_assist,
        .fence = (enum fence)settings->fence,
        .demote = settings->demote,
        .lose_quorum = (enum lose_quorum)settings->lose_quorum,
        .quorum_timeout_ms = settings->quorum_timeout,
        .failover_assist_ms = settings->failover_assist,
        .assist_owner = settings->assist_owner,
        .replica_lag_ms = settings->replica_lag,
        .settle_timeout_ms = settings->settle_timeout,
        .stale_reads_ms = settings->stale_reads,
        .connect_timeout_ms = settings->connect_timeout,
    };
    *traffic = (struct traffic_group_options){
        .name = name,
        .hold_timeout_ms = settings->hold_timeout,
        .hold_memory = (size_t)settings->hold_memory,
        .connect_timeout_ms = settings->connect_timeout,
        .inflight_writes = (enum inflight_writes)settings->inflight_writes,
    };
}

static size_t workers(int64_t setting)
{
    size_t count = setting ? (size_t)setting : cpus_available();

    return count < WORKERS_MAX ? count : WORKERS_MAX;
}

/* A group that was there, and is not configured any more: its sessions may still be on their way out. */
static void fill_gone(struct config *config, const struct config *running, size_t index)
{
    struct traffic_group_options *group =
        (struct traffic_group_options *)&config->traffic.groups[index];
    struct topology_options *topology = &config->topology[index];

    if (running && index < running->traffic.group_count)
        *group = running->traffic.groups[index];
    group->name = topology->name = config->names->at[index];
    group->gone = topology->gone = true;
    topology->linger_ms = config->traffic.drain_timeout_ms + LINGER_MS;
}

static void fill_groups(struct config *config, const struct config *running)
{
    const struct config_sections *sections = config->sections;

    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section->kind != SECTION_MASTER)
            continue;
        size_t index = (size_t)names_index(config->names, section->label);
        fill_group(section, config->names->at[index], &config->topology[index],
                   (struct traffic_group_options *)&config->traffic.groups[index]);
    }
    for (size_t i = 0; i < config->traffic.group_count; i++)
        if (!config->topology[i].name)
            fill_gone(config, running, i);
}

static void fill_listeners(struct config *config)
{
    const struct config_sections *sections = config->sections;
    size_t listener = 0;

    for (size_t i = 0; i < sections->count; i++) {
        const struct section *section = sections->items[i];
        if (section->kind != SECTION_LISTEN)
            continue;
        const char *group = section->settings.listen.master;
        if (!group)
            group = first_group(sections)->label;
        ((struct traffic_listener_options *)config->traffic.listeners)[listener++] =
            (struct traffic_listener_options){
                .endpoint = section->endpoint,
                .address = section->address,
                .number = (size_t)address_number(config->names, &section->address),
                .group = (size_t)names_index(config->names, group),
                .route = (enum route)section->settings.listen.route,
                .multiplexing = (enum multiplexing)section->settings.listen.multiplexing,
                .allow_replication = section->settings.listen.allow_replication,
            };
    }
}

/* The threads run already: their number is what it was. */
void config_rooms_fill(struct config *config, const struct proxy_settings *proxy,
                       const struct config *running, struct config_errors *errors)
{
    size_t listener_count = config_count(config->sections, SECTION_LISTEN);

    take_names(config, running, errors);
    if (errors->count)
        return;
    config->traffic = (struct traffic_options){
        .groups = allocate(config->names->room, sizeof(*config->traffic.groups)),
        .group_count = config->names->count,
        .group_room = config->names->room,
        .listeners = allocate(listener_count, sizeof(*config->traffic.listeners)),
        .listener_count = listener_count,
        .listener_numbers = config->names->address_count,
        .listener_room = config->names->address_room,
        .workers = running ? running->traffic.workers : workers(proxy->workers),
        .max_clients = (size_t)proxy->max_clients,
        .request_max = (size_t)proxy->request_max,
        .request_memory = (size_t)proxy->request_memory,
        .output_high = (size_t)proxy->output_high,
        .output_limit = (size_t)proxy->output_limit,
        .output_memory = (size_t)proxy->output_memory,
        .page = proxy->page,
        .page_streams = (unsigned)proxy->page_streams,
        .slowlog_ms = proxy->slowlog_threshold,
        .drain_timeout_ms = proxy->drain_timeout,
        .drain_delay_ms = proxy->drain_delay,
        .handshake_timeout_ms = proxy->handshake_timeout,
        .tcp_keepalive_ms = proxy->tcp_keepalive,
        .tcp_user_timeout_ms = proxy->tcp_user_timeout,
    };
    config->topology = allocate(config->names->room, sizeof(*config->topology));
    fill_groups(config, running);
    fill_listeners(config);
}
