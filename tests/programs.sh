#!/bin/bash
# Runs Criterion test programs one after the other: tests/programs.sh [-jN] PROGRAM...
# Criterion prints a closing line for each; this exits 1 when any failed, and then repeats at the end what each of
# those said: a log of an hour is read from its end.
set -uo pipefail

launch=(timeout --foreground -k 10 900 "$(dirname "$0")/launch.sh")

jobs=()
if [[ ${1:-} == -j* ]]; then
    jobs=("$1")
    shift
fi

said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT

# The lines of assertions and sanitizers, and Criterion's verdicts; without any of those, the last lines.
why() {
    grep -aE '^\[(----|FAIL|CRASH|ERR )|^\[[^]]*\]   *Warning!|ERROR: |WARNING: ThreadSanitizer|runtime error:' "$1" ||
        tail -n 15 "$1"
}

failed=()
for program in "$@"; do
    echo "== $program"
    began=$SECONDS
    log=$said/${program//\//_}
    # The time limit is for a test that hangs; it is far above what any of them needs. A file and no pipe: a server
    # that a crashed test left behind would keep a pipe open.
    "${launch[@]}" "$program" "${jobs[@]}" >"$log" 2>&1 || failed+=("$program")
    cat "$log"
    echo "   $((SECONDS - began)) s"
done

if ((${#failed[@]})); then
    for program in "${failed[@]}"; do
        echo "---- $program"
        why "$said/${program//\//_}" | head -n 40
    done >&2
    echo "FAILED: ${failed[*]}" >&2
    exit 1
fi
