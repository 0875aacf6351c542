/* group_show: what a group tells of itself: in the snapshot, and, for people, as facts. */
#include "topology/election_nodes.h"
#include "topology/group_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void group_facts(struct group *group, struct group_facts *out)
{
    election_mark_offset(group->election);
    election_facts(group->election, (int64_t)uv_now(group->loop), out);
}

static void show_certificate(const struct group *group, struct topology_node *node)
{
    const char *host = names_host(group->names, &node->address);
    struct endpoint number;
    if (!host && endpoint_parse(&number, node->name, 0) == 0)
        host = number.host;
    snprintf(node->host, sizeof(node->host), "%s", host ? host : "");
    for (size_t i = 0; i < group->watch_count; i++)
        if (address_equal(probe_address(group->watches[i].probe), &node->address))
            node->cert_ends_s = probe_cert_ends(group->watches[i].probe);
}

void group_show(const struct group *group, struct topology_group *out)
{
    const struct election_view *view = election_view(group->election);
    out->name = group->options->name;
    out->state = view->state;
    out->master = view->master;
    out->reader = view->reader;
    out->writable = view->writable;
    out->settling = view->settling;
    out->quorum = view->quorum;
    out->epoch = view->epoch;
    out->since_ms = view->since_ms;
    if (view->master >= 0 && node_unwell_since(view->nodes[view->master]) > out->since_ms)
        out->since_ms = node_unwell_since(view->nodes[view->master]);
    memcpy(out->replid, view->replid, sizeof(out->replid));
    memcpy(out->reason, view->reason, sizeof(out->reason));
    out->had_master = group->had_master;
    out->own = credential_retain(keyring_current(&group->own));
    out->sentinel_cert_ends_s = group_sentinels_cert_ends(group);
    out->node_count = view->node_count;
    out->nodes = calloc(view->node_count ? view->node_count : 1, sizeof(*out->nodes));
    if (!out->nodes)
        abort();
    for (size_t i = 0; i < view->node_count; i++) {
        out->nodes[i] = view->nodes[i]->shown;
        out->nodes[i].readable = out->nodes[i].readable && !out->nodes[i].suspect;
        show_certificate(group, &out->nodes[i]);
    }
    group_show_disagreement(group, out);
}
