/*
 * scrape: what the proxy's /metrics says.
 */
#ifndef TESTS_SYSTEM_SCRAPE_H
#define TESTS_SYSTEM_SCRAPE_H

#include "harness/proxy.h"

/* The text behind the answer's head, to be freed. `headers`: further lines of the request, each ended by a line end. */
char *scrape(const struct proxy *proxy, const char *headers);

/* The sum of all samples of this name whose labels contain these two texts (name="value", or a part of it; "": any). */
double scrape_sum(const char *text, const char *name, const char *label, const char *other);

/* The same, of a scrape of its own. */
double scrape_value(const struct proxy *proxy, const char *name, const char *label,
                    const char *other);

#endif
