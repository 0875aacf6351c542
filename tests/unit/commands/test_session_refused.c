/*
 * session: what a node refuses means nothing for others: no text of a script is kept, none is forgotten, and nobody has
 * to be looked at again.
 */
#include "unit/session_stage.h"

#define SHA_7 "bc70ae583496ef68242126e5f723b4224435af02" /* of return(7) */
#define MULTI_AND "+OK\r\n+QUEUED\r\n"

static int evaluated(struct stage *s, struct client c)
{
    client_asks(c, "EVAL return(7) 0");
    int fd = admits(s, 0, "master");
    node_gets(s, fd, "EVAL return(7) 0");
    node_says(fd, ":7\r\n");
    hears(s, c, ":7\r\n");
    return fd;
}

/* The script is not known: EVALSHA goes as it is, also to the next master. */
static void is_not_known(struct stage *s, int fd)
{
    struct client c = client(s);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    node_gets(s, fd, "EVALSHA " SHA_7 " 0");
    node_says(fd, "-NOSCRIPT No matching script.\r\n");
    hears(s, c, "-NOSCRIPT No matching script.\r\n");
    settles(s);
}

Test(session_refused, a_text_that_was_refused_is_not_kept)
{
    static const char *const asked[][2] = {
        {"EVAL return(7) 0", "-NOAUTH Authentication required.\r\n"},
        {"EVAL return(7) 0", "-NOPERM no permission\r\n"},
        {"EVAL return(7) 0", "-ERR unknown command 'EVAL'\r\n"},
        {"EVAL return(7)", "-ERR wrong number of arguments for 'eval' command\r\n"},
        {"SCRIPT LOAD return(7)", "-NOPERM no permission\r\n"}};
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "EVAL return(9) 0");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "EVAL return(9) 0");
    node_says(fd, ":9\r\n");
    hears(&s, c, ":9\r\n");
    size_t before = scripts_bytes(s.scripts);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        int on = i == 4 ? -1 : fd; /* SCRIPT LOAD needs no lease */
        client_asks(c, asked[i][0]);
        if (on < 0)
            on = admits(&s, 0, "master");
        node_gets(&s, on, asked[i][0]);
        cr_assert_eq(scripts_bytes(s.scripts), before, "not answered: %s", asked[i][0]);
        node_says(on, asked[i][1]);
        hears(&s, c, asked[i][1]);
        settles(&s);
        cr_assert_eq(scripts_bytes(s.scripts), before, "%s", asked[i][1]);
    }
    is_not_known(&s, fd);
    stage_end(&s);
}

/* Its own words are no refusal. */
Test(session_refused, a_script_that_fails_is_kept)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "EVAL return(7) 0");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "EVAL return(7) 0");
    node_says(fd, "-LOCKED by another one\r\n");
    hears(&s, c, "-LOCKED by another one\r\n");
    show(&s, switched);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    stage_end(&s);
}

static void is_known(struct stage *s, struct client c)
{
    show(s, switched);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    int fd = admits(s, 1, "master");
    node_gets(s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
}

Test(session_refused, a_flush_that_is_refused_forgets_nothing)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    (void)evaluated(&s, c);
    client_asks(c, "SCRIPT FLUSH");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SCRIPT FLUSH");
    node_says(fd, "-NOAUTH Authentication required.\r\n");
    hears(&s, c, "-NOAUTH Authentication required.\r\n");
    client_asks(c, "SCRIPT FLUSH");
    node_gets(&s, fd, "SCRIPT FLUSH");
    close(c.fd); /* nobody hears what comes of it */
    settles(&s);
    node_says(fd, "-NOAUTH Authentication required.\r\n");
    settles(&s);
    is_known(&s, client(&s));
    stage_end(&s);
}

Test(session_refused, a_flush_in_a_transaction_counts_with_exec)
{
    static const struct {
        const char *asked, *answered;
        bool forgets;
    } cases[] = {{"MULTI | SCRIPT FLUSH | DISCARD", MULTI_AND "+OK\r\n", false},
                 {"MULTI | SCRIPT FLUSH | EXEC", MULTI_AND "*-1\r\n", false},
                 {"MULTI | SCRIPT FLUSH | EXEC", MULTI_AND "*1\r\n-ERR no\r\n", false},
                 {"MULTI | SCRIPT FLUSH | EXEC", MULTI_AND "*1\r\n+OK\r\n", true}};
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = evaluated(&s, c);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        client_asks(c, cases[i].asked);
        node_gets(&s, fd, cases[i].asked);
        cr_assert_gt(scripts_bytes(s.scripts), 0);
        node_says(fd, cases[i].answered);
        hears(&s, c, cases[i].answered);
        settles(&s);
        cr_assert_eq(scripts_bytes(s.scripts) == 0, cases[i].forgets, "%s", cases[i].answered);
    }
    stage_end(&s);
}

/* ---- rights ---- */

/* Who may not change others' rights does not make them be proved again. */
Test(session_refused, rights_that_were_not_changed)
{
    static const struct {
        const char *answered;
        bool changes;
    } cases[] = {{"-NOAUTH Authentication required.\r\n", false},
                 {"-NOPERM no permission\r\n", false},
                 {"-ERR unknown subcommand 'SETUSER'. Try ACL HELP.\r\n", false},
                 {"-ERR Error in ACL SETUSER modifier 'x': Syntax error\r\n", true}, /* who knows */
                 {"+OK\r\n", true}};
    struct stage s;
    struct client c;

    stage_begin(&s);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before = rights_generation(&s.shared->rights[0], 0);
        c = client(&s);
        client_asks(c, "ACL SETUSER alice x");
        int fd = admits(&s, 0, "master");
        node_gets(&s, fd, "ACL SETUSER alice x");
        node_says(fd, cases[i].answered);
        hears(&s, c, cases[i].answered);
        cr_assert_eq(rights_generation(&s.shared->rights[0], 0) != before, cases[i].changes, "%s",
                     cases[i].answered);
        close(fd); /* so that the next one comes on another */
        close(c.fd);
        settles(&s);
    }
    stage_end(&s);
}
