/* output_bound: see the header. */
#include "session/output_bound.h"

#include "session/life.h"
#include "session/output_bytes.h"

bool session_bound_output(struct session *s)
{
    const struct traffic_options *options = s->host->options;
    session_count_output(s);
    if (s->client.output_bytes + s->client.ahead_bytes > options->output_limit)
        session_disconnect_over(s, "it does not read its replies: output_limit");
    else if (s->client.output_bytes > 0 &&
             atomic_load_explicit(&s->host->stop.shared->unread_bytes, memory_order_relaxed) >
                 options->output_memory)
        session_disconnect_over(s, "it does not read its replies: output_memory");
    return !life_closing(&s->life);
}
