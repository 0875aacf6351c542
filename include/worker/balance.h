/*
 * balance: which worker gets the next client. One worker accepts for all, since the kernel's own way
 * (SO_REUSEPORT: a hash of the addresses) may give 35 of 50 connections to one of two. The one with the
 * fewest sessions gets it, among equals the next in turn; those on their way count.
 *
 * The accepting worker's thread only.
 */
#ifndef REDISPROXY_WORKER_BALANCE_H
#define REDISPROXY_WORKER_BALANCE_H

#include "threads/shared.h"

#include <stddef.h>
#include <stdint.h>

#define BALANCE_FULL SIZE_MAX

struct balance {
    const struct shared *shared;
    size_t self;  /* who accepts */
    size_t last;  /* who got the last one */
    size_t *sent; /* to each of the others, ever */
};

void balance_init(struct balance *balance, const struct shared *shared, size_t self);
void balance_free(struct balance *balance);

/* Who gets the next one, which counts as sent; BALANCE_FULL: there are `max` sessions already. `own`:
 * those of the accepting worker. */
size_t balance_next(struct balance *balance, size_t own, size_t max);

#endif
