/*
 * load_report: what became of a load (load.h): every writer's list on the final master is held
 * against what that writer was told.
 */
#include "harness/client.h"
#include "harness/load_state.h"

#include <stdlib.h>
#include <string.h>

void load_excuse(struct load *l, const struct load_excuse *excuse)
{
    static const struct promotion none;
    if (l->excuses == EXCUSES_MAX)
        return;
    l->excuse[l->excuses] = *excuse;
    l->promotion[l->excuses] = excuse->promotion ? *excuse->promotion : none;
    if (excuse->promotion)
        l->excuse[l->excuses].promotion = &l->promotion[l->excuses];
    l->excuses++;
}

/* A writer's numbers only grow: what is behind the newest that the promoted node had was never
 * replicated to it. */
static bool excused(const struct load *l, int client, long sequence)
{
    const struct write_record *w = &l->client[client].writes[sequence];
    for (int i = 0; i < l->excuses; i++) {
        const struct load_excuse *e = &l->excuse[i];
        const struct promotion *p = e->promotion;
        bool never_there = p && client < p->lists && p->newest[client] < sequence;
        if (w->sent <= e->sent_by && w->answered <= e->answered_by &&
            (p ? never_there : w->answered >= e->answered_from))
            return true;
    }
    return false;
}

static void find(struct load_client *me, enum trouble_kind kind, long sequence, long *count)
{
    load_note(me, kind, sequence, "");
    *count += 1;
}

static void check_write(struct load_client *me, long i, bool there, struct load_report *out)
{
    struct write_record *w = &me->writes[i];
    bool refused = w->fate == FATE_REFUSED || w->fate == FATE_ERROR;
    w->lost = w->fate == FATE_ACKNOWLEDGED && !there;
    if (w->lost && excused(me->load, me->number, i))
        find(me, TROUBLE_LOST_BY_REDIS, i, &out->lost_by_redis);
    else if (w->lost)
        find(me, TROUBLE_LOST, i, &out->lost);
    if (refused && there)
        find(me, TROUBLE_REFUSED_DONE, i, &out->refused_done);
    out->acknowledged += w->fate == FATE_ACKNOWLEDGED;
    out->errors += w->fate == FATE_ERROR;
    out->refused += w->fate == FATE_REFUSED;
    out->unknown += w->fate == FATE_UNKNOWN;
    if (w->answered - w->sent > out->longest_wait)
        out->longest_wait = w->answered - w->sent;
}

/* Holds one writer's list against its records. Returns 0, or -1 when the list cannot be read. */
static int check_list(struct load_client *me, redisContext *c, struct load_report *out)
{
    redisReply *r = redisCommand(c, "LRANGE %s:%d 0 -1", me->load->options.name, me->number);
    if (!r || r->type != REDIS_REPLY_ARRAY) {
        freeReplyObject(r);
        return -1;
    }
    char *seen = calloc((size_t)me->count + 1, 1);
    long last = -1;
    for (size_t i = 0; i < r->elements; i++) {
        long sequence = atol(r->element[i]->str);
        if (sequence < 0 || sequence >= me->count)
            continue;
        if (seen[sequence])
            find(me, TROUBLE_DOUBLED, sequence, &out->doubled);
        if (sequence < last)
            find(me, TROUBLE_OUT_OF_ORDER, sequence, &out->out_of_order);
        seen[sequence] = 1;
        last = sequence > last ? sequence : last;
    }
    for (long i = 0; i < me->count; i++)
        check_write(me, i, seen[i], out);
    free(seen);
    freeReplyObject(r);
    return 0;
}

/* What guests wrote just before they left is there at most once. */
static void check_left(struct load_client *me, redisContext *c, struct load_report *out)
{
    redisReply *r = redisCommand(c, "LRANGE %s:left:%d 0 -1", me->load->options.name, me->number);
    char *seen = calloc((size_t)me->left + 1, 1);
    for (size_t i = 0; r && r->type == REDIS_REPLY_ARRAY && i < r->elements; i++) {
        long sequence = atol(r->element[i]->str);
        if (sequence < 0 || sequence >= me->left)
            continue;
        if (seen[sequence]++)
            find(me, TROUBLE_DOUBLED, -1, &out->doubled);
    }
    free(seen);
    freeReplyObject(r);
}

static void find_first_error(const struct load *l, struct load_report *out)
{
    const struct trouble *first = NULL;
    for (long i = 0; i < l->trouble_count; i++) {
        const struct trouble *t = &l->troubles[i];
        bool plain = t->kind == TROUBLE_ERROR || t->kind == TROUBLE_CUT ||
                     t->kind == TROUBLE_READ || t->kind == TROUBLE_STRAY;
        if (!first || (plain && first->kind < TROUBLE_ERROR))
            first = t;
    }
    if (first)
        snprintf(out->first_error, sizeof(out->first_error), "%s, client %d: %s",
                 trouble_name(first->kind), first->client, first->text);
}

static void count_stray_keys(const struct load *l, redisContext *c, struct load_report *out)
{
    for (int i = 0; i < l->options.strays; i++)
        out->strays_accepted += strcmp(ask(c, "EXISTS %s:stray:%d", l->options.name, i), ":1") == 0;
}

int load_report(struct load *l, struct trio *trio, struct load_report *out)
{
    const struct load_options *o = &l->options;
    int master = trio_master(trio), result = master < 0 ? -1 : 0;
    *out = (struct load_report){0};
    if (master < 0)
        return -1;
    redisContext *c = trio_node(trio, master);
    find_first_error(l, out);
    for (int i = 0; i < l->clients; i++) {
        struct load_client *me = &l->client[i];
        if (i < o->writers + o->guests) {
            out->disconnects += me->disconnects;
            if (check_list(me, c, out) < 0)
                result = -1;
            check_left(me, c, out);
        } else if (i < o->writers + o->guests + o->readers) {
            out->reads += me->good;
            out->read_errors += me->bad;
            out->read_disconnects += me->disconnects;
        } else {
            out->strays += me->good;
            out->strays_accepted += me->accepted;
            out->stray_errors += me->bad;
            out->stray_disconnects += me->disconnects;
        }
    }
    count_stray_keys(l, c, out);
    redisFree(c);
    return result;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The times of all acknowledgements, sorted; the caller frees them. */
static int64_t *acknowledgements(struct load *l, long *count)
{
    long room = 1, n = 0;
    pthread_mutex_lock(&l->records);
    for (int i = 0; i < l->options.writers + l->options.guests; i++)
        room += l->client[i].count;
    int64_t *times = malloc((size_t)room * sizeof(*times));
    for (int i = 0; i < l->options.writers + l->options.guests; i++)
        for (long k = 0; k < l->client[i].count; k++)
            if (l->client[i].writes[k].fate == FATE_ACKNOWLEDGED)
                times[n++] = l->client[i].writes[k].answered;
    pthread_mutex_unlock(&l->records);
    qsort(times, (size_t)n, sizeof(*times), by_time);
    *count = n;
    return times;
}

int64_t load_gap(struct load *l, int64_t from, int64_t to, int64_t *end)
{
    long count;
    int64_t longest = -1, *times = acknowledgements(l, &count);
    *end = 0;
    for (long i = 1; i < count; i++) {
        int64_t gap = times[i] - times[i - 1];
        if (times[i] >= from && times[i] <= to && gap > longest) {
            longest = gap;
            *end = times[i];
        }
    }
    free(times);
    return longest;
}

int64_t load_next_write(struct load *l, int64_t from)
{
    int64_t next = 0;
    pthread_mutex_lock(&l->records);
    for (int i = 0; i < l->options.writers + l->options.guests; i++)
        for (long k = 0; k < l->client[i].count; k++) {
            const struct write_record *w = &l->client[i].writes[k];
            if (w->fate == FATE_ACKNOWLEDGED && w->answered >= from &&
                (!next || w->answered < next))
                next = w->answered;
        }
    pthread_mutex_unlock(&l->records);
    return next;
}

void load_report_print(FILE *out, const struct load_report *r)
{
    fprintf(out,
            "writes: %ld acknowledged, %ld errors, %ld unknown, %ld refused, %ld disconnects; "
            "%ld lost, %ld lost by Redis, %ld doubled, %ld out of order, %ld refused but done\n"
            "reads: %ld, %ld errors, %ld disconnects; strays: %ld, %ld accepted, %ld other errors, "
            "%ld disconnects\n%s%s",
            r->acknowledged, r->errors, r->unknown, r->refused, r->disconnects, r->lost,
            r->lost_by_redis, r->doubled, r->out_of_order, r->refused_done, r->reads,
            r->read_errors, r->read_disconnects, r->strays, r->strays_accepted, r->stray_errors,
            r->stray_disconnects, r->first_error, r->first_error[0] ? "\n" : "");
}

long load_acknowledged(struct load *l, int64_t from, int64_t to)
{
    long count, n = 0;
    int64_t *times = acknowledgements(l, &count);
    for (long i = 0; i < count; i++)
        n += times[i] >= from && times[i] < to;
    free(times);
    return n;
}

long load_lost(struct load *l, int64_t from, int64_t to, int64_t *last)
{
    long n = 0;
    for (int i = 0; i < l->options.writers; i++)
        for (long k = 0; k < l->client[i].count; k++) {
            const struct write_record *w = &l->client[i].writes[k];
            if (!w->lost || w->answered < from || w->answered > to)
                continue;
            *last = w->answered > *last ? w->answered : *last;
            n++;
        }
    return n;
}

long load_cut(struct load *l, int64_t from, int64_t to)
{
    long n = 0;
    for (int i = 0; i < l->options.writers; i++) {
        bool cut = false;
        for (long k = 0; k < l->client[i].count; k++) {
            const struct write_record *w = &l->client[i].writes[k];
            cut = cut || (w->fate == FATE_CUT && w->sent >= from && w->sent <= to);
        }
        n += cut;
    }
    return n;
}
