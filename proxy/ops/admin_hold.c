/* admin_hold: see the header. */
#include "ops/admin_hold.h"

#include "ops/admin_letters.h"

#include <stdlib.h>

/* Of hold_timeout, what is left for requests to be sent and answered once they go on. */
#define LEFT_PART 10

struct order {
    struct admin_errand errand;
    size_t group;
    int64_t until_ms;
    uint64_t leaving;
};

static void tell(struct admin_errand *errand, struct control *control)
{
    const struct order *order = container_of(errand, struct order, errand);
    control_pause(control, order->group, order->until_ms, order->leaving);
}

static void told(struct admin_errand *errand, bool lost)
{
    (void)lost;
    free(container_of(errand, struct order, errand));
}

static void send_order(struct admin_core *core, size_t group, int64_t until_ms, uint64_t leaving)
{
    struct order *order = calloc(1, sizeof(*order));
    if (!order)
        abort();
    order->group = group;
    order->until_ms = until_ms;
    order->leaving = leaving;
    admin_errand_send(&order->errand, core, tell, told);
}

void admin_hold_begin(struct admin_hold *hold, struct admin_core *core, size_t group,
                      int64_t until_ms, uint64_t leaving)
{
    *hold = (struct admin_hold){.group = group};
    send_order(core, group, until_ms, leaving);
}

bool admin_hold_is_quiet(struct admin_hold *hold, struct admin_core *core)
{
    if (!hold->seq) {
        struct topology *topology = board_acquire(core->sources.board);
        if (topology && topology->groups[hold->group].paused)
            hold->seq = topology->seq;
        if (topology)
            topology_release(topology);
    }
    return hold->seq && board_acknowledged(core->sources.board) >= hold->seq;
}

void admin_hold_end(struct admin_core *core, size_t group)
{
    send_order(core, group, 0, 0);
}

int64_t admin_hold_longest(const struct admin_core *core, size_t group)
{
    int64_t timeout = core->sources.config->traffic.groups[group].hold_timeout_ms;
    return timeout - timeout / LEFT_PART;
}
