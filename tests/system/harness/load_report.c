/*
 * load_report: what became of a load (load.h): every writer's list on the final master is held
 * against what that writer was told.
 */
#include "harness/client.h"
#include "harness/load_state.h"

#include <stdlib.h>
#include <string.h>

void load_excuse(struct load *l, int64_t from, int64_t to)
{
    if (l->excuses == EXCUSES_MAX)
        return;
    l->excuse[l->excuses].from = from;
    l->excuse[l->excuses++].to = to;
}

/* What was sent before a master's end and acknowledged around it may have died with it. */
static bool excused(const struct load *l, const struct write_record *w)
{
    for (int i = 0; i < l->excuses; i++)
        if (w->sent <= l->excuse[i].to && w->answered >= l->excuse[i].from)
            return true;
    return false;
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
        out->doubled += seen[sequence];
        out->out_of_order += sequence < last;
        seen[sequence] = 1;
        last = sequence > last ? sequence : last;
    }
    for (long i = 0; i < me->count; i++) {
        struct write_record *w = &me->writes[i];
        bool refused = w->fate == FATE_REFUSED || w->fate == FATE_ERROR;
        w->lost = w->fate == FATE_ACKNOWLEDGED && !seen[i];
        if (w->lost)
            *(excused(me->load, w) ? &out->lost_by_redis : &out->lost) += 1;
        out->refused_done += refused && seen[i];
        out->acknowledged += w->fate == FATE_ACKNOWLEDGED;
        out->errors += w->fate == FATE_ERROR;
        out->refused += w->fate == FATE_REFUSED;
        out->unknown += w->fate == FATE_UNKNOWN;
        if (w->answered - w->sent > out->longest_wait)
            out->longest_wait = w->answered - w->sent;
    }
    free(seen);
    freeReplyObject(r);
    return 0;
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
    for (int i = 0; i < l->clients; i++) {
        struct load_client *me = &l->client[i];
        if (i < o->writers) {
            out->disconnects += me->disconnects;
            if (check_list(me, c, out) < 0)
                result = -1;
        } else if (i < o->writers + o->readers) {
            out->reads += me->good;
            out->read_errors += me->bad;
            out->read_disconnects += me->disconnects;
        } else {
            out->strays += me->good;
            out->strays_accepted += me->accepted;
            out->stray_errors += me->bad;
            out->stray_disconnects += me->disconnects;
        }
        if (!out->first_error[0] || me->plain_error)
            memcpy(out->first_error, me->first_error, sizeof(out->first_error));
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
static int64_t *acknowledgements(const struct load *l, long *count)
{
    long room = 1, n = 0;
    for (int i = 0; i < l->options.writers; i++)
        room += l->client[i].count;
    int64_t *times = malloc((size_t)room * sizeof(*times));
    for (int i = 0; i < l->options.writers; i++)
        for (long k = 0; k < l->client[i].count; k++)
            if (l->client[i].writes[k].fate == FATE_ACKNOWLEDGED)
                times[n++] = l->client[i].writes[k].answered;
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

long load_write_errors(struct load *l, int64_t from, int64_t to)
{
    long n = 0;
    for (int i = 0; i < l->options.writers; i++)
        for (long k = 0; k < l->client[i].count; k++) {
            const struct write_record *w = &l->client[i].writes[k];
            n += w->fate > FATE_ACKNOWLEDGED && w->answered >= from && w->answered < to;
        }
    return n;
}

long load_read_errors(struct load *l, int64_t from, int64_t to)
{
    long n = 0;
    for (int i = l->options.writers; i < l->options.writers + l->options.readers; i++)
        for (long k = 0; k < l->client[i].bad && k < BAD_READS_MAX; k++)
            n += l->client[i].bad_at[k] >= from && l->client[i].bad_at[k] < to;
    return n;
}

long load_lost(struct load *l, int64_t from, int64_t to)
{
    long n = 0;
    for (int i = 0; i < l->options.writers; i++)
        for (long k = 0; k < l->client[i].count; k++) {
            const struct write_record *w = &l->client[i].writes[k];
            n += w->lost && w->answered >= from && w->answered <= to;
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
