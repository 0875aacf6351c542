#!/bin/bash
# Where the proxy's instructions go. ("make profile" calls it.)
#
#   tests/bench/profile.sh [BUILD-FOLDER]
#
#   WITH=callgrind   instructions per request of the worker thread, outside of the kernel, and the functions
#                    that they are in; the same from run to run, whatever else the machine does
#   WITH=perf        where the time goes, the kernel's too, with 50 clients
#   CHECK=1          fails when a case needs over 5 % more instructions than instructions.txt says
#   KEEP=1           writes instructions.txt anew
#
# One client asks, so that what one turn of the loop does is always the same. Functions: build/profile/CASE.txt.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -s "${1:-$here/../../build}")
redisproxy=${REDISPROXY:-$out/redisproxy}
with=${WITH:-callgrind}
kept=$here/instructions.txt
tool="make profile"
connections=100
requests=8000
. "$here/servers.sh"

# name, then redis-benchmark's options
cases=(
    "get     -t get"
    "set     -t set"
    "get-p16 -t get -P 16"
    "set-p16 -t set -P 16"
    "get-10k -t get -d 10240"
    "set-10k -t set -d 10240"
)

load() {
    redis-benchmark -h "${host[redisproxy]}" -p 6379 "$@" --csv >"$work/benchmark.log" 2>&1 ||
        fail "redis-benchmark failed: $(tail -n 3 "$work/benchmark.log")"
}

# ---- callgrind ----

# The counters so far go into files $1-THREAD, and begin again at 0.
dump() {
    local before
    before=$(ls "$work" | grep -c '^counts\.' || true)
    callgrind_control --dump "${pid[redisproxy]}" >/dev/null 2>&1 || fail "callgrind does not answer"
    until (($(ls "$work" | grep -c '^counts\.') > before)); do sleep 0.1; done
}

# The worker is the thread that did most. callgrind_annotate adds what a thread calls to its first
# function: so the sums are made here.
busiest() {
    awk '/^(summary|totals):/ && $2 > most { most = $2; file = FILENAME } END { print file }' "$@"
}

functions_of() {
    awk -v n="$requests" '
        function id(text) {
            split(text, part, " ")
            if (match(text, / /)) name[part[1]] = substr(text, RSTART + 1)
            return part[1]
        }
        /^fn=/ { now = id(substr($0, 4)); next }
        /^cfn=/ { id(substr($0, 5)); next }
        /^calls=/ { called = 1; next }
        /^[-+*0-9]/ { if (called) called = 0; else cost[now] += $2 }
        END { for (f in cost) printf "%8.1f  %s\n", cost[f] / n, name[f] }' "$1" | sort -rn
}

total_of() { awk '{ sum += $1 } END { printf "%.0f", sum }' "$1"; }

kept_of() { [[ ! -r $kept ]] || awk -v name="$1" '$1 == name { print $2 }' "$kept"; }

count_instructions() {
    local one name worse=0 count was
    [[ ${KEEP:-} != 1 ]] || printf '# Instructions per request, by make profile KEEP=1\n' >"$dir/kept"
    printf '%-10s %12s %12s\n' case instructions kept
    for one in "${cases[@]}"; do
        read -r name one <<<"$one"
        read -ra one <<<"$one"
        load "${one[@]}" -c 1 -n 500
        dump
        rm -f "$work"/counts.*
        load "${one[@]}" -c 1 -n "$requests"
        dump
        functions_of "$(busiest "$work"/counts.*)" >"$out/profile/$name.txt"
        count=$(total_of "$out/profile/$name.txt") was=$(kept_of "$name")
        printf '%-10s %12d %12s\n' "$name" "$count" "${was:--}"
        printf '%-10s %d\n' "$name" "$count" >>"$dir/kept"
        if [[ ${CHECK:-} == 1 ]] && ((count * 100 > ${was:-0} * 105)); then
            worse=1
            printf '%s needs over 5 %% more than %s: see %s\n' "$name" "${was:-nothing}" \
                "$out/profile/$name.txt"
        fi
    done
    [[ ${KEEP:-} != 1 ]] || cp "$dir/kept" "$kept"
    ((!worse)) || fail "more instructions than before; where they pay, keep them: make profile KEEP=1"
    printf '\nget-p16, the most expensive functions:\n'
    head -n 20 "$out/profile/get-p16.txt"
}

# ---- perf ----

sample() {
    perf record -q -g -F 2000 -p "${pid[redisproxy]}" -o "$dir/perf.data" 2>"$work/perf.log" &
    helper=$!
    load -t get -c 50 -n 200000
    kill -INT "$helper"
    wait "$helper" || true
    helper=
    [[ -s $dir/perf.data ]] || fail "perf: $(tail -n 3 "$work/perf.log")"
    perf report -i "$dir/perf.data" --no-children -g none --stdio 2>/dev/null | grep -v '^#' |
        grep . | tee "$out/profile/perf.txt" | head -n 40
}

[[ -x $redisproxy ]] || fail "$redisproxy is missing: run make"
dir=$(mktemp -d "${TMPDIR:-/tmp}/redisproxy-profile-XXXXXX")
mkdir -p "$out/profile"
peers=(direct redisproxy)
host[direct]=$redis_host host[redisproxy]=127.0.5.11
program[redisproxy]=$redisproxy template[redisproxy]=
case $with in
callgrind)
    wrapper=(valgrind --tool=callgrind --separate-threads=yes
        --callgrind-out-file="$dir/profile/counts")
    start_all profile
    count_instructions
    ;;
perf)
    start_all profile
    sample
    ;;
*) fail "WITH=$with: must be callgrind or perf" ;;
esac
