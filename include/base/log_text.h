/*
 * log_text: what a text looks like in a line of the log. Texts come from anywhere: what others named may hold a line
 * end, a quote, a terminal's command, or bytes that are no UTF-8. An escaped text holds none of them, and is right
 * between quotes in logfmt and in JSON alike.
 *
 * Pure functions. Any thread.
 */
#ifndef REDISPROXY_BASE_LOG_TEXT_H
#define REDISPROXY_BASE_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the escaped form of what stands from `*text` to `end`, as many whole characters of it as fit into `room`
 * bytes, and moves `*text` behind them. A byte that is no UTF-8 becomes \ufffd. Returns how many bytes were written;
 * there is no NUL. */
size_t log_text_escape(char *out, size_t room, const char **text, const char *end);

/* Whether it is a number as JSON spells them. */
bool log_text_is_number(const char *text, size_t len);

/* Whether it may stand without quotes: visible ASCII without quote, backslash and equals sign, and not empty. */
bool log_text_is_bare(const char *text, size_t len);

/* Whether it is one quoted text, quotes included, escaped as above. */
bool log_text_is_quoted(const char *text, size_t len);

#endif
