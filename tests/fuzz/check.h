/* check: what the fuzzers have in common: the functions that libFuzzer calls, and what must be so. */
#ifndef REDISPROXY_TESTS_FUZZ_CHECK_H
#define REDISPROXY_TESTS_FUZZ_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#endif
