/* loops: see the header. */
#include "ops/loops.h"

#include <stdlib.h>

struct health_loop *loops_look(const struct control *control, const struct workers *workers,
                               size_t *count)
{
    struct health_loop *loops;

    *count = workers_size(workers) + 1;
    loops = calloc(*count, sizeof(*loops));
    if (!loops)
        abort();
    loops[0] = (struct health_loop){"the control plane", control_last_turn(control)};
    for (size_t i = 0; i + 1 < *count; i++)
        loops[i + 1] = (struct health_loop){"a worker", workers_last_turn(workers, i)};
    return loops;
}
