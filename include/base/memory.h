/*
 * memory: what happens when there is none. What a client or a node may make as large as it likes is asked for so that
 * the answer may be no, and is then an error of that one; for what is small there is no way on, and the program ends, but
 * not without a word.
 */
#ifndef REDISPROXY_BASE_MEMORY_H
#define REDISPROXY_BASE_MEMORY_H

#include <stddef.h>

/* Says what was too much, and aborts. */
void out_of_memory(size_t bytes) __attribute__((noreturn));

/* From now on, whoever calls abort() makes the program write a line about it first. */
void memory_install_last_words(void);

#endif
