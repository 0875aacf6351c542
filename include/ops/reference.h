/*
 * reference: docs/configuration.md, the reference of all settings, made from the option table:
 * "redisproxy --print configuration.md", for "make reference". A unit test compares the kept file with it.
 */
#ifndef REDISPROXY_OPS_REFERENCE_H
#define REDISPROXY_OPS_REFERENCE_H

#include <stdio.h>

/* Writes the whole page to out, as Markdown. Any thread may call it. */
void reference_print(FILE *out);

#endif
