/*
 * session and scripts: where they run, and that no client notices when a node has lost one. One test for
 * each mistake that was once made here.
 */
#include "unit/session_stage.h"

Test(session_scripts, a_script_that_fails_leaves_its_connection_to_others)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "EVAL return(nosuch()) 0");
    int fd = admits(&s, 0, "master");
    for (int i = 0; i < 3; i++) {
        node_gets(&s, fd, "EVAL return(nosuch()) 0");
        node_says(fd, "-ERR user_script:1: Script attempted to access\r\n");
        hears(&s, c, "-ERR user_script:1: Script attempted to access\r\n");
        settles(&s); /* it has gone back */
        client_asks(c, "EVAL return(nosuch()) 0");
    }
    node_gets(&s, fd, "EVAL return(nosuch()) 0");
    nobody_comes(&s, 0);
    stage_end(&s);
}

#define SHA_7 "bc70ae583496ef68242126e5f723b4224435af02" /* of return(7) */
#define LOADED "$40\r\n" SHA_7 "\r\n"

static int evaluated(struct stage *s, struct client c)
{
    client_asks(c, "EVAL return(7) 0");
    int fd = admits(s, 0, "master");
    node_gets(s, fd, "EVAL return(7) 0");
    node_says(fd, ":7\r\n");
    hears(s, c, ":7\r\n");
    return fd;
}

Test(session_scripts, a_new_master_is_told_the_script)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    (void)evaluated(&s, c);
    show(&s, switched);
    client_asks(c, "EVALSHA " SHA_7 " 0 | SET k v | EVALSHA " SHA_7 " 0");
    int fd = admits(&s, 1, "master");
    node_gets(&s, fd,
              "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0 | SET k v | EVALSHA " SHA_7 " 0");
    node_says(fd, LOADED ":7\r\n+OK\r\n:7\r\n");
    hears(&s, c, ":7\r\n+OK\r\n:7\r\n");
    stage_end(&s);
}

/* It lost its connections with its scripts. */
Test(session_scripts, a_restarted_master_is_told_the_script)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = evaluated(&s, c);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    node_says(fd, LOADED ":7\r\n");
    hears(&s, c, ":7\r\n");
    client_asks(c, "EVALSHA " SHA_7 " 0");
    node_gets(&s, fd, "EVALSHA " SHA_7 " 0");
    node_says(fd, ":7\r\n");
    hears(&s, c, ":7\r\n");
    close(fd);
    settles(&s);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    node_says(fd, LOADED ":7\r\n");
    hears(&s, c, ":7\r\n");
    stage_end(&s);
}

/* The script may have said it, in the server's own words, and done something before. */
Test(session_scripts, no_error_makes_a_script_run_twice)
{
    static const char *const errors[] = {
        "-NOSCRIPT No matching script. Please use EVAL.\r\n",
        "-NOSCRIPT mine\r\n",
        "-READONLY You can't write against a read only replica.\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-NOREPLICAS Not enough good replicas to write.\r\n",
        "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"};
    static const char *const scripts[] = {"EVALSHA " SHA_7 " 0", "EVAL return(7) 0", "FCALL f 0",
                                          "FCALL_RO f 0"};
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = evaluated(&s, c);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    node_says(fd, LOADED ":7\r\n");
    hears(&s, c, ":7\r\n");
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        for (size_t j = 0; j < sizeof(scripts) / sizeof(scripts[0]); j++) {
            client_asks(c, scripts[j]);
            node_gets(&s, fd, scripts[j]);
            node_says(fd, errors[i]);
            hears(&s, c, errors[i]);
            node_gets_nothing(&s, fd);
        }
    }
    stage_end(&s);
}

/* So may a module. What it only reads is read again. */
Test(session_scripts, no_error_makes_a_module_run_twice)
{
    static const char error[] = "-READONLY You can't write against a read only replica.\r\n";
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "M.SET k v");
    int own = node_admit(s.w, &s.nodes[0], "master", false);
    node_gets(&s, own, "Command INFO M.SET");
    node_says(own, "*1\r\n*10\r\n$5\r\nm.set\r\n:3\r\n*2\r\n+write\r\n+module\r\n:1\r\n:1\r\n:1\r\n"
                   "*0\r\n*0\r\n*0\r\n*0\r\n");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "M.SET k v");
    node_says(fd, error);
    hears(&s, c, error);
    node_gets_nothing(&s, fd);
    stage_end(&s);
}

/* On the read port, where a node without EVAL_RO is told from a script that speaks of unknown commands. */
Test(session_scripts, a_script_may_speak_of_an_unknown_command)
{
    static const struct scene scene = {.master = 0, .writable = true, .readable = 2};
    static const char own[] = "-ERR unknown command 'X', says the script\r\n";
    struct stage s;
    struct client c;

    stage_begin(&s);
    show(&s, scene);
    c = client_on(&s, ROUTE_REPLICA);
    client_asks(c, "EVAL return(7) 0");
    int fd = admits(&s, 1, "slave");
    node_gets(&s, fd, "EVAL_RO return(7) 0");
    node_says(fd, own);
    hears(&s, c, own);
    client_asks(c, "EVAL return(7) 0");
    node_gets(&s, fd, "EVAL_RO return(7) 0");
    node_says(fd,
              "-ERR unknown command `EVAL_RO`, with args beginning with: `return(7)`, `0`, \r\n");
    hears(&s, c, "-READONLY You can't write against a read only replica.\r\n");
    stage_end(&s);
}

/* ---- two at a time ---- */

/* The text is sent once, and nobody overtakes it. */
Test(session_scripts, others_wait_for_the_script)
{
    struct stage s;
    struct client first, second;

    stage_begin(&s);
    first = client(&s);
    second = client(&s);
    (void)evaluated(&s, first);
    show(&s, switched);
    client_asks(first, "EVALSHA " SHA_7 " 0");
    int fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    client_asks(second, "EVALSHA " SHA_7 " 0 | SET k v");
    int other = admits(&s, 1, "master");
    node_gets_nothing(&s, other);
    node_says(fd, LOADED);
    node_gets(&s, other, "EVALSHA " SHA_7 " 0 | SET k v");
    node_says(fd, ":7\r\n");
    hears(&s, first, ":7\r\n");
    stage_end(&s);
}

/* The first one's connection ends before the node has said anything: the next one loads it. */
Test(session_scripts, a_load_that_was_lost_is_the_next_ones)
{
    struct stage s;
    struct client first, second;

    stage_begin(&s);
    first = client(&s);
    second = client(&s);
    (void)evaluated(&s, first);
    show(&s, switched);
    client_asks(first, "EVALSHA " SHA_7 " 0");
    int fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    client_asks(second, "EVALSHA " SHA_7 " 0");
    int other = admits(&s, 1, "master");
    node_gets_nothing(&s, other);
    close(fd);
    node_gets(&s, other, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    stage_end(&s);
}

/* It goes without, and is told so; another user may. */
Test(session_scripts, a_user_who_may_not_load_goes_without)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    (void)evaluated(&s, c);
    show(&s, switched);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    int fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    node_says(fd, "-NOPERM no permission\r\n-NOSCRIPT No matching script.\r\n");
    hears(&s, c, "-NOSCRIPT No matching script.\r\n");
    client_asks(c, "EVALSHA " SHA_7 " 0 | MULTI | EVALSHA " SHA_7 " 0 | EXEC");
    node_gets(&s, fd, "EVALSHA " SHA_7 " 0 | MULTI | EVALSHA " SHA_7 " 0 | EXEC");
    stage_end(&s);
}

/* ---- a new master is told what was used last ---- */

static void uses(struct stage *s, struct client c, int fd, const char *text, const char *sha)
{
    char command[100], loads[200];
    snprintf(command, sizeof(command), "EVALSHA %s 0", sha);
    snprintf(loads, sizeof(loads), "SCRIPT LOAD %s | %s", text, command);
    client_asks(c, command);
    node_gets(s, fd, loads);
    node_says(fd, LOADED ":7\r\n");
    hears(s, c, ":7\r\n");
    settles(s);
}

/* Before the MULTI that needs one of them, and before whatever else that user sends. */
Test(session_scripts, a_new_master_is_told_before_anything_else)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = evaluated(&s, c);
    uses(&s, c, fd, "return(7)", SHA_7);
    client_asks(c, "EVAL return(9) 0"); /* nobody asks for it by its SHA1 */
    node_gets(&s, fd, "EVAL return(9) 0");
    node_says(fd, ":9\r\n");
    hears(&s, c, ":9\r\n");
    settles(&s);
    show(&s, switching);
    show(&s, switched);
    client_asks(c, "GET k");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | GET k");
    node_says(fd, LOADED "$-1\r\n");
    hears(&s, c, "$-1\r\n");
    client_asks(c, "MULTI | EVALSHA " SHA_7 " 0 | EXEC");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | EVALSHA " SHA_7 " 0 | EXEC"); /* in one piece */
    stage_end(&s);
}

/* ---- transactions ---- */

#define MULTI_AND "+OK\r\n+QUEUED\r\n"

/* Inside MULTI it would be queued: it goes beside, and EXEC waits for it. */
Test(session_scripts, exec_waits_for_the_script)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    (void)evaluated(&s, c);
    show(&s, switched);
    client_asks(c, "MULTI | EVALSHA " SHA_7 " 0 | EXEC | SET k v");
    int fd = admits(&s, 1, "master"), beside = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | EVALSHA " SHA_7 " 0");
    node_gets(&s, beside, "SCRIPT LOAD return(7)");
    node_says(fd, MULTI_AND);
    hears(&s, c, MULTI_AND);
    node_gets_nothing(&s, fd);
    node_says(beside, LOADED);
    node_gets(&s, fd, "EXEC | SET k v");
    node_says(fd, "*1\r\n:7\r\n+OK\r\n");
    hears(&s, c, "*1\r\n:7\r\n+OK\r\n");
    client_asks(c, "MULTI | EVALSHA " SHA_7 " 0 | EXEC");
    node_gets(&s, fd, "MULTI | EVALSHA " SHA_7 " 0 | EXEC");
    stage_end(&s);
}

/* The transaction was open when the master changed. */
Test(session_scripts, a_transaction_that_is_sent_again_finds_its_script)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = evaluated(&s, c);
    client_asks(c, "MULTI | EVALSHA " SHA_7 " 0");
    int beside = admits(&s, 0, "master");
    node_gets(&s, beside, "SCRIPT LOAD return(7)");
    node_says(beside, LOADED);
    node_gets(&s, fd, "MULTI | EVALSHA " SHA_7 " 0");
    node_says(fd, MULTI_AND);
    hears(&s, c, MULTI_AND);
    show(&s, switching);
    show(&s, switched);
    client_asks(c, "EXEC");
    fd = admits(&s, 1, "master");
    beside = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | EVALSHA " SHA_7 " 0");
    node_gets(&s, beside, "SCRIPT LOAD return(7)");
    node_says(fd, MULTI_AND);
    node_gets_nothing(&s, fd);
    node_says(beside, LOADED);
    node_gets(&s, fd, "EXEC");
    stage_end(&s);
}

/* What is loaded beside cannot be: EXEC goes all the same. */
Test(session_scripts, exec_does_not_wait_for_ever)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    (void)evaluated(&s, c);
    show(&s, switched);
    client_asks(c, "MULTI | EVALSHA " SHA_7 " 0 | EXEC");
    int fd = admits(&s, 1, "master");
    node_gets(&s, fd, "MULTI | EVALSHA " SHA_7 " 0");
    node_says(fd, MULTI_AND);
    hears(&s, c, MULTI_AND);
    until(bytes_waiting(fd) > 0, {
        int beside = accept4(s.nodes[1].door, NULL, NULL, SOCK_CLOEXEC);
        if (beside >= 0)
            close(beside);
        world_turn(s.w);
    });
    node_gets(&s, fd, "EXEC");
    stage_end(&s);
}

Test(session_scripts, a_script_loaded_on_a_lease_is_told_to_every_node)
{
    struct stage s;
    struct client c;
    struct scene scene = {.master = 0, .writable = true, .readable = 2};

    stage_begin(&s);
    show(&s, scene);
    c = client(&s);
    client_asks(c, "WATCH k | SCRIPT LOAD return(7) | UNWATCH");
    int master = admits(&s, 0, "master"), replica = admits(&s, 1, "slave");
    node_gets(&s, master, "WATCH k | SCRIPT LOAD return(7)");
    node_gets(&s, replica, "SCRIPT LOAD return(7)");
    node_says(master, "+OK\r\n" LOADED);
    hears(&s, c, "+OK\r\n");
    hears_nothing(&s, c);
    node_says(replica, LOADED);
    hears(&s, c, LOADED);
    node_gets(&s, master, "UNWATCH");
    stage_end(&s);
}

Test(session_scripts, a_script_loaded_on_a_lease_is_told_to_the_next_master)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "WATCH k | SCRIPT LOAD return(7) | UNWATCH");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "WATCH k | SCRIPT LOAD return(7) | UNWATCH");
    node_says(fd, "+OK\r\n" LOADED "+OK\r\n");
    hears(&s, c, "+OK\r\n" LOADED "+OK\r\n");
    show(&s, switched);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0");
    node_says(fd, LOADED ":7\r\n");
    hears(&s, c, ":7\r\n");
    stage_end(&s);
}

/* A former master that comes back to shared may have been restarted in between. */
Test(session_scripts, a_master_of_old_is_told_the_script_again)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    (void)evaluated(&s, c);
    show(&s, switched);
    show(&s, switching);
    show(&s, steady);
    client_asks(c, "EVALSHA " SHA_7 " 0 | SET k v");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0 | SET k v");
    node_says(fd, LOADED ":7\r\n+OK\r\n");
    hears(&s, c, ":7\r\n+OK\r\n");
    stage_end(&s);
}

/* The load was never written: it counts for nothing. */
Test(session_scripts, a_script_whose_load_was_lost_is_loaded_again)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    (void)evaluated(&s, c);
    show(&s, switched);
    client_asks(c, "EVALSHA " SHA_7 " 0 | SET k v");
    close(node_accept(s.w, &s.nodes[1]));
    int fd = admits(&s, 1, "master");
    node_gets(&s, fd, "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0 | SET k v");
    node_says(fd, LOADED ":7\r\n+OK\r\n");
    hears(&s, c, ":7\r\n+OK\r\n");
    stage_end(&s);
}

Test(session_scripts, a_script_that_was_never_seen_is_missing)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    client_asks(c, "EVALSHA " SHA_7 " 0");
    int fd = admits(&s, 0, "master");
    node_gets(&s, fd, "EVALSHA " SHA_7 " 0");
    node_says(fd, "-NOSCRIPT No matching script.\r\n");
    hears(&s, c, "-NOSCRIPT No matching script.\r\n");
    stage_end(&s);
}
