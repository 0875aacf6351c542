/* poll: see the header for the picture. */
#include "topology/poll.h"

#include "base/state.h"

enum state { IDLE, ASKED, ASKED_AGAIN };

static const struct state_row rows[] = {
    [IDLE] = {"idle", STATE_BIT(ASKED)},
    [ASKED] = {"asked", STATE_BIT(ASKED_AGAIN) | STATE_BIT(IDLE)},
    [ASKED_AGAIN] = {"asked again", STATE_BIT(ASKED_AGAIN) | STATE_BIT(IDLE)},
};
static const struct state_table table = STATE_TABLE("poll", rows);

static void enter(struct poll *poll, enum state state)
{
    state_check(&table, poll->state, state);
    poll->state = (uint8_t)state;
}

bool poll_begin(struct poll *poll)
{
    bool open = poll_is_open(poll);
    enter(poll, open ? ASKED_AGAIN : ASKED);
    return !open;
}

bool poll_end(struct poll *poll)
{
    bool again = poll->state == ASKED_AGAIN;
    enter(poll, IDLE);
    return again;
}

void poll_forget(struct poll *poll)
{
    if (poll_is_open(poll))
        enter(poll, IDLE);
}

bool poll_is_open(const struct poll *poll)
{
    return poll->state != IDLE;
}
