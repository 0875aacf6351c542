/*
 * session and scripts: where they run, and that no client notices when a node has lost one. One test for
 * each mistake that was once made here.
 */
#include "session_stage.h"

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

Test(session_scripts, a_restarted_master_is_told_the_script)
{
    struct stage s;
    struct client c;

    stage_begin(&s);
    c = client(&s);
    int fd = evaluated(&s, c);
    client_asks(c, "EVALSHA " SHA_7 " 0 | EVALSHA " SHA_7 " 0");
    node_gets(&s, fd, "EVALSHA " SHA_7 " 0 | EVALSHA " SHA_7 " 0");
    node_says(fd, "-NOSCRIPT No matching script.\r\n-NOSCRIPT No matching script.\r\n");
    node_gets(&s, fd,
              "SCRIPT LOAD return(7) | EVALSHA " SHA_7 " 0 | SCRIPT LOAD return(7) | EVALSHA " SHA_7
              " 0");
    node_says(fd, LOADED ":7\r\n" LOADED ":7\r\n");
    hears(&s, c, ":7\r\n:7\r\n");
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

/* A former master that comes back to office may have been restarted in between. */
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
