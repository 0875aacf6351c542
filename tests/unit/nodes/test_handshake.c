/*
 * handshake: which bytes a fresh connection carries, in which order, and that
 * no client's credential is shown to a node that is not the right one.
 */
#include "unit/fake_node.h"

#define HEARD_OWN_AUTH "*3\r\n$4\r\nAuth\r\n$5\r\nproxy\r\n$5\r\nownpw\r\n"
#define HEARD_AUTH "*3\r\n$4\r\nAuth\r\n$5\r\nalice\r\n$6\r\nwonder\r\n"
#define HEARD_SELECT "*2\r\n$6\r\nSelect\r\n$1\r\n5\r\n"

static int woken;

static void wake(void *arg)
{
    (void)arg;
    woken++;
}

static const struct credential_owner owner = {.group = "g", .file = "/f", .wake = wake};

static struct identity *alice(struct world *w)
{
    struct identity *nobody = identity_nobody(&w->identities);
    struct identity *known = identity_with_credential(
        &w->identities, nobody, (struct slice){"alice", 5}, (struct slice){"wonder", 6});
    struct identity *in_five = identity_with_db(&w->identities, known, 5);

    identity_release(known);
    identity_release(nobody);
    return in_five;
}

/* A connection for alice, with a request that waits for it and the proxy's own password, of which a
 * reference is returned; the node has heard the first part. */
static struct credential *begin_with(struct watched *s, struct asked *asked)
{
    struct world *w = world_new();
    struct credential *own = credential_new(&owner, "proxy", "ownpw", 5);

    watched_open(s, w, alice(w), own);
    ask(w, asked, s->up, "PING\r\n");
    node_hears(w, s->fd, HEARD_OWN_AUTH HEARD_INFO HEARD_ID HEARD_RESET);
    return own;
}

static void begin(struct watched *s, struct asked *asked)
{
    credential_release(begin_with(s, asked));
}

static void says_read(struct watched *s, const char *text)
{
    node_says_and_is_read(s->world, s->fd, s->up, &s->cut, text, strlen(text));
}

static void says_credentials(struct watched *s, const char *role)
{
    char text[500];

    says_read(s, node_credentials(text, sizeof(text), role, REPLID_A, REPLID_B, false));
}

/* ---- the right node ---- */

Test(handshake, two_round_trips_then_what_was_waiting)
{
    struct watched s;
    struct asked asked;

    begin(&s, &asked);
    says_read(&s, "+OK\r\n");
    says_credentials(&s, "master");
    node_hears_nothing(s.world, s.fd); /* RESET is not answered: alice stays unknown to it */
    cr_assert_eq(s.verified, 1);
    cr_assert(s.shown.master);
    cr_assert_str_eq(s.shown.replid[0], REPLID_A);
    cr_assert_str_eq(s.shown.replid[1], REPLID_B);
    cr_assert_eq(s.up->client_id, 77);
    says_read(&s, "+RESET\r\n");
    node_hears(s.world, s.fd, HEARD_AUTH HEARD_SELECT);
    node_hears_nothing(s.world, s.fd);
    says_read(&s, "+OK\r\n");
    cr_assert_eq(s.readied, 0);
    node_hears_nothing(s.world, s.fd);
    says_read(&s, "+OK\r\n");
    cr_assert_eq(s.readied, 1);
    cr_assert_eq(s.up->deadline_ms, 0);
    node_hears(s.world, s.fd, "PING\r\n");
    says_read(&s, "+PONG\r\n");
    was_answered(&asked, "+PONG\r\n");
    watched_end(&s);
}

Test(handshake, nobody_needs_one_round_trip)
{
    struct watched s;
    struct asked asked;
    struct world *w = world_new();

    watched_open(&s, w, identity_nobody(&w->identities), NULL);
    ask(w, &asked, s.up, "PING\r\n");
    node_hears(w, s.fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    says_credentials(&s, "slave");
    cr_assert_not(s.shown.master);
    says_read(&s, "+RESET\r\n");
    cr_assert_eq(s.readied + s.greeted, 0);
    says_read(&s, "-NOPERM this user has no permissions to run the 'ping' command\r\n");
    cr_assert_eq(s.greeted, 1);
    cr_assert(s.admitted); /* whatever it may do */
    cr_assert_eq(s.readied, 1);
    node_hears(w, s.fd, "PING\r\n");
    watched_end(&s);
    has_failed(&asked, REQUEST_LOST);
}

/* Whoever is not authenticated shares only with those to whom the node said the same. */
static void is_on_its_side(bool outside, const char *says, bool readies)
{
    struct watched s;
    struct asked asked;
    struct world *w = world_new();
    struct identity *nobody = identity_nobody(&w->identities);

    watched_open(&s, w, identity_standing(&w->identities, nobody, outside), NULL);
    identity_release(nobody);
    ask(w, &asked, s.up, "GET k\r\n");
    node_hears(w, s.fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    says_credentials(&s, "master");
    says_read(&s, "+RESET\r\n");
    says_read(&s, says);
    cr_assert_eq(s.greeted, 1);
    cr_assert_eq(s.readied, readies);
    cr_assert_eq(s.cut, !readies);
    if (!readies) {
        cr_assert_not(s.error);
        has_failed(&asked, REQUEST_UNSENT);
    }
    watched_end(&s);
}

Test(handshake, nobody_is_let_in_or_is_not)
{
    static const char noauth[] = "-NOAUTH Authentication required.\r\n";
    is_on_its_side(false, "+PONG\r\n", true);
    is_on_its_side(false, noauth, false);
    is_on_its_side(true, noauth, true);
    is_on_its_side(true, "+PONG\r\n", false);
}

Test(handshake, the_proxys_own_connection_stays_its_own)
{
    struct watched s;
    struct world *w = world_new();

    struct credential *plain = credential_new(&owner, NULL, "ownpw", 5);
    watched_open(&s, w, identity_own(&w->identities), plain);
    credential_release(plain);
    node_hears(w, s.fd, "*2\r\n$4\r\nAuth\r\n$5\r\nownpw\r\n" HEARD_INFO HEARD_ID);
    says_read(&s, "+OK\r\n");
    says_credentials(&s, "master");
    cr_assert_eq(s.readied, 1);
    node_hears_nothing(w, s.fd); /* no RESET: it is still the proxy */
    watched_end(&s);
}

Test(handshake, a_password_that_stands_in_no_file_does_not_change)
{
    static const struct credential_owner in_no_file = {.group = "g", .wake = wake};
    struct watched s;
    struct world *w = world_new();
    struct credential *own = credential_new(&in_no_file, "proxy", "ownpw", 5);

    watched_open(&s, w, alice(w), own);
    credential_release(own);
    node_hears(w, s.fd, HEARD_OWN_AUTH HEARD_INFO HEARD_ID HEARD_RESET);
    says_read(&s, "-WRONGPASS no\r\n");
    cr_assert(s.refused);
    cr_assert_not(s.waits);
    watched_end(&s);
}

Test(handshake, what_it_sends_is_wiped)
{
    struct watched s;
    struct asked asked;

    begin(&s, &asked);
    for (struct list *it = s.up->queue.next; it != &s.up->queue; it = it->next)
        cr_assert(container_of(it, struct request, in_upstream)->secret);
    watched_end(&s);
    has_failed(&asked, REQUEST_UNSENT);
}

/* ---- a node that runs a script ---- */

#define BUSY                                                                                       \
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"
#define HEARD_HELLO "*2\r\n$5\r\nHello\r\n$1\r\n2\r\n"
#define HELLO_OF(role_len, role)                                                                   \
    "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$5\r\nproto\r\n:2\r\n"  \
    "$2\r\nid\r\n:5\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$" role_len "\r\n" role    \
    "\r\n$7\r\nmodules\r\n*0\r\n"

Test(handshake, a_busy_node_is_asked_again_with_hello)
{
    struct watched s;
    struct asked asked;
    struct credential *own = begin_with(&s, &asked);

    says_read(&s, "+OK\r\n" BUSY BUSY "+RESET\r\n");
    cr_assert_eq(s.verified, 0);
    node_hears(s.world, s.fd, HEARD_OWN_AUTH HEARD_HELLO HEARD_RESET);
    says_read(&s, "+OK\r\n" HELLO_OF("6", "master"));
    cr_assert_eq(s.verified, 1);
    cr_assert(s.shown.busy);
    cr_assert(s.shown.master);
    cr_assert_not(s.shown.replica);
    cr_assert_eq(s.shown.replid[0][0], '\0');
    cr_assert_eq(s.up->client_id, 5);
    node_hears_nothing(s.world, s.fd);
    says_read(&s, "+RESET\r\n");
    node_hears(s.world, s.fd, HEARD_AUTH HEARD_SELECT);
    says_read(&s, "+OK\r\n+OK\r\n");
    cr_assert_eq(s.readied, 1);
    node_hears(s.world, s.fd, "PING\r\n");
    credential_release(own);
    watched_end(&s);
    has_failed(&asked, REQUEST_LOST);
}

Test(handshake, a_busy_node_may_be_the_wrong_one)
{
    struct watched s;
    struct asked asked;

    begin(&s, &asked);
    s.verdict = "it is not a master";
    says_read(&s, "+OK\r\n" BUSY BUSY "+RESET\r\n");
    node_hears(s.world, s.fd, HEARD_OWN_AUTH HEARD_HELLO HEARD_RESET);
    says_read(&s, "+OK\r\n" HELLO_OF("7", "replica"));
    cr_assert(s.shown.replica);
    cr_assert_not(s.shown.master);
    was_cut(&s, true, "it is not a master");
    has_failed(&asked, REQUEST_UNSENT);
    watched_end(&s);
}

Test(handshake, a_busy_node_is_greeted_when_it_has_said_hello)
{
    struct watched s;
    struct world *w = world_new();

    watched_open(&s, w, identity_nobody(&w->identities), NULL);
    node_hears(w, s.fd, HEARD_INFO HEARD_ID HEARD_RESET HEARD_PING);
    says_read(&s, BUSY BUSY "+RESET\r\n" BUSY);
    cr_assert_eq(s.greeted, 0,
                 "what it says while it was not known to be the right one is no proof");
    node_hears(w, s.fd, HEARD_HELLO HEARD_RESET HEARD_PING);
    says_read(&s, HELLO_OF("6", "master") "+RESET\r\n" BUSY);
    cr_assert_eq(s.greeted, 1);
    cr_assert(s.admitted);
    cr_assert_eq(s.readied, 1);
    watched_end(&s);
}

Test(handshake, a_busy_node_takes_the_proxys_own_connection)
{
    struct watched s;
    struct world *w = world_new();

    watched_open(&s, w, identity_own(&w->identities), NULL);
    node_hears(w, s.fd, HEARD_INFO HEARD_ID);
    says_read(&s, BUSY BUSY);
    node_hears(w, s.fd, HEARD_HELLO);
    says_read(&s, HELLO_OF("6", "master"));
    cr_assert_eq(s.readied, 1);
    watched_end(&s);
}

/* ---- what INFO says ---- */

/* The role and the first replication id that INFO's text makes of a node. */
static void info_says(const char *info, bool master, bool replica, const char *replid)
{
    char text[400];
    struct watched s;
    struct world *w = world_new();

    watched_open(&s, w, identity_own(&w->identities), NULL);
    node_hears(w, s.fd, HEARD_INFO HEARD_ID);
    snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(info), info);
    says_read(&s, text);
    cr_assert_eq(s.verified, 1);
    cr_assert_eq(s.shown.master, master, "%s", info);
    cr_assert_eq(s.shown.replica, replica, "%s", info);
    cr_assert_str_eq(s.shown.replid[0], replid);
    cr_assert_not(s.shown.busy);
    watched_end(&s);
}

Test(handshake, info_is_read_line_by_line)
{
    info_says("role:master", true, false, "");
    info_says("role:slave\r\nmaster_replid:abc", false, true, "abc");
    info_says("master_replid:abc\nrole:master\n", true, false, "abc");
    info_says("xrole:master\r\nrole:slave\r\n", false, true, "");
    info_says("role:\r\nmaster_replid:\r\n", false, false, "");
    info_says("role:\nrole:master", true, false, ""); /* a line without a value says nothing */
    info_says("", false, false, "");
}

Test(handshake, a_node_that_does_not_tell_its_id_is_good)
{
    struct watched s;
    struct world *w = world_new();

    watched_open(&s, w, identity_own(&w->identities), NULL);
    node_hears(w, s.fd, HEARD_INFO HEARD_ID);
    says_read(&s, "$11\r\nrole:master\r\n-NOPERM no\r\n");
    cr_assert_eq(s.readied, 1);
    cr_assert_eq(s.up->client_id, 0);
    watched_end(&s);
}

Test(handshake, it_may_be_answered_a_byte_at_a_time)
{
    char script[1000], text[500];
    struct watched s;
    struct asked asked;
    size_t len;

    begin(&s, &asked);
    len =
        (size_t)snprintf(script, sizeof(script), "+OK\r\n%s+OK\r\n+OK\r\n+PONG\r\n",
                         node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_B, true));
    for (size_t i = 0; i < len; i++)
        node_says_and_is_read(s.world, s.fd, s.up, &s.cut, script + i, 1);
    cr_assert_not(s.cut, "%s", s.why);
    cr_assert_str_eq(s.shown.replid[0], REPLID_A);
    cr_assert_str_eq(s.shown.replid[1], REPLID_B);
    cr_assert_eq(s.up->client_id, 77);
    was_answered(&asked, "+PONG\r\n");
    watched_end(&s);
}

Test(handshake, without_an_id_it_goes_on)
{
    struct watched s;
    struct asked asked;

    begin(&s, &asked);
    says_read(&s, "+OK\r\n$13\r\nrole:master\r\n\r\n-NOPERM no client\r\n+RESET\r\n");
    node_hears(s.world, s.fd, HEARD_AUTH HEARD_SELECT);
    says_read(&s, "+OK\r\n+OK\r\n");
    cr_assert_eq(s.readied, 1);
    cr_assert_eq(s.up->client_id, 0);
    cr_assert_str_eq(s.shown.replid[0], "");
    watched_end(&s);
    has_failed(&asked, REQUEST_UNSENT);
}

/* ---- a wrong one, or one that refuses ---- */

/* After these answers the upstream is cut, its request may go elsewhere, and of alice the node has
 * heard nothing. */
static void is_cut_before_alice(const char *answers, const char *verdict, const char *why,
                                bool refused, bool waits)
{
    struct watched s;
    struct asked asked;

    begin(&s, &asked);
    s.verdict = verdict;
    says_read(&s, answers);
    node_hears_the_end(s.world, s.fd);
    was_cut(&s, true, why);
    cr_assert_eq(s.refused, refused, "whether it is the proxy that the node does not let in");
    cr_assert_eq(s.waits, waits, "whether its password's file may help");
    has_failed(&asked, REQUEST_UNSENT);
    cr_assert_eq(s.readied, 0);
    watched_end(&s);
}

Test(handshake, the_owner_may_say_that_it_is_the_wrong_node)
{
    char answers[600], text[500];

    snprintf(answers, sizeof(answers), "+OK\r\n%s",
             node_credentials(text, sizeof(text), "slave", REPLID_B, REPLID_NONE, true));
    is_cut_before_alice(answers, "it is not a master", "it is not a master", false, false);
}

Test(handshake, the_proxys_own_password_may_be_refused)
{
    is_cut_before_alice("-WRONGPASS invalid username-password pair\r\n-NOAUTH x\r\n-NOAUTH x\r\n"
                        "+RESET\r\n",
                        NULL,
                        "the proxy's own password was refused: "
                        "WRONGPASS invalid username-password pair",
                        true, true);
}

Test(handshake, a_refusal_is_noted_on_the_credential_and_told)
{
    struct watched s;
    struct asked asked;
    struct credential *own = begin_with(&s, &asked);

    cr_assert_eq(atomic_load(&own->refs), 2);
    says_read(&s, "-WRONGPASS invalid username-password pair\r\n");
    cr_assert(atomic_load(&own->refused));
    cr_assert_not(atomic_load(&own->accepted));
    cr_assert_eq(woken, 1);
    cr_assert_eq(atomic_load(&own->refs), 1, "nobody else holds it");
    credential_release(own);
    has_failed(&asked, REQUEST_UNSENT);
    watched_end(&s);
}

/* Until alice is in: she is in a database, and the node may not let her SELECT it herself. */
static struct credential *is_kept(struct watched *s, struct asked *asked)
{
    struct credential *own = begin_with(s, asked);

    says_read(s, "+OK\r\n");
    cr_assert(atomic_load(&own->accepted));
    cr_assert_not(atomic_load(&own->refused));
    cr_assert_eq(atomic_load(&own->refs), 2);
    says_credentials(s, "master");
    says_read(s, "+RESET\r\n");
    node_hears(s->world, s->fd, HEARD_AUTH HEARD_SELECT);
    cr_assert_eq(atomic_load(&own->refs), 2);
    return own;
}

Test(handshake, who_is_let_in_lets_the_credential_go)
{
    struct watched s;
    struct asked asked;
    struct credential *own = is_kept(&s, &asked);

    says_read(&s, "+OK\r\n+OK\r\n");
    cr_assert_eq(s.readied, 1);
    cr_assert_eq(atomic_load(&own->refs), 1);
    node_hears(s.world, s.fd, "PING\r\n");
    credential_release(own);
    watched_end(&s);
    has_failed(&asked, REQUEST_LOST);
}

#define NO_SELECT "NOPERM this user has no permissions to run the 'select' command"
#define HEARD_DETOUR "*1\r\n$5\r\nReset\r\n" HEARD_OWN_AUTH HEARD_SELECT HEARD_AUTH

Test(handshake, who_may_not_select_is_let_in_behind_the_proxy)
{
    struct watched s;
    struct asked asked;
    struct credential *own = is_kept(&s, &asked);

    says_read(&s, "+OK\r\n-" NO_SELECT "\r\n");
    node_hears(s.world, s.fd, HEARD_DETOUR);
    says_read(&s, "+RESET\r\n+OK\r\n+OK\r\n");
    cr_assert_eq(s.readied, 0);
    node_hears_nothing(s.world, s.fd); /* the proxy is it still: no client's command yet */
    says_read(&s, "+OK\r\n");
    cr_assert_eq(s.readied, 1);
    cr_assert_eq(atomic_load(&own->refs), 1);
    node_hears(s.world, s.fd, "PING\r\n");
    credential_release(own);
    watched_end(&s);
    has_failed(&asked, REQUEST_LOST);
}

#define HEARD_HELLO_3 "*2\r\n$5\r\nHello\r\n$1\r\n3\r\n"

Test(handshake, who_speaks_resp3_does_so_behind_the_proxy_too)
{
    struct watched s;
    struct world *w = world_new();
    struct identity *two = alice(w);
    struct identity *three = identity_with_protocol(&w->identities, two, true);
    struct credential *own = credential_new(&owner, "proxy", "ownpw", 5);

    identity_release(two);
    watched_open(&s, w, three, own);
    credential_release(own);
    node_hears(w, s.fd, HEARD_OWN_AUTH HEARD_INFO HEARD_ID HEARD_RESET);
    says_read(&s, "+OK\r\n");
    says_credentials(&s, "master");
    says_read(&s, "+RESET\r\n");
    node_hears(w, s.fd, HEARD_AUTH HEARD_HELLO_3 HEARD_SELECT);
    says_read(&s, "+OK\r\n%0\r\n-" NO_SELECT "\r\n");
    node_hears(w, s.fd, HEARD_DETOUR HEARD_HELLO_3);
    says_read(&s, "+RESET\r\n+OK\r\n+OK\r\n+OK\r\n");
    cr_assert_eq(s.readied, 0);
    says_read(&s, "%0\r\n");
    cr_assert_eq(s.readied, 1);
    watched_end(&s);
}

/* At any step; the client hears what it is itself refused with, and the proxy's connection is not left to it. */
Test(handshake, who_may_not_select_may_be_refused_behind_the_proxy)
{
    static const char *const answers[] = {
        "-ERR no RESET\r\n",
        "+RESET\r\n-WRONGPASS the proxy's\r\n",
        "+RESET\r\n+OK\r\n-NOPERM the proxy's\r\n",
        "+RESET\r\n+OK\r\n+OK\r\n-WRONGPASS go away\r\n",
    };

    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct watched s;
        struct asked asked;
        struct credential *own = is_kept(&s, &asked);

        says_read(&s, "+OK\r\n-" NO_SELECT "\r\n");
        node_hears(s.world, s.fd, HEARD_DETOUR);
        says_read(&s, answers[i]);
        node_hears_the_end(s.world, s.fd);
        cr_assert_eq(atomic_load(&own->refs), 1);
        credential_release(own);
        has_failed(&asked, REQUEST_REFUSED);
        cr_assert_str_eq(asked.text, i < 3 ? NO_SELECT : "WRONGPASS go away");
        cr_assert_eq(s.readied, 0);
        watched_end(&s);
    }
}

/* Without a password anybody may choose the database. */
Test(handshake, who_may_not_select_is_let_in_where_no_password_is_wanted)
{
    struct watched s;
    struct asked asked;
    struct credential *own = begin_with(&s, &asked);

    says_read(&s, "-ERR AUTH <password> called without any password configured for the default "
                  "user. Are you sure your configuration is correct?\r\n");
    cr_assert_eq(atomic_load(&own->refs), 1);
    says_credentials(&s, "master");
    says_read(&s, "+RESET\r\n");
    node_hears(s.world, s.fd, HEARD_AUTH HEARD_SELECT);
    says_read(&s, "+OK\r\n-" NO_SELECT "\r\n");
    node_hears(s.world, s.fd, "*1\r\n$5\r\nReset\r\n" HEARD_SELECT HEARD_AUTH);
    says_read(&s, "+RESET\r\n+OK\r\n+OK\r\n");
    cr_assert_eq(s.readied, 1);
    credential_release(own);
    watched_end(&s);
    has_failed(&asked, REQUEST_UNSENT);
}

Test(handshake, an_end_before_the_answer_lets_the_credential_go)
{
    struct watched s;
    struct asked asked;
    struct credential *own = begin_with(&s, &asked);

    shutdown(s.fd, SHUT_WR);
    until(s.cut, world_turn(s.world));
    cr_assert_eq(atomic_load(&own->refs), 1);
    cr_assert_eq(woken, 0);
    credential_release(own);
    has_failed(&asked, REQUEST_UNSENT);
    watched_end(&s);
}

Test(handshake, other_errors_do_not_mean_the_password)
{
    struct watched s;
    struct asked asked;
    struct credential *own = begin_with(&s, &asked);

    says_read(&s, "-ERR max number of clients reached\r\n");
    cr_assert_not(atomic_load(&own->refused));
    was_cut(&s, true, "AUTH was refused: ERR max number of clients reached");
    cr_assert(s.refused);
    cr_assert_not(s.waits, "another password would not help");
    credential_release(own);
    has_failed(&asked, REQUEST_UNSENT);
    watched_end(&s);
}

Test(handshake, a_node_that_wants_no_password_is_good)
{
    struct watched s;
    struct asked asked;
    struct credential *own = begin_with(&s, &asked);

    says_read(&s, "-ERR AUTH <password> called without any password configured for the default "
                  "user. Are you sure your configuration is correct?\r\n");
    says_credentials(&s, "master");
    says_read(&s, "+RESET\r\n");
    node_hears(s.world, s.fd, HEARD_AUTH HEARD_SELECT);
    cr_assert_not(atomic_load(&own->refused));
    credential_release(own);
    watched_end(&s);
    has_failed(&asked, REQUEST_UNSENT);
}

Test(handshake, info_may_be_refused)
{
    is_cut_before_alice("+OK\r\n-LOADING Redis is loading\r\n:1\r\n+RESET\r\n", NULL,
                        "INFO replication was refused: LOADING Redis is loading", true, false);
}

Test(handshake, reset_may_be_refused)
{
    char answers[600], text[500];

    snprintf(answers, sizeof(answers), "+OK\r\n%s-ERR unknown command `RESET`\r\n",
             node_credentials(text, sizeof(text), "master", REPLID_A, REPLID_NONE, false));
    is_cut_before_alice(answers, NULL, "RESET was refused: redisproxy needs Redis 6.2 or newer",
                        false, false);
}

/* After the right node's answers, `answers` to AUTH and SELECT; the request is refused with `text`.
 */
static void is_refused(const char *answers, const char *text)
{
    struct watched s;
    struct asked asked;

    begin(&s, &asked);
    says_read(&s, "+OK\r\n");
    says_credentials(&s, "master");
    says_read(&s, "+RESET\r\n");
    node_hears(s.world, s.fd, HEARD_AUTH HEARD_SELECT);
    says_read(&s, answers);
    was_cut(&s, false, text); /* the client's fault, not the node's */
    has_failed(&asked, REQUEST_REFUSED);
    cr_assert_str_eq(asked.text, text);
    cr_assert_eq(s.readied, 0);
    watched_end(&s);
}

Test(handshake, a_client_may_be_refused)
{
    is_refused("-WRONGPASS go away\r\n", "WRONGPASS go away");
    is_refused("-WRONGPASS go away\r\n-NOAUTH who are you\r\n", "WRONGPASS go away");
    is_refused("+OK\r\n-ERR DB index is out of range\r\n", "ERR DB index is out of range");
}

Test(handshake, the_node_may_leave_at_any_step)
{
    const char *steps[] = {"", "+OK\r\n", "+OK\r\n$13\r\nrole:master\r\n\r\n",
                           "+OK\r\n$13\r\nrole:master\r\n\r\n:1\r\n+RES",
                           "+OK\r\n$13\r\nrole:master\r\n\r\n:1\r\n+RESET\r\n"};

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct watched s;
        struct asked asked;

        begin(&s, &asked);
        says_read(&s, steps[i]);
        world_turns(s.world, LOOP_QUIET_TURNS);
        shutdown(s.fd, SHUT_WR);
        until(s.cut, world_turn(s.world));
        was_cut(&s, true, "closed by the node");
        has_failed(&asked, REQUEST_UNSENT);
        watched_end(&s);
    }
}
