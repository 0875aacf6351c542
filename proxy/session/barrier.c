/* barrier: see the header. */
#include "session/barrier.h"

#include "base/log.h"

#include <stddef.h>
#include <stdlib.h>

void barrier_raise(struct barrier *barrier, enum barrier_kind kind, struct session_request *request)
{
    if (barrier->kind != BARRIER_NONE || kind == BARRIER_NONE || request == NULL) {
        log_event(LOG_ERROR, "a barrier was raised where one stands: this is a bug",
                  "stands=%d raised=%d", barrier->kind, (int)kind);
        abort();
    }
    *barrier = (struct barrier){(uint8_t)kind, request};
}
