/*
 * spread: which worker gets the next client. One worker accepts for all, since the kernel's own way
 * (SO_REUSEPORT: a hash of the addresses) may give 35 of 50 connections to one of two. The one with the
 * fewest sessions gets it, among equals the next in turn; those on their way count.
 *
 * The accepting worker's thread only.
 */
#ifndef REDISPROXY_TRAFFIC_SPREAD_H
#define REDISPROXY_TRAFFIC_SPREAD_H

#include "traffic/office.h"

#include <stddef.h>
#include <stdint.h>

#define SPREAD_FULL SIZE_MAX

struct spread {
    const struct office *office;
    size_t self;  /* who accepts */
    size_t last;  /* who got the last one */
    size_t *sent; /* to each of the others, ever */
};

void spread_init(struct spread *spread, const struct office *office, size_t self);
void spread_free(struct spread *spread);

/* Who gets the next one, which counts as sent; SPREAD_FULL: there are `max` sessions already. `own`:
 * those of the accepting worker. */
size_t spread_next(struct spread *spread, size_t own, size_t max);

#endif
