/*
 * admission: see the header. Knocks that are under way, and refusals for the moment in which those who
 * waited for them come back, stand in one list, which is short: one for each identity that somebody
 * used for the first time just now.
 */
#include "nodes/admission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So long a refusal answers those who come to ask the same: a password may be right a moment later. */
#define REFUSAL_MS 100

struct knock {
    struct list in_admission;
    struct admission *admission;
    size_t group;
    uint64_t node;
    enum purpose purpose;
    struct identity *identity; /* whose proof it is to be */
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
    struct list knocks;
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
    list_init(&admission->knocks);
    return admission;
}

/* It keeps a password no longer than the pool does. */
static void forget(struct knock *knock)
{
    list_remove(&knock->in_admission);
    knock->identity->pooled--;
    identity_release(knock->identity);
    free(knock);
}

void admission_free(struct admission *admission)
{
    list_each (it, &admission->knocks)
        forget(container_of(it, struct knock, in_admission));
    free(admission);
}

/* ---- knocks ---- */

static struct knock *find(struct admission *admission, const struct target *target,
                          const struct identity *identity)
{
    list_each (it, &admission->knocks) {
        struct knock *knock = container_of(it, struct knock, in_admission);
        if (knock->identity == identity && knock->node == target->node &&
            knock->group == target->group && knock->purpose == target->purpose)
            return knock;
    }
    return NULL;
}

static void forget_old(struct admission *admission, int64_t now_ms)
{
    list_each (it, &admission->knocks) {
        struct knock *knock = container_of(it, struct knock, in_admission);
        if (!knock->asking && now_ms - knock->refused_ms >= REFUSAL_MS)
            forget(knock);
    }
}

/* Its connection ended, or was never there: whoever waits has to ask again. */
static void ended(struct knock *knock, const char *error)
{
    struct admission *admission = knock->admission;
    size_t group = knock->group;
    int64_t now = turn_now(admission->turn);
    knock->asking = false;
    if (error) {
        snprintf(knock->error, sizeof(knock->error), "%s", error);
        knock->refused_ms = now;
        rights_refused(&admission->rights[group], now);
    } else {
        forget(knock);
    }
    admission->on_change(admission->data, group);
}

static void prove(const struct knock *knock, bool let_in)
{
    struct proof proof = {true, let_in, knock->asked_ms, knock->generation};
    pool_note_proof(knock->admission->pool, knock->group, knock->node, knock->purpose,
                    knock->identity, &proof);
}

static void on_answer(struct request *request, const char *data, size_t len, bool first, bool last)
{
    static const char noauth[] = "-NOAUTH ";
    struct knock *knock = request->owner_data;
    char line[160];
    (void)first;
    buf_append(&request->reply, data, len);
    if (!last)
        return;
    const char *reply = buf_head(&request->reply);
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(reply, "\r\n"), reply);
    request_free(&knock->admission->turn->requests, request);
    bool authenticated = knock->identity->authenticated, refused = line[0] == '-';
    if (!authenticated || !refused)
        prove(knock, authenticated || strncmp(line, noauth, sizeof(noauth) - 1) != 0);
    ended(knock, authenticated && refused ? line + 1 : NULL);
}

static void on_failed(struct request *request, enum request_failure why, const char *text)
{
    struct knock *knock = request->owner_data;
    request_free(&knock->admission->turn->requests, request);
    ended(knock, why == REQUEST_REFUSED && knock->identity->authenticated ? text : NULL);
}

static const struct request_owner knock_owner = {on_answer, on_failed};

static void ask_with_password(struct admission *admission, struct upstream *up, struct knock *knock)
{
    const struct identity *identity = knock->identity;
    struct buf bytes = {0};
    struct request *request;
    append_auth(&bytes, (struct slice){identity->user, identity->user_len},
                (struct slice){identity->password, identity->password_len});
    request = request_own(&admission->turn->requests, buf_slice(&bytes), &knock_owner, knock);
    request->secret = true;
    upstream_submit(up, request);
    buf_wipe(&bytes);
}

/* After RESET a connection is what a new one would be. */
static void ask_without(struct admission *admission, struct upstream *up, struct knock *knock)
{
    static const struct slice reset = {"Reset", 5}, ping = {"Ping", 4};
    struct request_pool *requests = &admission->turn->requests;
    upstream_submit(up, request_own_words(requests, 1, &reset, NULL, NULL));
    upstream_submit(up, request_own_words(requests, 1, &ping, &knock_owner, knock));
}

/* The connection that the node is asked on. NULL: none can be had now. */
static struct upstream *connection(struct admission *admission, const struct target *target,
                                   struct identity *identity)
{
    if (identity->asks)
        return pool_shared(admission->pool, target, identity);
    return pool_auth_upstream(admission->pool, target, identity);
}

/* Returns whether the node is being asked. */
static bool knock_at(struct admission *admission, const struct target *target,
                     struct identity *identity, uint64_t generation)
{
    struct knock *knock = find(admission, target, identity);
    struct upstream *up;
    if (knock && knock->asking)
        return true;
    up = connection(admission, target, identity);
    if (!up)
        return false;
    if (!knock) {
        knock = calloc(1, sizeof(*knock));
        if (!knock)
            abort();
        list_append(&admission->knocks, &knock->in_admission);
        identity_retain(identity);
        identity->pooled++;
    }
    *knock = (struct knock){.in_admission = knock->in_admission,
                            .admission = admission,
                            .group = target->group,
                            .node = target->node,
                            .purpose = target->purpose,
                            .identity = identity,
                            .asking = true,
                            .asked_ms = turn_now(admission->turn),
                            .generation = generation};
    if (identity->authenticated)
        ask_with_password(admission, up, knock);
    else
        ask_without(admission, up, knock);
    return true;
}

/* ---- who may come in ---- */

/* On its way in by a proof that still counts. */
static enum entrance enter_by(struct admission *admission, const struct target *target,
                              struct identity *identity, const struct proof *proof)
{
    int64_t now = turn_now(admission->turn);
    if (now - proof->ms >= PROOF_MAX_MS / 2)
        (void)knock_at(admission, target, identity, proof->generation);
    return ENTRY_FREE;
}

static enum entrance knock_or_wait(struct admission *admission, const struct target *target,
                                   struct identity *identity, uint64_t generation)
{
    return knock_at(admission, target, identity, generation) ? ENTRY_WAITS : ENTRY_NONE;
}

static enum entrance with_password(struct admission *admission, const struct target *target,
                                   struct identity *identity, const struct proof *proof, bool fresh,
                                   uint64_t generation, const char **error)
{
    const struct knock *knock;
    if (fresh)
        return enter_by(admission, target, identity, proof);
    knock = find(admission, target, identity);
    if (!knock || knock->asking)
        return knock_or_wait(admission, target, identity, generation);
    *error = knock->error;
    return ENTRY_REFUSED;
}

static enum entrance without(struct admission *admission, const struct target *target,
                             const struct proof *proof, bool fresh, uint64_t generation)
{
    struct identity *asking = identity_asking(admission->identities);
    enum entrance entry = fresh ? enter_by(admission, target, asking, proof)
                                : knock_or_wait(admission, target, asking, generation);
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
    int64_t max_ms = proof.let_in ? PROOF_MAX_MS : REFUSAL_MS;
    bool fresh = proof.known && proof.generation == generation && now - proof.ms < max_ms;
    if (!identity->authenticated && fresh && proof.let_in == identity->outside)
        return ENTRY_OTHER;
    if (!shares ||
        (!leased && pool_joins(admission->pool, target, identity, now - PROOF_MAX_MS, generation)))
        return ENTRY_FREE;
    return identity->authenticated
               ? with_password(admission, target, identity, &proof, fresh, generation, error)
               : without(admission, target, &proof, fresh, generation);
}
