/*
 * admission: see the header. Checks that are under way, and refusals for the moment in which those who
 * waited for them come back, stand in one list, which is short: one for each identity that somebody
 * used for the first time just now.
 */
#include "nodes/admission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A refusal is given to all who ask the same within this time, and no longer: the password may be right a moment later. */
#define REFUSAL_MS 100

/* A node's word that it lets everybody in is good for so long for what is kept of an unfinished request. */
#define LOGIN_WORD_MS 10000

struct auth_check {
    struct list in_admission;
    struct admission *admission;
    size_t group;
    uint64_t node;
    enum purpose purpose;
    struct identity *identity; /* the proof will be about this one */
    bool asking;
    int64_t asked_ms;
    uint64_t generation; /* of rights, when it was asked */
    int64_t refused_ms;
    char error[160]; /* "": it was not refused */
};

struct admission {
    struct turn *turn;
    struct pool *pool;
    struct identities *identities;
    struct rights *rights;
    void (*on_change)(void *data, size_t group);
    void *data;
    struct list checks;
};

struct admission *admission_new(struct turn *turn, struct pool *pool, struct identities *identities,
                                struct rights *rights, void (*on_change)(void *data, size_t group),
                                void *data)
{
    struct admission *admission = calloc(1, sizeof(*admission));
    if (!admission)
        abort();
    *admission = (struct admission){.turn = turn,
                                    .pool = pool,
                                    .identities = identities,
                                    .rights = rights,
                                    .on_change = on_change,
                                    .data = data};
    list_init(&admission->checks);
    return admission;
}

/* The identity, and so its password, is kept no longer than the pool keeps it. */
static void forget(struct auth_check *check)
{
    list_remove(&check->in_admission);
    check->identity->pooled--;
    identity_release(check->identity);
    free(check);
}

void admission_free(struct admission *admission)
{
    list_each (it, &admission->checks)
        forget(container_of(it, struct auth_check, in_admission));
    free(admission);
}

/* ---- checks ---- */

static struct auth_check *find(struct admission *admission, const struct target *target,
                               const struct identity *identity)
{
    list_each (it, &admission->checks) {
        struct auth_check *check = container_of(it, struct auth_check, in_admission);
        if (check->identity == identity && check->node == target->node &&
            check->group == target->group && check->purpose == target->purpose)
            return check;
    }
    return NULL;
}

static void forget_old(struct admission *admission, int64_t now_ms)
{
    list_each (it, &admission->checks) {
        struct auth_check *check = container_of(it, struct auth_check, in_admission);
        if (!check->asking && now_ms - check->refused_ms >= REFUSAL_MS)
            forget(check);
    }
}

/* The check is over. `error`: the node refused the identity with it; NULL: there is a proof now, or the connection ended
 * without an answer. In each case all who wait try again. */
static void ended(struct auth_check *check, const char *error)
{
    struct admission *admission = check->admission;
    size_t group = check->group;
    int64_t now = turn_now(admission->turn);
    check->asking = false;
    if (error) {
        snprintf(check->error, sizeof(check->error), "%s", error);
        check->refused_ms = now;
        rights_refused(&admission->rights[group], now);
    } else {
        forget(check);
    }
    admission->on_change(admission->data, group);
}

static void prove(const struct auth_check *check, bool admitted)
{
    struct proof proof = {true, admitted, check->asked_ms, check->generation};
    pool_note_proof(check->admission->pool, check->group, check->node, check->purpose,
                    check->identity, &proof);
}

static void on_answer(struct request *request, const char *data, size_t len, bool first, bool last)
{
    static const char noauth[] = "-NOAUTH ";
    struct auth_check *check = request->owner_data;
    char line[160];
    (void)first;
    buf_append(&request->reply, data, len);
    if (!last)
        return;
    const char *reply = buf_head(&request->reply);
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(reply, "\r\n"), reply);
    request_free(&check->admission->turn->requests, request);
    bool authenticated = check->identity->authenticated, refused = line[0] == '-';
    if (!authenticated || !refused)
        prove(check, authenticated || strncmp(line, noauth, sizeof(noauth) - 1) != 0);
    ended(check, authenticated && refused ? line + 1 : NULL);
}

static void on_failed(struct request *request, enum request_failure why, const char *text)
{
    struct auth_check *check = request->owner_data;
    request_free(&check->admission->turn->requests, request);
    ended(check, why == REQUEST_REFUSED && check->identity->authenticated ? text : NULL);
}

static const struct request_owner check_owner = {on_answer, on_failed, NULL};

static void ask_with_password(struct admission *admission, struct upstream *up,
                              struct auth_check *check)
{
    const struct identity *identity = check->identity;
    struct buf bytes = {0};
    struct request *request;
    append_auth(&bytes, (struct slice){identity->user, identity->user_len},
                (struct slice){identity->password, identity->password_len});
    request = request_own(&admission->turn->requests, buf_slice(&bytes), &check_owner, check);
    request->secret = true;
    upstream_submit(up, request);
    buf_wipe(&bytes);
}

/* After RESET a connection is what a new one would be. */
static void ask_without(struct admission *admission, struct upstream *up, struct auth_check *check)
{
    static const struct slice reset = {"Reset", 5}, ping = {"Ping", 4};
    struct request_pool *requests = &admission->turn->requests;
    upstream_submit(up, request_own_words(requests, 1, &reset, NULL, NULL));
    upstream_submit(up, request_own_words(requests, 1, &ping, &check_owner, check));
}

/* The connection on which the node is asked; NULL: there is none now. */
static struct upstream *connection(struct admission *admission, const struct target *target,
                                   struct identity *identity)
{
    if (identity->asks)
        return pool_shared(admission->pool, target, identity);
    return pool_auth_upstream(admission->pool, target, identity);
}

/* Returns whether the node is being asked. */
static bool check_at(struct admission *admission, const struct target *target,
                     struct identity *identity, uint64_t generation)
{
    struct auth_check *check = find(admission, target, identity);
    struct upstream *up;
    if (check && check->asking)
        return true;
    up = connection(admission, target, identity);
    if (!up)
        return false;
    if (!check) {
        check = calloc(1, sizeof(*check));
        if (!check)
            abort();
        list_append(&admission->checks, &check->in_admission);
        identity_retain(identity);
        identity->pooled++;
    }
    *check = (struct auth_check){.in_admission = check->in_admission,
                                 .admission = admission,
                                 .group = target->group,
                                 .node = target->node,
                                 .purpose = target->purpose,
                                 .identity = identity,
                                 .asking = true,
                                 .asked_ms = turn_now(admission->turn),
                                 .generation = generation};
    if (identity->authenticated)
        ask_with_password(admission, up, check);
    else
        ask_without(admission, up, check);
    return true;
}

/* ---- who may come in ---- */

/* On its way in by a proof that still counts. */
static enum entrance enter_by(struct admission *admission, const struct target *target,
                              struct identity *identity, const struct proof *proof)
{
    int64_t now = turn_now(admission->turn);
    if (now - proof->ms >= PROOF_MAX_MS / 2)
        (void)check_at(admission, target, identity, proof->generation);
    return ENTRY_FREE;
}

static enum entrance check_or_wait(struct admission *admission, const struct target *target,
                                   struct identity *identity, uint64_t generation)
{
    return check_at(admission, target, identity, generation) ? ENTRY_WAITS : ENTRY_NONE;
}

static enum entrance with_password(struct admission *admission, const struct target *target,
                                   struct identity *identity, const struct proof *proof, bool fresh,
                                   uint64_t generation, const char **error)
{
    const struct auth_check *check;
    if (fresh)
        return enter_by(admission, target, identity, proof);
    check = find(admission, target, identity);
    if (!check || check->asking)
        return check_or_wait(admission, target, identity, generation);
    *error = check->error;
    return ENTRY_REFUSED;
}

static enum entrance without(struct admission *admission, const struct target *target,
                             const struct proof *proof, bool fresh, uint64_t generation)
{
    struct identity *asking = identity_asking(admission->identities);
    enum entrance entry = fresh ? enter_by(admission, target, asking, proof)
                                : check_or_wait(admission, target, asking, generation);
    identity_release(asking);
    return entry;
}

enum entrance admission_try(struct admission *admission, const struct target *target,
                            struct identity *identity, bool leased, bool entered,
                            const char **error)
{
    int64_t now = turn_now(admission->turn);
    bool shares;
    if (identity->own)
        return ENTRY_FREE;
    shares = pool_has(admission->pool, target, identity, leased);
    if (entered && (shares || identity->authenticated))
        return ENTRY_FREE;
    forget_old(admission, now);
    uint64_t generation = rights_generation(&admission->rights[target->group], now);
    struct proof proof = pool_proof(admission->pool, target, identity);
    int64_t max_ms = proof.admitted ? PROOF_MAX_MS : REFUSAL_MS;
    bool fresh = proof.known && proof.generation == generation && now - proof.ms < max_ms;
    if (!identity->authenticated && fresh && proof.admitted == identity->outside)
        return ENTRY_OTHER;
    if (!shares ||
        (!leased && pool_joins(admission->pool, target, identity, now - PROOF_MAX_MS, generation)))
        return ENTRY_FREE;
    return identity->authenticated
               ? with_password(admission, target, identity, &proof, fresh, generation, error)
               : without(admission, target, &proof, fresh, generation);
}

enum entrance admission_login(struct admission *admission, const struct target *target,
                              struct identity *identity, bool entered)
{
    int64_t now = turn_now(admission->turn);
    if (identity->authenticated || identity->own ||
        (entered && !identity->outside && pool_stands(admission->pool, target, identity, false)))
        return ENTRY_FREE;
    forget_old(admission, now);
    uint64_t generation = rights_generation(&admission->rights[target->group], now);
    struct proof proof = pool_proof(admission->pool, target, identity);
    bool known = proof.known && proof.generation == generation, asking;
    struct identity *asks;
    if (known && !proof.admitted && now - proof.ms < REFUSAL_MS)
        return ENTRY_OTHER;
    known = known && proof.admitted;
    if (known && now - proof.ms < LOGIN_WORD_MS)
        return ENTRY_FREE;
    asks = identity_asking(admission->identities);
    asking = check_at(admission, target, asks, generation);
    identity_release(asks);
    if (known)
        return ENTRY_FREE;
    return asking ? ENTRY_WAITS : ENTRY_NONE;
}
