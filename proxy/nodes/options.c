/* options: see the header. */
#include "nodes/options.h"

#include "base/memory.h"
#include "net/tls_source.h"
#include "nodes/certificate_users.h"

#include <stdlib.h>

struct traffic_listener_options *
traffic_listener_keep(const struct traffic_listener_options *listener)
{
    struct traffic_listener_options *kept = malloc(sizeof(*kept));
    if (!kept)
        out_of_memory(sizeof(*kept));
    *kept = *listener;
    atomic_init(&kept->refs, 1);
    tls_source_retain(kept->tls);
    certificate_users_retain(kept->users);
    return kept;
}

/* The count is the only thing that changes. */
const struct traffic_listener_options *
traffic_listener_retain(const struct traffic_listener_options *listener)
{
    struct traffic_listener_options *kept = (struct traffic_listener_options *)listener;
    if (atomic_load_explicit(&kept->refs, memory_order_relaxed))
        atomic_fetch_add_explicit(&kept->refs, 1, memory_order_relaxed);
    return listener;
}

void traffic_listener_release(const struct traffic_listener_options *listener)
{
    struct traffic_listener_options *kept = (struct traffic_listener_options *)listener;
    if (!listener || !atomic_load_explicit(&kept->refs, memory_order_relaxed) ||
        atomic_fetch_sub_explicit(&kept->refs, 1, memory_order_acq_rel) > 1)
        return;
    tls_source_release(kept->tls);
    certificate_users_release(kept->users);
    free(kept);
}

const struct traffic_listener_options *traffic_listener_at(const struct traffic_options *options,
                                                           const struct address *address)
{
    for (size_t i = 0; i < options->listener_count; i++)
        if (address_equal(&options->listeners[i].address, address))
            return &options->listeners[i];
    return NULL;
}
