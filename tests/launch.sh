#!/bin/bash
# Runs a program that starts proxies: tests/launch.sh PROGRAM ARGUMENT...
set -uo pipefail

# A sanitized proxy says what it found by its exit code, which the tests look at.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-second_deadlock_stack=1}

# gcc 12's and clang 14's sanitizers want their addresses where newer kernels randomise.
if [[ -n ${SANITIZE:-} ]] && setarch -R true 2>/dev/null; then
    exec setarch -R "$@"
fi
exec "$@"
