#!/bin/bash
# What "make lint" runs: all.sh 'SOURCES' 'HEADERS' 'OBJECTS', with CC and FLAGS from the Makefile in the
# environment; the objects are the product's. Every check runs even when one before it failed.
set -uo pipefail

read -ra sources <<<"$1"
read -ra headers <<<"$2"
read -ra objects <<<"$3"
eval "flags=($FLAGS)"
proxy=()
for source in "${sources[@]}"; do
    [[ $source == proxy/* ]] && proxy+=("$source")
done
failed=()

check() {
    local name=$1
    shift
    echo "lint: $name"
    "$@" || failed+=("$name")
}

formatted() {
    clang-format --dry-run -Werror "${sources[@]}" "${headers[@]}"
}

headers_alone() {
    local header result=0
    for header in "${headers[@]}"; do
        "$CC" "${flags[@]}" -fsyntax-only -x c -include "$header" /dev/null || {
            echo "$header does not compile alone" >&2
            result=1
        }
    done
    return $result
}

# The tests are left to the compiler: Criterion's macros are all that the tools below would see.
# One file a process: clang-tidy 14 takes every va_list after the first file's for uninitialised.
tidy() {
    printf '%s\0' "${proxy[@]}" |
        xargs -0 -n 1 -P "$(nproc)" bash -c \
            'clang-tidy --quiet "${@: -1}" -- "${@:1:$#-1}" 2>/dev/null' bash "${flags[@]}"
}

# cppcheck reads no system headers; without uthash's loops it takes their variables for unset.
static_analysis() {
    cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" -Iinclude \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        -D__GNUC__ --include=/usr/include/uthash.h --suppress='*:/usr/include/uthash.h' \
        "${proxy[@]}"
}

check "format" formatted
check "rooms and circles" tests/lint/rooms.sh "${objects[@]}"
check "documents" tests/lint/documents.sh README.md docs/*.md proxy/*/README.md
check "man pages and completions" tests/lint/manual.sh "$BINARY"
check "headers compile alone" headers_alone
check "cppcheck" static_analysis
check "clang-tidy" tidy

if ((${#failed[@]})); then
    printf 'lint: FAILED: %s\n' "${failed[@]}" >&2
    exit 1
fi
