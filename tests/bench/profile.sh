#!/bin/bash
# Where the proxy's instructions go. ("make profile" calls it.)
#
#   tests/bench/profile.sh [BUILD-FOLDER]
#
#   WITH=callgrind   instructions per request of the worker's thread, outside of the kernel, and the
#                    functions that they are in; the same from run to run, whatever else the machine does
#   WITH=perf        where the time goes, the kernel's too, with 50 clients
#   CHECK=1          fails when a case is more than 5 % above or below what instructions.txt says
#   KEEP=1           writes instructions.txt anew
#
# Functions: build/profile/CASE.txt. A long memcpy counts as one instruction a byte ("rep movsb"): dearer than
# it is, but that a payload is copied shows.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -s "${1:-$here/../../build}")
redisproxy=${REDISPROXY:-$out/redisproxy}
load=$out/tests/bench/load
with=${WITH:-callgrind}
kept=$here/instructions.txt
tool="make profile"
connections=100
tolerated=5 # percent
. "$here/servers.sh"

# Name, how many writes, and the options of load.c. One client, or fifty whose requests are always
# there together: what one turn of the loop does is then the same in every run.
cases=(
    "get      4000  -m get -c 1"
    "set      4000  -m set -c 1"
    "get-c50  8000  -m get -c 50 -l PROXY"
    "set-c50  8000  -m set -c 50 -l PROXY"
    "get-p16  1000  -m get -c 1 -p 16"
    "set-p16  1000  -m set -c 1 -p 16"
    "get-10k  2000  -m get -c 1 -d 10240"
    "set-10k  2000  -m set -c 1 -d 10240"
)

# The value that GET cases find; 3 bytes unless -d says otherwise.
prepare() {
    local size=3
    [[ " $* " != *" -d "* ]] || size=$(sed 's/.*-d \([0-9]*\).*/\1/' <<<"$*")
    put_value "$redis_host" 6379 bench:load "$size"
}

run_load() {
    "$load" "${@//PROXY/${pid[redisproxy]}}" "${host[redisproxy]}:6379" >"$work/load.log" 2>&1 ||
        fail "$(cat "$work/load.log")"
}

# ---- callgrind ----

# The counters so far go into files counts.*, and begin again at 0.
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

# A function without a name is in a library without symbols: its address there.
functions_of() {
    awk -v n="$2" '
        function id(text, names) {
            split(text, part, " ")
            if (match(text, / /)) names[part[1]] = substr(text, RSTART + 1)
            return part[1]
        }
        function full(f, name) {
            sub(/.*\//, "", object[home[f]])
            return name ~ /^0x/ ? object[home[f]] " " name : name
        }
        /^ob=/ { here = id(substr($0, 4), object); next }
        /^cob=/ { id(substr($0, 5), object); next }
        /^fn=/ { now = id(substr($0, 4), name); home[now] = here; next }
        /^cfn=/ { id(substr($0, 5), name); next }
        /^calls=/ { called = 1; next }
        /^[-+*0-9]/ { if (called) called = 0; else cost[now] += $2 }
        END { for (f in cost) printf "%8.1f  %s\n", cost[f] / n, full(f, name[f]) }' "$1" | sort -rn
}

total_of() { awk '{ sum += $1 } END { printf "%.0f", sum }' "$1"; }

kept_of() { [[ ! -r $kept ]] || awk -v name="$1" '$1 == name { print $2 }' "$kept"; }

# The versions that the counts depend on.
built_with() {
    printf '%s, libuv %s, glibc %s, valgrind %s' \
        "$(readelf -p .comment "$redisproxy" | sed -n 's/^ *\[ *0\] *//p' | head -n 1)" \
        "$(pkg-config --modversion libuv)" "$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)" \
        "$(valgrind --version | cut -d - -f 2)"
}

head_of_kept() {
    cat <<END
# Instructions per request of the worker's thread, outside of the kernel (callgrind).
# "make profile-check" fails when a case is $tolerated % above or below; "make profile-keep" writes this file.
# The counts belong to Debian 12's compiler and libraries. Written with
# $(built_with)
END
}

# One case: its functions in build/profile, its line in the table that may be kept.
count_case() {
    local name=$1 writes=$2 each=1
    shift 2
    [[ " $* " != *" -p "* ]] || each=$(sed 's/.*-p \([0-9]*\).*/\1/' <<<"$*")
    prepare "$@"
    run_load "$@" -w 1 -n 200
    dump
    rm -f "$work"/counts.*
    run_load "$@" -w 1 -n $((writes - 1))
    dump
    functions_of "$(busiest "$work"/counts.*)" $((writes * each)) >"$out/profile/$name.txt"
    count=$(total_of "$out/profile/$name.txt")
    printf '%-10s %d\n' "$name" "$count" >>"$dir/kept"
}

judge() {
    local name=$1 was=$2 change
    [[ ${CHECK:-} == 1 ]] || return 0
    if [[ -z $was ]]; then
        wrong+=("$name is not in the table: make profile-keep")
        return
    fi
    change=$((100 * (count - was)))
    if ((change > tolerated * was)); then
        wrong+=("$name is more than $tolerated % above the $was in the table: where they pay,"
            "    make profile-keep; where they go: $out/profile/$name.txt")
    elif ((change < -tolerated * was)); then
        wrong+=("$name is more than $tolerated % below the $was in the table: make profile-keep")
    fi
}

count_instructions() {
    local one name was count wrong=()
    head_of_kept >"$dir/kept"
    printf '%-10s %12s %12s\n' case instructions kept
    for one in "${cases[@]}"; do
        read -ra one <<<"$one"
        name=${one[0]} was=$(kept_of "$name")
        count_case "${one[@]}"
        printf '%-10s %12d %12s\n' "$name" "$count" "${was:--}"
        judge "$name" "$was"
    done
    [[ ${KEEP:-} != 1 ]] || cp "$dir/kept" "$kept"
    if ((${#wrong[@]})); then
        printf '%s\n' "${wrong[@]}"
        grep -qF "$(built_with)" "$kept" 2>/dev/null ||
            say "(The table is of other versions, see its head; here: $(built_with).)"
        fail "the table of instructions does not hold"
    fi
    [[ ${CHECK:-} != 1 ]] || return 0
    printf '\nget-c50, the most expensive functions:\n'
    head -n 25 "$out/profile/get-c50.txt"
}

# ---- perf ----

sample() {
    perf record -q -g -F 2000 -p "${pid[redisproxy]}" -o "$dir/perf.data" 2>"$work/perf.log" &
    helper=$!
    prepare
    run_load -m get -c 50 -n 200000
    kill -INT "$helper"
    wait "$helper" || true
    helper=
    [[ -s $dir/perf.data ]] || fail "perf: $(tail -n 3 "$work/perf.log")"
    perf report -i "$dir/perf.data" --no-children -g none --stdio 2>/dev/null | grep -v '^#' |
        grep . | tee "$out/profile/perf.txt" | head -n 40
}

for one in "$redisproxy" "$load"; do [[ -x $one ]] || fail "$one is missing: run make profile"; done
dir=$(mktemp -d "${TMPDIR:-/tmp}/redisproxy-profile-XXXXXX")
mkdir -p "$out/profile"
peers=(direct redisproxy)
host[direct]=$redis_host host[redisproxy]=$net.11
program[redisproxy]=$redisproxy template[redisproxy]= workers[redisproxy]=1
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
