#!/bin/bash
# Runs Criterion test programs one after the other: tests/programs.sh [-jN] PROGRAM...
# Criterion prints a closing line for each; this exits 1 when any failed.
set -uo pipefail

# A sanitized proxy says what it found by its exit code, which the system tests look at.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-second_deadlock_stack=1}

# gcc 12's and clang 14's sanitizers want their addresses where newer kernels randomise.
launch=(timeout --foreground -k 10 900)
if [[ -n ${SANITIZE:-} ]] && setarch -R true 2>/dev/null; then
    launch+=(setarch -R)
fi

jobs=()
if [[ ${1:-} == -j* ]]; then
    jobs=("$1")
    shift
fi

failed=()
for program in "$@"; do
    echo "== $program"
    # The time limit is for a test that hangs; it is far above what any of them needs.
    "${launch[@]}" "$program" "${jobs[@]}" || failed+=("$program")
done

if ((${#failed[@]})); then
    echo "FAILED: ${failed[*]}" >&2
    exit 1
fi
