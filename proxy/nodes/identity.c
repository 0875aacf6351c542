/*
 * identity: see the header. There are few (users times databases in use), so
 * that a list that is walked on AUTH and SELECT is enough.
 */
#include "nodes/identity.h"

#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than AUTH, HELLO and SELECT have besides the user and the password. */
#define SETUP_MAX 256

void identities_init(struct identities *all)
{
    list_init(&all->all);
}

static bool same_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

bool identity_same_credential(const struct identity *a, const struct identity *b)
{
    return a->authenticated == b->authenticated && a->has_user == b->has_user &&
           same_bytes(a->user, a->user_len, b->user, b->user_len) &&
           same_bytes(a->password, a->password_len, b->password, b->password_len);
}

static bool same(const struct identity *a, const struct identity *b)
{
    return a->own == b->own && a->outside == b->outside && a->asks == b->asks && a->db == b->db &&
           a->resp3 == b->resp3 && identity_same_credential(a, b);
}

/* The interned identity that equals `wanted`, whose strings are borrowed. */
static struct identity *intern(struct identities *all, const struct identity *wanted)
{
    struct identity *identity;
    list_each (it, &all->all) {
        identity = container_of(it, struct identity, in_all);
        if (same(identity, wanted)) {
            identity_retain(identity);
            return identity;
        }
    }
    identity = malloc(sizeof(*identity));
    if (!identity)
        abort();
    *identity = *wanted;
    identity->refs = 1;
    memset(identity->right_until_ms, 0, sizeof(identity->right_until_ms));
    identity->pooled = 0;   /* `wanted` may be another one's copy */
    if (wanted->has_user) { /* any bytes: NUL, too */
        identity->user = malloc(wanted->user_len + 1);
        if (!identity->user)
            abort();
        memcpy(identity->user, wanted->user, wanted->user_len);
    }
    if (wanted->authenticated)
        identity->password = secret_new(wanted->password, wanted->password_len);
    list_append(&all->all, &identity->in_all);
    return identity;
}

struct identity *identity_nobody(struct identities *all)
{
    struct identity wanted = {0};
    return intern(all, &wanted);
}

struct identity *identity_own(struct identities *all)
{
    struct identity wanted = {.own = true};
    return intern(all, &wanted);
}

struct identity *identity_asking(struct identities *all)
{
    struct identity wanted = {.asks = true};
    return intern(all, &wanted);
}

struct identity *identity_standing(struct identities *all, const struct identity *base,
                                   bool outside)
{
    struct identity wanted = *base;
    wanted.outside = outside;
    return intern(all, &wanted);
}

struct identity *identity_with_credential(struct identities *all, const struct identity *base,
                                          struct slice user, struct slice password)
{
    struct identity wanted = *base;
    wanted.authenticated = true;
    wanted.outside = false;
    wanted.has_user = user.data != NULL;
    wanted.user = (char *)user.data;
    wanted.user_len = user.len;
    wanted.password = (char *)password.data;
    wanted.password_len = password.len;
    return intern(all, &wanted);
}

struct identity *identity_with_db(struct identities *all, const struct identity *base, int64_t db)
{
    struct identity wanted = *base;
    wanted.db = db;
    return intern(all, &wanted);
}

struct identity *identity_with_protocol(struct identities *all, const struct identity *base,
                                        bool resp3)
{
    struct identity wanted = *base;
    wanted.resp3 = resp3;
    return intern(all, &wanted);
}

void identity_retain(struct identity *identity)
{
    identity->refs++;
}

void identity_release(struct identity *identity)
{
    if (--identity->refs > 0)
        return;
    list_remove(&identity->in_all);
    free(identity->user);
    secret_free(identity->password, identity->password_len);
    free(identity);
}

void append_auth(struct buf *out, struct slice user, struct slice password)
{
    struct slice argv[3] = {{"Auth", 4}, user, password};
    if (!user.data)
        argv[1] = password;
    /* Room for what comes behind it, too: growing would leave a copy of the password behind. */
    (void)buf_reserve(out, user.len + password.len + SETUP_MAX);
    resp_append_command(out, user.data ? 3 : 2, argv);
}

void identity_append_select(const struct identity *identity, struct buf *out)
{
    char number[24];
    int len = snprintf(number, sizeof(number), "%lld", (long long)identity->db);
    struct slice argv[2] = {{"Select", 6}, {number, (size_t)len}};
    resp_append_command(out, 2, argv);
}

void identity_append_hello(struct buf *out)
{
    static const struct slice hello[2] = {{"Hello", 5}, {"3", 1}};
    resp_append_command(out, 2, hello);
}

int identity_append_setup(const struct identity *identity, struct buf *out)
{
    int commands = 0;
    if (identity->authenticated) {
        append_auth(out, (struct slice){identity->user, identity->user_len},
                    (struct slice){identity->password, identity->password_len});
        commands++;
    }
    if (identity->resp3) {
        identity_append_hello(out);
        commands++;
    }
    if (identity->db != 0) {
        identity_append_select(identity, out);
        commands++;
    }
    return commands;
}
