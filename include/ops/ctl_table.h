/*
 * ctl_table: an answer of the admin socket for people: what stands alone as "name  value", a list as a table with aligned
 * columns. Names tell the kind: ..._ms is shown as a time ("3m 20s"), ..._bytes as a size ("1.5 MB").
 */
#ifndef REDISPROXY_OPS_CTL_TABLE_H
#define REDISPROXY_OPS_CTL_TABLE_H

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>

/* Writes a result (an object). */
void ctl_print(FILE *out, const cJSON *result);

/* "250ms", "3.5s", "3m 20s", "2h 5m", "4d 3h". Returns out. */
const char *ctl_format_time(char *out, size_t size, int64_t ms);
/* "512 B", "1.5 KB", "64 MB". Returns out. */
const char *ctl_format_size(char *out, size_t size, int64_t bytes);

#endif
