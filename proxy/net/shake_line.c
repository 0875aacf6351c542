/*
 * shake_line: see the header.
 *
 * The share is kept with one moment, free_ns: after a step that took t, others have the thread for as long. Up to a
 * millisecond that handshakes did not use is kept for them, so that one that comes now and then never waits.
 */
#include "net/shake_line.h"

/* Of the time, handshakes get one part in so many while others are served. */
#define SHARE 2
#define KEPT_NS ((uint64_t)1000000)
/* A thread that has served nobody for so long has nothing else to do: who is served also thinks between two requests. */
#define SERVING_NS ((uint64_t)2000000)
/* One turn of the loop goes on with handshakes for so long, and with one step at least. */
#define TURN_NS ((uint64_t)250000)

_Thread_local unsigned shake_line_others;

static _Thread_local struct {
    struct list waiting;
    uint64_t free_ns, serving_until_ns;
    unsigned others; /* as counted when somebody last looked */
} line;

static struct list *waiting(void)
{
    if (!line.waiting.next)
        list_init(&line.waiting);
    return &line.waiting;
}

static bool must_wait(void)
{
    uint64_t now = uv_hrtime();
    if (line.others != shake_line_others) {
        line.others = shake_line_others;
        line.serving_until_ns = now + SERVING_NS;
    }
    return now < line.serving_until_ns && now < line.free_ns;
}

static void on_timeout(uv_timer_t *timer)
{
    struct shaker *shaker = container_of(timer, struct shaker, timer);
    shaker->timed_out(shaker);
}

static void on_idle(uv_idle_t *idle);

/* The first in line looks after the line on each turn of the loop, behind what epoll reports: whether others are served
 * shows there only. */
static void call_first(void)
{
    if (!list_empty(waiting()))
        uv_idle_start(container_of(waiting()->next, struct shaker, link)->idle, on_idle);
}

static void let_go_on(struct shaker *shaker)
{
    list_remove(&shaker->link);
    uv_idle_stop(shaker->idle);
    if (shaker->left_ms)
        uv_timer_start(&shaker->timer, on_timeout, shaker->left_ms, 0);
    shaker->go_on(shaker);
}

static void on_idle(uv_idle_t *idle)
{
    uint64_t begun = uv_hrtime();
    if (must_wait())
        return;
    uv_idle_stop(idle);
    do
        let_go_on(container_of(waiting()->next, struct shaker, link));
    while (!list_empty(waiting()) && uv_hrtime() - begun < TURN_NS && !must_wait());
    call_first();
}

void shake_line_init(struct shaker *shaker, uv_idle_t *idle, int64_t timeout_ms,
                     shaker_called *go_on, shaker_called *timed_out)
{
    list_init(&shaker->link);
    shaker->idle = idle;
    shaker->left_ms = 0;
    shaker->go_on = go_on;
    shaker->timed_out = timed_out;
    uv_timer_init(idle->loop, &shaker->timer);
    if (timeout_ms > 0)
        uv_timer_start(&shaker->timer, on_timeout, (uint64_t)timeout_ms, 0);
}

bool shake_line_ask(struct shaker *shaker)
{
    bool first = list_empty(waiting());
    if (first && !must_wait())
        return true;
    if (uv_is_active((const uv_handle_t *)&shaker->timer)) {
        uint64_t due = uv_timer_get_due_in(&shaker->timer);
        shaker->left_ms = due > 0 ? due : 1;
        uv_timer_stop(&shaker->timer);
    }
    list_append(waiting(), &shaker->link);
    if (first)
        call_first();
    return false;
}

void shake_line_took(uint64_t ns)
{
    uint64_t now = uv_hrtime(), from = line.free_ns;
    if (from > now)
        from = now;
    else if (from + KEPT_NS < now)
        from = now - KEPT_NS;
    line.free_ns = from + ns * (SHARE - 1);
}

void shake_line_leave(struct shaker *shaker)
{
    bool first = list_linked(&shaker->link) && waiting()->next == &shaker->link;
    list_remove(&shaker->link);
    uv_timer_stop(&shaker->timer);
    uv_idle_stop(shaker->idle);
    if (first)
        call_first();
}
