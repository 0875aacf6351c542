#!/bin/bash
# Runs Criterion test programs: tests/programs.sh [-l LANES] [-jN] PROGRAM...; -l: so many at a time, -jN is Criterion's.
# Criterion prints a closing line for each; this exits 1 when any failed, and then repeats at the end what each of
# those said: a log of an hour is read from its end.
set -uo pipefail

launch=(timeout --foreground -k 10 900 "$(dirname "$0")/launch.sh")

lanes=1
if [[ ${1:-} == -l ]]; then
    lanes=$2
    shift 2
fi
jobs=()
if [[ ${1:-} == -j* ]]; then
    jobs=("$1")
    shift
fi

said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT

log_of() {
    echo "$said/${1//\//_}"
}

# The lines of assertions and sanitizers, and Criterion's verdicts; without any of those, the last lines.
why() {
    grep -aE '^\[(----|FAIL|CRASH|ERR )|^\[[^]]*\]   *Warning!|ERROR: |WARNING: ThreadSanitizer|runtime error:' "$1" ||
        tail -n 15 "$1"
}

# The time limit is for a test that hangs; it is far above what any of them needs. A file and no pipe: a server that a
# crashed test left behind would keep a pipe open. What was said comes at the end, in one piece.
play() {
    local program=$1 began=$SECONDS log status=0
    log=$(log_of "$program")
    "${launch[@]}" "$program" "${jobs[@]}" >"$log" 2>&1 || status=$?
    printf '== %s\n%s\n   %d s\n' "$program" "$(<"$log")" "$((SECONDS - began))"
    return "$status"
}

declare -A running=()
failed=()
end_one() {
    local ended
    wait -n -p ended "${!running[@]}" || failed+=("${running[$ended]}")
    unset "running[$ended]"
}

for program in "$@"; do
    ((${#running[@]} < lanes)) || end_one
    play "$program" &
    running[$!]=$program
done
while ((${#running[@]})); do
    end_one
done

if ((${#failed[@]})); then
    for program in "${failed[@]}"; do
        echo "---- $program"
        why "$(log_of "$program")" | head -n 40
    done >&2
    echo "FAILED: ${failed[*]}" >&2
    exit 1
fi
