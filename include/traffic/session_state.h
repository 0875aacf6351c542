/*
 * session_state: what the parts of a session share. Only proxy/traffic/session*.c
 * include it.
 *
 *     session.c          the connection: opening, writing, closing
 *     session_read.c     reading, framing
 *     session_ahead.c    what a client sends that does not read its replies
 *     session_order.c    which request may go now, and where
 *     session_wait.c     requests that wait, the hold
 *     session_answers.c  what comes back, and which reply is next
 *     session_fan.c      requests that go to every node
 *     session_verbs.c    what the session performs itself
 *     session_ask.c      what it asks its node before it answers itself
 *     session_clients.c  CLIENT LIST, INFO, ID: clients, where the node knows connections
 *     session_line.c     one of them, in the node's form
 *     session_kill.c     CLIENT KILL; session_choice.c: whom it and LIST mean
 *     session_unblock.c  CLIENT UNBLOCK
 *     session_lease.c    transactions, whatever needs a connection of its own
 *     session_ended.c    a lease that its node has ended
 *     session_blocking.c what waits for other clients' writes
 *     session_adopt.c    AUTH, HELLO, SELECT
 *     session_rights.c   whether the user may do what the session does itself
 *     session_exec.c     what the session does itself, inside MULTI
 *     session_info.c     INFO's own section
 *     session_tx.c       a transaction that lost its connection
 *     session_pubsub.c   subscriptions, and what publishes to them
 *     session_kept.c     what the node was told about the connection (CLIENT TRACKING)
 *     session_redirect.c the session that gets another one's invalidations
 *     session_scripts.c  scripts that a node has lost
 *     session_scan.c     SCAN and kin, whose cursors are of one process
 *     session_pause.c    what CLIENT PAUSE keeps waiting
 *     session_counted.c  WAIT and WAITAOF
 *     session_replication.c  SYNC and PSYNC, where they are allowed
 *
 * The requests stand in one list, in the order in which they came; their
 * states, not their places, say how far each is:
 *
 *     head                                    next
 *     ANSWERED  SENT  ANSWERED  SENT  QUEUED  WAITING  WAITING
 *     `- delivered when it is the head        `- dispatched when order and topology allow
 */
#ifndef REDISPROXY_TRAFFIC_SESSION_STATE_H
#define REDISPROXY_TRAFFIC_SESSION_STATE_H

#include "net/stream.h"
#include "threads/relay.h"
#include "traffic/session.h"

#define SESSION_MAGIC 0x73657373u

/* What a dispatch came to. */
enum step {
    STEP_ON,   /* the request went on its way, or was answered: the next one */
    STEP_WAIT, /* an earlier request of this session has to finish first */
    STEP_HOLD, /* there is nobody to send it to now */
};

/* The transaction as of the last dispatched request. */
enum tx {
    TX_NONE,
    TX_OPEN,   /* on the lease */
    TX_ABORT,  /* its connection is gone: the rest is answered here, EXEC with EXECABORT */
    TX_NIL,    /* the same with a WATCH before it: EXEC answers nil */
    TX_BUSY,   /* the node was busy with a script: as Redis does, EXEC says EXECABORT */
    TX_UNHELD, /* a part of it could not be held: answered here, EXEC with EXECABORT */
};

struct subscriptions;
struct kept;
struct redirection;

/* What a session asks the other workers, embedded in what is asked. Its request waits meanwhile. */
struct inquiry {
    struct relay relay;
    struct session_host *host; /* its home */
    struct request *asking;    /* keeps the session waiting; has a copy of its request's bytes */
    /* `r` is to be answered now. */
    void (*told)(struct session *s, struct request *r, struct inquiry *inquiry);
    void (*free)(struct inquiry *inquiry);
};

/* A question was answered (session_ask.c): `r`, which waited for it, is to be answered now. */
typedef void session_told(struct session *s, struct request *r, const struct upstream *from,
                          struct slice reply);

struct session {
    unsigned magic;
    bool closing;     /* terminal */
    bool eof;         /* the client ended its side: what it sent is still answered */
    bool gone;        /* the same, seen without reading */
    bool last_words;  /* nothing more is read; closes when all is answered and written */
    bool quitting;    /* nothing more is dispatched */
    bool said_all;    /* QUIT was answered: closes when that is written */
    bool draining;    /* closes when nothing is unfinished */
    bool reads_ahead; /* the client takes no replies: what it sends is kept as bytes */
    bool ahead_end;   /* and behind these it ended its side */
    /* dispatch-time state */
    int64_t pauses_until_ms; /* of `pauses` */
    bool reply_off, reply_skip;
    unsigned unplaced; /* requests that were refused before their turn came */
    bool mixed;        /* requests (reads) are in flight on several upstreams */
    bool watching, watch_broken;
    bool tx_refused;  /* a command of the open transaction was refused */
    bool tx_dirty;    /* by the node that its lease goes to: EXEC there says so */
    bool sticky;      /* the lease is kept until the session ends */
    bool lease_dirty; /* the lease must not go to another session */
    bool lease_named; /* and bears this session's name */
    bool pauses;      /* a CLIENT PAUSE of its own is on its way, */
    bool monitoring;
    bool unrenewed; /* its subscriptions were lost, or are held, and are not confirmed yet */
    bool wrote;
    bool uncounted;       /* the last WAIT's lease could not be told of the session's writes */
    bool tunnel;          /* its lease carries replication: bytes, not requests */
    bool tx_scans;        /* a SCAN, or one of its kin, is in the open transaction */
    bool tx_lost;         /* the open transaction is to be sent again on the next lease */
    bool tx_rejected;     /* a node rejected a part of it, for a reason that a switch will mend */
    bool tx_logged;       /* everything of it is in tx_log */
    bool tx_publishes;    /* it may publish a message */
    bool tx_scripts;      /* there is an EVALSHA in it */
    bool tx_rights;       /* it may change who is let in */
    uint8_t script_tries; /* to load what its EVALSHAs need */
    bool auth_not_needed; /* not authenticated, and Redis does not mind */
    uint8_t tx;           /* enum tx */
    /* as confirmed by replies */
    bool tx_confirmed, watch_confirmed;

    struct stream stream;
    struct session_host *host;
    const struct traffic_listener_options *listener;
    uint64_t id;
    struct list in_host, in_woken, in_dirty;
    struct list in_script_wait; /* a script is being loaded */
    struct held held;
    struct place place;
    int64_t opened_ms,
        read_ms; /* for CLIENT LIST: since when it is here, and last said something */
    const struct command *last; /* its newest request's; its name may be NULL */
    struct identity *identity;
    char *name;       /* CLIENT SETNAME */
    char *hello_name; /* HELLO's SETNAME, until Redis has let it in */
    struct buf out;
    struct partial *partial; /* a request that has not arrived wholly */
    struct list ahead;       /* bytes behind it, not looked at yet */
    size_t ahead_bytes;
    struct list in_stalled; /* its replies wait, and it is not read for that */
    int64_t taken_ms;       /* since when, or when it last took some */

    struct list requests;
    struct request *next;   /* the first WAITING one */
    unsigned count, writes; /* unanswered: all, and those that may write */
    unsigned inflight, inflight_writes, rejected;
    size_t waiting_bytes;
    struct list tx_log; /* the open transaction's delivered requests, MULTI first */
    size_t tx_bytes;
    struct upstream *at; /* where the ones in flight are, unless `mixed` */

    /* barriers: nothing is dispatched while one of these is set */
    struct request *adopting;        /* AUTH, HELLO, SELECT */
    struct request *blocked;         /* a blocking command */
    struct request *fanning;         /* SCRIPT LOAD and kin */
    struct learn_question *question; /* what is the command of `learning`? */
    struct request *learning;
    struct request *asking; /* a question of the session's own; then told() answers `next` */
    session_told *told;

    struct request *refused_multi; /* not delivered yet: what follows it is refused, up to EXEC */

    struct upstream *lease;
    struct ended ended; /* the last one, while it is not known why (session_ended.c) */
    struct list in_doubted;
    unsigned unblocks; /* the proxy's own that were sent for the lease, and have ended nothing */
    struct upstream *paused; /* not read because this client does not read */
    struct upstream *early;  /* not read because other replies have to come first */
    struct subscriptions *subs;
    unsigned renewing; /* the proxy's own requests that make them again, unanswered */
    struct kept *kept;
    uint64_t redirecting;            /* the session that a CLIENT TRACKING in flight names */
    struct redirection *redirection; /* what another worker was asked about that one */
};

/* ---- session.c ---- */
void session_close(struct session *s, const char *why);
void session_mark_dirty(struct session *s);
void session_mark_woken(struct session *s);
/* Writes now what can be written. */
void session_flush(struct session *s);
/* Everything is answered, and written. */
bool session_is_finished(const struct session *s);
/* Appends to what the client is to get. */
void session_put(struct session *s, const char *bytes, size_t len);

/* The proxy ends it, for a reason that an operator would want to know. */
void session_disconnect(struct session *s, const char *why);
/* Logs and counts that; the session ends otherwise. */
void session_count_disconnected(struct session *s, const char *why);

/* ---- session_read.c ---- */
/* Whether more requests may be taken; and whether they are read from the socket then. */
bool session_wants_to_read(const struct session *s);
bool session_reads(const struct session *s);
/* Tells the stream what is wanted. */
void session_update_interest(struct session *s);
/* Takes what has come, and dispatches it; the caller has asked session_reads(). */
void session_read(struct session *s);
/* Frames what the client has sent. Wipes secrets where they are. */
void session_feed(struct session *s, char *data, size_t len);
/* All was taken that came before the end of the client's side. */
void session_ended(struct session *s);
/* Of a request that has not come wholly: the session ends. */
void session_forget_partial(struct session *s);

/* ---- session_ahead.c ---- */
/* Whether it is read, or replies wait, may have changed; the client took some. */
void session_watch_stall(struct session *s);
void session_was_taken_from(struct session *s);
/* Keeps what has come. */
void session_read_ahead(struct session *s);
/* Takes the first piece of it, if requests may be taken: one at a time, or others would wait. */
void session_take_ahead(struct session *s);
void session_forget_ahead(struct session *s);

/* ---- session_wait.c ---- */
void session_add(struct session *s, struct request *r);
void session_leave_waiting(struct session *s, struct request *r);
/* A request that was on its way waits again, before all that waits. */
void session_wait_again(struct session *s, struct request *r);
/* Nobody to send to: the session joins the hold, in bounds. */
void session_enter_hold(struct session *s);
/* Answers a WAITING request here; `reply` is whole RESP. */
void session_answer(struct session *s, struct request *r, const char *reply);
void session_answer_bytes(struct session *s, struct request *r, const char *reply, size_t len);
void session_answerf(struct session *s, struct request *r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What EXEC and blocking commands answer when there is nothing, in the session's protocol. */
const char *session_null_array(const struct session *s);
/* All that stands before `end` has had its turn: those of it that were refused before theirs have it, too. */
void session_place_refused(struct session *s, const struct list *end);
/* Replaces a WAITING request's bytes. */
void session_rewrite(struct session *s, struct request *r, const struct buf *bytes);

/* ---- session_answers.c ---- */
extern const struct request_owner session_owner;
/* Hands out the replies whose turn it is. */
void session_deliver(struct session *s);
/* Reads on where a reply was too early, when its turn has come. */
void session_resume_early(struct session *s);
/* The answer of a request in flight was replaced by `reply`: it is answered without its node. */
void session_settle(struct session *s, struct request *r, const char *reply);
/* A write was sent, and its connection died: what the client gets for it (inflight_writes). */
void session_outcome_unknown(struct session *s, struct request *r, const char *error);

/* ---- session_fan.c ---- */
void session_fan_out(struct session *s, struct request *r);
/* The request's session is gone; its copies go on for themselves. */
void session_forget_fan(struct request *r);
/* The same, and nothing waits for them. */
void session_forget_copies(struct session *s, struct request *r);

/* ---- session_order.c ---- */
void session_dispatch(struct session *s);
/* Sends a WAITING request, which is no longer WAITING then. */
void session_send(struct session *s, struct request *r, struct upstream *to);
/* Whether it may be sent to `to` while others are in flight. */
bool session_in_order(const struct session *s, const struct request *r, const struct upstream *to);
enum step session_send_shared(struct session *s, struct request *r, struct identity *identity);
enum target_role session_target_role(const struct session *s, const struct request *r);
/* The argument with this number. */
struct slice session_arg(const struct request *r, int number);

/* ---- session_verbs.c ---- */
enum step session_perform(struct session *s, struct request *r);
/* Its user may do it. */
void session_perform_permitted(struct session *s, struct request *r);
void session_set_name(struct session *s, struct slice name);
/* The session of this worker with this id, or NULL. */
struct session *session_find(struct session_host *host, uint64_t id);
/* A captured reply is whole. */
void session_rewrite_reply(struct session *s, struct request *r, const struct upstream *from);
/* In a captured reply the number whose digits begin at `at` becomes this one. */
void session_rewrite_number(struct request *r, const char *at, uint64_t number);
/* Redis' error for a client's name that it does not take, or NULL. */
const char *session_bad_name(struct slice name);

/* ---- session_adopt.c ---- */
/* Whether the verb can be left to the session although it holds a lease. */
bool session_verb_is_local(uint8_t verb);
/* AUTH, HELLO, SELECT. */
enum step session_perform_adoption(struct session *s, struct request *r);
/* The same on a lease that the session keeps. Returns true when it was answered here. */
bool session_prepare_adoption(struct session *s, struct request *r);
void session_adopted(struct session *s, struct request *r, const struct upstream *by);
/* Whether it shows the node a password. */
bool session_proves(const struct request *r);
/* Not authenticated, it stands on the other side: let in where it was not, or the reverse. */
void session_change_sides(struct session *s);
void session_hello_answered(struct session *s, struct request *r);
/* It went well. On a lease several may be on their way: what one changes is what the one before left. */
void session_adopt_in_turn(struct session *s, struct request *r);

/* ---- session_exec.c ---- */
/* What the session performs itself is to be queued in the open transaction. */
void session_queue_performed(struct session *s, struct request *r);
/* Whether there is such in the open transaction; and EXEC's answer, which is whole then. */
bool session_tx_performs(const struct session *s);
void session_exec_answered(struct session *s, struct request *exec);

/* ---- session_rights.c ---- */
/* CLIENT GETNAME, SETNAME, SETINFO, REPLY. */
enum step session_perform_if_permitted(struct session *s, struct request *r);

/* ---- session_unblock.c ---- */
enum step session_client_unblock(struct session *s, struct request *r);

/* ---- session_info.c ---- */
/* INFO is about to be sent: does it ask for the proxy's section? */
void session_info_goes(const struct session *s, struct request *r);
void session_info_answered(const struct session *s, struct request *r, const struct upstream *from);

/* ---- session_ask.c ---- */
/* Asks the node something for `r`, the next to be dispatched; returns STEP_WAIT, or STEP_HOLD when
 * there is nobody to ask. `alone`: on a lease that nobody gets afterwards. */
enum step session_ask(struct session *s, struct request *r, bool alone, struct slice question,
                      session_told *told);

/* The same of the other workers. The session waits from now on; inquiry->asking has a copy of the
 * request's bytes, which lives as long as the inquiry. */
void session_inquire(struct session *s, struct inquiry *inquiry, const struct request *r);
/* All of them; told() may be called before it returns. */
void session_ask_workers(struct inquiry *inquiry,
                         bool (*visit)(struct relay *relay, struct relay_stop *there));
/* Another one. */
void session_ask_worker(struct inquiry *inquiry, size_t worker,
                        bool (*visit)(struct relay *relay, struct relay_stop *there));

/* ---- session_line.c ---- */
/* A session's line in CLIENT LIST: `own`, that of its own connection, or `form`, somebody else's, with
 * what the session knows better. `asks`: it is who asks. */
void session_add_line(struct buf *out, const struct session *s, struct slice own, struct slice form,
                      bool asks);
/* ---- session_clients.c, session_kill.c ---- */
enum step session_perform_clients(struct session *s, struct request *r);
enum step session_client_kill(struct session *s, struct request *r);
/* The text of a bulk or verbatim string; {NULL, 0}: it is none, but an error. And the way back, in the
 * form (`type`) in which the node gave its own. */
struct slice session_text_of(struct slice reply);
void session_put_text(struct buf *out, char type, const struct buf *text);

/* ---- session_lease.c ---- */
bool session_needs_lease(const struct session *s, const struct request *r);
enum step session_send_on_lease(struct session *s, struct request *r);
/* Takes one where the session's route says; false: nobody to take it from now. */
bool session_take_lease(struct session *s);
void session_lease_answered(struct session *s, struct request *r);
/* Returns true when it dealt with the failure. */
bool session_lease_failed(struct session *s, struct request *r, enum request_failure why);
void session_lease_settle(struct session *s);
void session_lease_drop(struct session *s);
void session_recount(struct session *s);
bool session_is_tx_verb(uint8_t verb);

/* ---- session_ended.c ---- */
/* The lease was ended by its node. Until it is known why, nothing is dispatched. */
void session_doubt(struct session *s, const struct upstream *lease);
static inline bool session_doubts(const struct session *s)
{
    return list_linked(&s->in_doubted);
}

/* ---- session_blocking.c ---- */
bool session_is_blocking(const struct request *r);
/* A held blocking command waits its own time and no longer. */
void session_start_timeout(struct session *s, struct request *r);
/* What is left of its timeout, after it was held. */
void session_rewrite_timeout(struct session *s, struct request *r);
/* Its timeout, as its client gave it, has passed. */
bool session_blocked_expired(const struct request *r, int64_t now_ms);
/* It is answered -UNBLOCKED: was it the proxy that wanted this? */
bool session_is_taken_back(const struct session *s, const struct request *r);

/* ---- session_tx.c ---- */
/* A request of an open transaction was delivered: it is kept, or freed. */
void session_tx_keep(struct session *s, struct request *r);
void session_tx_forget(struct session *s);
/* Its EXEC or DISCARD was delivered. */
void session_tx_over(struct session *s);
/* The lease that the open transaction was on is gone. */
void session_tx_lease_lost(struct session *s, bool watching);
/* Sends what was kept on a fresh lease, before anything else goes there. */
void session_tx_replay(struct session *s);
/* A node would not execute it (EXECABORT for a switch's reason): from MULTI again. */
void session_tx_again(struct session *s);
/* It is given up: EXEC says so. */
void session_break_tx(struct session *s);
/* A transaction without a connection, that cannot be sent again. */
enum step session_tx_local(struct session *s, struct request *r);
bool session_is_switch_error(const char *reply, size_t len);

/* ---- session_pubsub.c ---- */
bool session_is_subscribe_verb(uint8_t verb);
bool session_subscribed(const struct session *s);
/* Whether a request in flight is about to change that. */
bool session_subscribing(const struct session *s);
enum step session_send_subscribe(struct session *s, struct request *r);
/* From now on the lease may bring what nobody asked for. False: not in the middle of a reply. */
bool session_tap_lease(struct session *s);
/* Whether it is subscribed to the channel of RESP2's invalidations. */
bool session_hears_invalidations(const struct session *s);
/* What nobody asked for goes to the client as it is. */
void session_pass_on(struct session *s, const char *message, size_t len);
/* A lease is gone: whether the session wants a new one at once. */
bool session_wants_resubscribe(const struct session *s);
/* Sends the session's subscriptions on a fresh lease, before anything that queues them in a
 * transaction. */
void session_resubscribe(struct session *s);
void session_forget_subscriptions(struct session *s);
/* Its lease is gone, or about to be: what others publish waits until the subscriptions stand again. */
void session_subscriptions_lost(struct session *s);
/* It is held. If what is next subscribes, that is waited for, too: a client that does not wait for the
 * confirmation (Celery) has asked for it before what others publish since. */
void session_subscription_waits(struct session *s);
/* Something was answered: perhaps its subscriptions are no longer waited for. */
void session_look_renewed(struct session *s);
/* Whether the request may publish a message, or counts subscribers. */
bool session_may_publish(const struct command *command);
bool session_waits_for_subscribers(struct session *s, struct request *r);

/* ---- session_kept.c ---- */
bool session_is_kept_verb(uint8_t verb);
bool session_tracks(const struct session *s);
/* One of those verbs is to be sent on the lease. STEP_ON: it may. */
enum step session_prepare_kept(struct session *s, struct request *r);
void session_kept_answered(struct session *s, struct request *r);
/* Whether a lease could be told all that is kept (a session that is redirected to has its own). */
bool session_kept_ready(struct session *s);
/* Tells a fresh lease. */
void session_restore_kept(struct session *s);
/* The lease is gone, and what the client has cached is tracked no more. */
void session_kept_lost(struct session *s);
void session_forget_kept(struct session *s);
/* The session that gets its invalidations; 0: itself, or none. */
uint64_t session_redirects_to(const struct session *s);
/* It was named itself: a new lease has to be told its own id there. */
bool session_tracks_for_itself(const struct session *s);

/* ---- session_redirect.c ---- */
enum found { FOUND_NOT_YET, FOUND_NOBODY, FOUND };
/* The node's id of the session that is to get `s`'s messages, which takes a lease for it. Not yet: `s`
 * will be woken. */
enum found session_find_redirected(struct session *s, uint64_t id, uint64_t *id_at_node);
/* CLIENT TRACKING is to be sent: our id in it becomes the node's. */
enum step session_redirect(struct session *s, struct request *r);
/* Appends the command with this id in it. */
void session_append_redirect(struct buf *out, struct slice command, uint64_t id);
/* All that is cached is to be forgotten; by the session with this id. */
void session_invalidate(struct session *s);
void session_invalidate_redirected(struct session *s, uint64_t id);
void session_forget_redirection(struct session *s);
/* In an answer the node's id becomes ours. */
void session_rewrite_redirect(struct session *s, struct request *r);

/* ---- session_scripts.c ---- */
/* Before the first request of a user who uses scripts goes to a new master: it is told the recent ones. */
void session_tell_scripts(struct session *s, const struct request *r, struct upstream *to);
/* EVAL, EVALSHA or EXEC is to be sent on the lease, for whose node a script is loaded if need be. STEP_ON:
 * it may. */
enum step session_prepare_script(struct session *s, struct request *r);
/* SCRIPT LOAD, SCRIPT FLUSH, sent. Whether other workers have to forget theirs. */
bool session_script_command(struct session *s, const struct request *r);

/* ---- session_scan.c ---- */
/* SCAN or one of its kin, classified: from now on it has the node's own cursor. */
void session_scan_comes(struct session *s, struct request *r);
enum step session_send_scan(struct session *s, struct request *r);
/* It is about to be sent. */
void session_scan_goes(struct session *s, struct upstream *to);
/* The beginning of its reply is there, or more of it. */
void session_scan_answers(struct session *s, struct request *r, const struct upstream *from);
/* The answer of an EXEC with some of them in its transaction is whole. */
void session_scan_executed(struct session *s, struct request *exec, const struct upstream *from);

/* ---- session_pause.c ---- */
/* While a node is paused: whether the request shall not stand before others'. */
bool session_waits_apart(const struct session *s, const struct request *r);
/* CLIENT PAUSE is about to be sent on the lease: what comes behind it shall not be caught. */
void session_pause_goes(struct session *s, const struct request *r);
/* It, CLIENT UNPAUSE, or the EXEC behind it was answered there. */
void session_pause_answered(struct session *s, const struct request *r);

/* ---- session_counted.c ---- */
/* WAIT or WAITAOF is about to be sent on the lease. */
void session_count_all(struct session *s, struct request *r);
/* Its answer is whole. */
void session_counted(struct session *s, struct request *r);

/* ---- session_replication.c ---- */
/* Whether it is a command of replication; and they are allowed on this listener. */
bool session_is_replication(const struct request *r);
bool session_replicates(const struct session *s, const struct request *r);
enum step session_replicate(struct session *s, struct request *r);
/* What a replica says, once its session is a tunnel: a request, and an empty line. */
void session_tunnel_alive(struct session *s);
enum step session_tunnel_rest(struct session *s, struct request *r);

#endif
