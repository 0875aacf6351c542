/*
 * session: what it counts of its requests: each cause for which one is sent again, what was held and what was refused,
 * and outcomes that nobody knows, however their clients are told.
 */
#include "unit/session_stage.h"

static struct group_counters *counted(struct stage *s)
{
    return &s->host.counters->groups[0];
}

/* So many were sent again, all of them for this cause. */
static void retried(struct stage *s, enum retry_cause wanted, uint64_t times)
{
    for (int cause = 0; cause < RETRY_CAUSE_COUNT; cause++)
        cr_expect_eq(counted(s)->retries[cause], cause == (int)wanted ? times : 0, "%s: %zu",
                     retry_cause_label((enum retry_cause)cause),
                     (size_t)counted(s)->retries[cause]);
}

/* Of one command on the master's listener, with this result. */
static uint64_t results(const struct stage *s, const char *name, enum request_result result)
{
    for (unsigned number = 1; number < command_numbers(); number++) {
        const struct command *command = command_by_number(number);
        if (command && strcmp(command->name, name) == 0)
            return s->host.counters->listeners[ROUTE_MASTER].commands[number].others[result];
    }
    return UINT64_MAX;
}

static void reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(fd);
}

/* ---- sent once more ---- */

Test(session_counted, a_read_whose_connection_was_lost)
{
    struct stage s;
    stage_begin(&s);
    struct client c = client(&s);
    reset(reaches_master(&s, c, "GET k"));
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "GET k");
    node_answers(&s, fd, c, "$1\r\nv\r\n");
    retried(&s, RETRY_LOST, 1);
    stage_end(&s);
}

Test(session_counted, what_was_never_written)
{
    struct stage s;
    stage_begin(&s);
    struct client c = client(&s);
    client_asks(c, "SET k v");
    is_taken_in(&s, c);
    reset(node_accept(s.w, &s.nodes[0])); /* before its handshake has ended */
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SET k v");
    node_answers(&s, fd, c, "+OK\r\n");
    retried(&s, RETRY_UNSENT, 1);
    stage_end(&s);
}

Test(session_counted, what_its_node_rejected)
{
    struct stage s;
    stage_begin(&s);
    struct client c = client(&s);
    int fd = reaches_master(&s, c, "SET k v");
    node_says(fd, "-LOADING Redis is loading\r\n");
    node_gets(&s, fd, "SET k v");
    node_answers(&s, fd, c, "+OK\r\n");
    retried(&s, RETRY_REJECTED, 1);
    stage_end(&s);
}

/* Its parts were answered, and are sent once more before EXEC. */
Test(session_counted, a_transaction_whose_lease_was_lost)
{
    struct stage s;
    stage_begin(&s);
    struct client c = client(&s);
    int fd = open_transaction(&s, c);
    show(&s, switching);
    show(&s, (struct scene){.master = -1});
    node_hears_the_end(s.w, fd);
    client_asks(c, "EXEC");
    hears_nothing(&s, c);
    show(&s, switched);
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | SET k v | EXEC");
    node_says(fd, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    hears(&s, c, "*1\r\n+OK\r\n");
    retried(&s, RETRY_LEASE, 2);
    cr_expect_eq(counted(&s)->held, 1);
    stage_end(&s);
}

/* ---- held, refused ---- */

/* One has room; the other is refused at once, and was not held. */
Test(session_counted, what_was_held_and_what_was_not)
{
    struct stage s;
    stage_begin(&s);
    struct client c = client(&s);
    show(&s, switching);
    hold_of_requests(&s, 1);
    client_asks(c, "SET k v | SET k w");
    hears_nothing(&s, c);
    cr_expect_eq(counted(&s)->held, 1);
    cr_expect_eq(counted(&s)->refused, 1);
    show(&s, steady);
    node_gets(&s, admits(&s, 0, "master"), "SET k v");
    stage_end(&s);
}

/* ---- nobody knows ---- */

static void loses_three_writes(struct stage *s, struct client c)
{
    int fd = reaches_master(s, c, "SET a 1 | INCR b | GET c | SET d 1");
    node_says(fd, "+OK\r\n");
    hears(s, c, "+OK\r\n");
    reset(fd);
}

Test(session_counted, outcomes_that_nobody_knows)
{
    char line[200];
    struct stage s;
    stage_begin(&s);
    struct client c = client(&s);
    loses_three_writes(&s, c);
    hears_line(&s, c.fd, line, sizeof(line));
    cr_expect(strstr(line, "outcome unknown"), "%s", line);
    settles(&s);
    cr_expect_eq(counted(&s)->unknown, 2);
    cr_expect_eq(results(&s, "incr", RESULT_UNKNOWN), 1);
    stage_end(&s);
}

/* Their client hears nothing of them, and so they are never delivered. */
Test(session_counted, outcomes_that_nobody_knows_of_a_client_that_is_closed_over_them)
{
    struct stage s;
    stage_begin(&s);
    s.group.inflight_writes = INFLIGHT_CLOSE;
    struct client c = client(&s);
    loses_three_writes(&s, c);
    node_hears_the_end(s.w, c.fd);
    cr_expect_eq(counted(&s)->unknown, 2);
    cr_expect_eq(results(&s, "incr", RESULT_UNKNOWN), 1);
    cr_expect_eq(results(&s, "set", RESULT_UNKNOWN), 1);
    cr_expect_eq(s.host.counters->listeners[ROUTE_MASTER].closed[CLOSED_UNKNOWN], 1);
    stage_end(&s);
}
