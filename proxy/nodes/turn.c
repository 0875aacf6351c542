/* turn: see the header. */
#include "nodes/turn.h"

void turn_init(struct turn *turn, uv_loop_t *loop, struct board *board, size_t request_size)
{
    turn->loop = loop;
    turn->board = board;
    request_pool_init(&turn->requests, request_size);
    list_init(&turn->woken);
    list_init(&turn->evicting);
    list_init(&turn->dirty_upstreams);
    list_init(&turn->dirty_sessions);
}

bool turn_look_at_clock(struct turn *turn)
{
    uint64_t now = uv_hrtime();
    if (turn->began_ns == 0)
        turn->began_ns = now;
    turn->over |= turn->least == TURN_HASTY || now - turn->began_ns >= TURN_BUDGET_NS;
    turn->cut |= turn->over;
    turn->steps = turn->over ? TURN_STEPS : 0;
    return turn->over;
}
