/*
 * logins: see the header. What somebody has tried without success is a debt, which time pays: debts of addresses stand
 * in a table of fixed size, where addresses that share a place share it. Its hash is keyed, so nobody chooses with whom.
 */
#include "nodes/logins.h"

#include "base/log.h"

#include <stdlib.h>

#define ADDRESSES 1024
/* The debt that one try makes: a rate is in tries a second, so a millisecond pays as much as the rate. */
#define TRY 1000
/* That logins wait is said this often at most. */
#define SAY_MS 10000

struct debt {
    int64_t since_ms, left;
};

struct address_record {
    struct debt debt;
    int64_t failed_ms; /* the last failure; 0: none */
};

struct debts {
    struct debt suspects, clean;
};

struct logins {
    struct address_record addresses[ADDRESSES];
    struct debts *groups;
    struct list waiting;
    int64_t said_ms;
    void (*on_turn)(void *data, struct login *login);
    void *data;
};

struct logins *logins_new(size_t groups, void (*on_turn)(void *data, struct login *login),
                          void *data)
{
    struct logins *logins = calloc(1, sizeof(*logins));
    if (!logins)
        abort();
    logins->groups = calloc(groups + 1, sizeof(*logins->groups));
    if (!logins->groups)
        abort();
    list_init(&logins->waiting);
    logins->said_ms = -SAY_MS;
    logins->on_turn = on_turn;
    logins->data = data;
    return logins;
}

void logins_free(struct logins *logins)
{
    free(logins->groups);
    free(logins);
}

void login_init(struct login *login, size_t group)
{
    *login = (struct login){.group = group};
    list_init(&login->in_waiting);
}

/* ---- debts ---- */

static bool has_credit(struct debt *debt, int64_t burst, int64_t rate, int64_t now_ms)
{
    debt->left -= (now_ms - debt->since_ms) * rate;
    debt->since_ms = now_ms;
    if (debt->left < 0)
        debt->left = 0;
    return debt->left + TRY <= burst * TRY;
}

static void pay_back(struct debt *debt)
{
    debt->left = debt->left > TRY ? debt->left - TRY : 0;
}

static struct address_record *address_of(struct logins *logins, const struct login *login)
{
    return &logins->addresses[(login->address >> 1) % ADDRESSES];
}

static struct debt *group_of(struct logins *logins, const struct login *login)
{
    struct debts *group = &logins->groups[login->group];
    return login->clean ? &group->clean : &group->suspects;
}

/* Nobody at that address has failed lately. */
static bool is_clean(const struct address_record *address, const struct login *login,
                     int64_t now_ms)
{
    return login->failures == 0 &&
           (address->failed_ms == 0 || now_ms - address->failed_ms > LOGINS_FORGIVE_MS);
}

static bool group_has_credit(struct logins *logins, const struct login *login, int64_t now_ms)
{
    struct debt *group = group_of(logins, login);
    return login->clean ? has_credit(group, LOGINS_CLEAN_BURST, LOGINS_CLEAN_RATE, now_ms)
                        : has_credit(group, LOGINS_SUSPECT_BURST, LOGINS_SUSPECT_RATE, now_ms);
}

/* Takes what a try costs. Returns false when that cannot be had now. */
static bool take(struct logins *logins, struct login *login, int64_t now_ms)
{
    struct address_record *address = address_of(logins, login);
    login->clean = is_clean(address, login, now_ms);
    if (login->not_before_ms > now_ms ||
        !has_credit(&address->debt, LOGINS_ADDRESS_BURST, LOGINS_ADDRESS_RATE, now_ms) ||
        !group_has_credit(logins, login, now_ms))
        return false;
    address->debt.left += TRY;
    group_of(logins, login)->left += TRY;
    return true;
}

/* ---- turns ---- */

static void wait_for_turn(struct logins *logins, struct login *login, int64_t now_ms)
{
    list_append(&logins->waiting, &login->in_waiting);
    if (now_ms - logins->said_ms < SAY_MS)
        return;
    logins->said_ms = now_ms;
    log_event(LOG_WARN, "logins wait: too many of them have failed, or are under way",
              "failures=%u", login->failures);
}

/* Others wait before it, and it is one of their kind. */
static bool has_to_queue(struct logins *logins, const struct login *login, int64_t now_ms)
{
    return !list_empty(&logins->waiting) && !is_clean(address_of(logins, login), login, now_ms);
}

bool logins_try(struct logins *logins, struct login *login, int64_t now_ms)
{
    if (login->trying)
        return true; /* again: its connection was lost */
    if (login_waits(login))
        return false;
    if (!login->granted && (has_to_queue(logins, login, now_ms) || !take(logins, login, now_ms))) {
        wait_for_turn(logins, login, now_ms);
        return false;
    }
    login->granted = false;
    login->trying = true;
    return true;
}

static void punish(struct login *login, int64_t now_ms)
{
    unsigned over;
    if (++login->failures <= LOGINS_FREE_FAILURES)
        return;
    over = login->failures - LOGINS_FREE_FAILURES - 1;
    int64_t pause = (int64_t)LOGINS_PAUSE_MS << (over < 5 ? over : 5);
    login->not_before_ms = now_ms + (pause < LOGINS_PAUSE_MAX_MS ? pause : LOGINS_PAUSE_MAX_MS);
}

void logins_ended(struct logins *logins, struct login *login, bool admitted, int64_t now_ms)
{
    if (!login->trying)
        return;
    login->trying = false;
    if (!admitted) {
        address_of(logins, login)->failed_ms = now_ms;
        punish(login, now_ms);
        return;
    }
    login->failures = 0;
    pay_back(&address_of(logins, login)->debt);
    pay_back(group_of(logins, login));
    if (!list_empty(&logins->waiting))
        logins_tick(logins, now_ms);
}

void logins_forget(struct login *login)
{
    list_remove(&login->in_waiting);
}

void logins_tick(struct logins *logins, int64_t now_ms)
{
    list_each (it, &logins->waiting) {
        struct login *login = container_of(it, struct login, in_waiting);
        if (!take(logins, login, now_ms))
            continue;
        list_remove(&login->in_waiting);
        login->granted = true;
        logins->on_turn(logins->data, login);
    }
}
