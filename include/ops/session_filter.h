/*
 * session_filter: which clients an operator means: "user=app", "idle>60s", "state!=idle", "address=10.1.2.3". A client is
 * meant when all of several hold. Plain values.
 *
 *     id address user name library listener group state command tls db    =  !=      the text, or what it begins with ("app*")
 *     age idle                                                            >  <  =    a time: 500ms 20s 2m 1h
 *     in_flight waiting requests output                                   >  <  =    a number, or a size: 64kb 1mb
 */
#ifndef REDISPROXY_OPS_SESSION_FILTER_H
#define REDISPROXY_OPS_SESSION_FILTER_H

#include "nodes/options.h"
#include "session/describe.h"

#include <stdbool.h>
#include <stddef.h>

#define FILTER_TERMS_MAX 8

enum filter_compare { FILTER_IS, FILTER_IS_NOT, FILTER_MORE, FILTER_LESS };

struct filter_term {
    int field; /* its row in session_filter.c */
    enum filter_compare compare;
    char text[80];
    int64_t number;
};

struct session_filter {
    struct filter_term terms[FILTER_TERMS_MAX];
    size_t count;
};

/* Adds one term. Returns 0, or -1 with what is wrong, and how to mend it, in `why`. */
int session_filter_add(struct session_filter *filter, const char *text, char *why, size_t size)
    __attribute__((warn_unused_result));

bool session_filter_passes(const struct session_filter *filter, const struct session_row *row,
                           const struct traffic_options *options);

#endif
