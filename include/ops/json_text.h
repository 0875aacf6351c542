/*
 * json_text: what goes into a JSON object besides numbers that cJSON takes as they are. Pure functions. Any thread.
 */
#ifndef REDISPROXY_OPS_JSON_TEXT_H
#define REDISPROXY_OPS_JSON_TEXT_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* Adds a text of whom we do not know, cut after 511 bytes: JSON must be UTF-8, so what is not printable ASCII becomes '?'. */
void json_add_text(cJSON *object, const char *name, const char *text);

/* Writes milliseconds since 1970 as "2026-11-28T16:52:01.123Z". `size` is at least 40. Returns out. */
const char *json_format_time(char *out, size_t size, int64_t wall_ms);
void json_add_time(cJSON *object, const char *name, int64_t wall_ms);

/* Adds a number, rounded to thousandths: all that is shown of a rate or a time. */
void json_add_rounded(cJSON *object, const char *name, double number);

/* The object as text, without line ends, to be freed with free(); and the object is deleted. */
char *json_print(cJSON *object);

#endif
