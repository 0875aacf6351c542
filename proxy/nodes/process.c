/* process: see the header. */
#include "nodes/process.h"

#include "nodes/router.h"
#include "nodes/upstream.h"

#include <string.h>

uint32_t process_of(const struct router *router, const struct upstream *up)
{
    const struct topology_group *view = router_view(router, up->group);
    const struct topology_node *node = view ? topology_node_by_id(view, up->node) : NULL;
    if (up->process)
        return up->process;
    return node ? node->process : 0;
}

static void done(struct request *question)
{
    struct upstream *up = question->owner_data;
    request_free(&up->turn->requests, question);
}

static void take(struct upstream *up, const struct buf *info)
{
    static const char field[] = "\nrun_id:";
    const char *end = buf_head(info) + buf_len(info);
    const char *at = memmem(buf_head(info), buf_len(info), field, sizeof(field) - 1);
    char runid[REPLID_SIZE] = "";
    if (!at || (size_t)(end - at) < sizeof(field) - 1 + sizeof(runid) - 1)
        return;
    memcpy(runid, at + sizeof(field) - 1, sizeof(runid) - 1);
    up->process = topology_process(runid);
}

static void on_reply(struct request *question, const char *data, size_t len, bool first, bool last)
{
    (void)first;
    buf_append(&question->reply, data, len);
    if (!last)
        return;
    take(question->owner_data, &question->reply);
    done(question);
}

static void on_failed(struct request *question, enum request_failure why, const char *text)
{
    struct upstream *up = question->owner_data;
    (void)why;
    (void)text;
    up->process_asked = false;
    done(question);
}

static const struct request_owner owner = {on_reply, on_failed, NULL};

void process_ask(struct request_pool *requests, struct upstream *up)
{
    static const struct slice argv[2] = {{"Info", 4}, {"server", 6}};
    if (up->process_asked)
        return;
    up->process_asked = true;
    upstream_submit(up, request_own_words(requests, 2, argv, &owner, up));
}
