#!/bin/bash
# Runs Criterion test programs one after the other: tests/programs.sh [-jN] PROGRAM...
# Criterion prints a closing line for each; this exits 1 when any failed.
set -uo pipefail

launch=(timeout --foreground -k 10 900 "$(dirname "$0")/launch.sh")

jobs=()
if [[ ${1:-} == -j* ]]; then
    jobs=("$1")
    shift
fi

failed=()
for program in "$@"; do
    echo "== $program"
    began=$SECONDS
    # The time limit is for a test that hangs; it is far above what any of them needs.
    "${launch[@]}" "$program" "${jobs[@]}" || failed+=("$program")
    echo "   $((SECONDS - began)) s"
done

if ((${#failed[@]})); then
    echo "FAILED: ${failed[*]}" >&2
    exit 1
fi
