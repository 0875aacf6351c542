#!/bin/bash
# redisproxy beside its peers, in one run: direct, HAProxy in TCP mode with one thread, twemproxy,
# and redisproxy with one worker, all in front of the same Redis. ("make bench" calls it.)
#
#   tests/bench/bench.sh [BUILD-FOLDER]
#
#   ROUNDS=3     rounds; in each, every case runs against every peer before the next case starts, so
#   N=100000     that a busy neighbour hits them all; N is the number of requests in a run
#   IDLE=8000    idle connections, for the memory column
#   PEER=/path/to/binary:config [...]
#                more peers. In the configuration (a copy is used) @LISTEN@, @HOST@, @PORT@, @REDIS@
#                and @SENTINEL@ stand for the addresses to use. Nothing after the colon: what its
#                kind has here (redisproxy, haproxy, nutcracker), to compare two builds.
#
# cases.txt says what runs, and the goals. Every run is checked: Redis must have executed all of its
# requests. Results: a table, build/bench.json and build/bench.svg. Everything that it starts
# listens on 127.0.5.x, lives in a temporary folder, and is gone afterwards, after Ctrl-C too.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -s "${1:-$here/../../build}")
redisproxy=${REDISPROXY:-$out/redisproxy}
idle=$out/tests/bench/idle
rounds=${ROUNDS:-3}
requests=${N:-100000}
connections=${IDLE:-8000}
hz=$(getconf CLK_TCK)
tool="make bench"

. "$here/servers.sh"

# ---- who takes part ----

add_peer() {
    local name=$1
    peers+=("$name")
    program[$name]=$2
    template[$name]=$3
    host[$name]=127.0.5.$((10 + ${#peers[@]}))
}

add_if_there() {
    local path
    if path=$(PATH=$PATH:/usr/sbin command -v "$2"); then
        add_peer "$1" "$path" ''
    else
        say "$1 is left out: $2 is missing (apt-get install $2)"
    fi
}

choose_peers() {
    local one name path count
    peers=(direct)
    host[direct]=$redis_host
    add_if_there haproxy haproxy
    add_if_there twemproxy nutcracker
    [[ -x $redisproxy ]] || fail "$redisproxy is missing: run make"
    add_peer redisproxy "$redisproxy" ''
    for one in ${PEER:-}; do
        path=${one%%:*}
        [[ $one == *:* && -x $path ]] || fail "PEER=$one: must be /path/to/binary:config"
        [[ -z ${one#*:} || -r ${one#*:} ]] || fail "PEER=$one: cannot read ${one#*:}"
        name=$(basename "$path") count=1
        while [[ -n ${host[$name]:-} ]]; do name=$(basename "$path")-$((++count)); done
        add_peer "$name" "$path" "${one#*:}"
    done
}

check_number() {
    [[ $2 =~ ^[1-9][0-9]*$ ]] || fail "$1=$2: must be a number of at least 1"
}

check_everything() {
    local peer needed
    check_number ROUNDS "$rounds"
    check_number N "$requests"
    check_number IDLE "$connections"
    for needed in redis-server redis-sentinel redis-cli redis-benchmark setsid setpriv; do
        command -v "$needed" >/dev/null || fail "$needed is missing: run make deps"
    done
    [[ -x $idle ]] || fail "$idle is missing: run make bench"
    for peer in "${peers[@]}"; do
        ! (exec 3<>"/dev/tcp/${host[$peer]}/6379") 2>/dev/null ||
            fail "${host[$peer]}:6379 is taken: see ss -ltnp 'sport = :6379', and stop it"
    done
}

# HAProxy needs two descriptors for a connection.
raise_limit() {
    local wanted=$((2 * connections + 1000))
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
    if (($(ulimit -n) < wanted)); then
        connections=$((($(ulimit -n) - 1000) / 2))
        ((connections > 0)) || fail "ulimit -n is $(ulimit -n): must be above 1000"
        say "idle connections: $connections only, because ulimit -n is $(ulimit -n)"
    fi
}

# ---- throughput, latency, CPU ----

# User and system time of all threads of a process, in clock ticks, in $ticks.
read_ticks() {
    local line
    read -r line <"/proc/$1/stat" || fail "process $1 ended during a run"
    # The name in parentheses may hold anything.
    read -ra line <<<"${line##*) }"
    ticks=$((line[11] + line[12]))
}

# How many of these commands Redis has executed since CONFIG RESETSTAT.
executed() {
    ask "$redis_host" 6379 info commandstats |
        sed -n "s/^cmdstat_$1:calls=\([0-9]*\).*/\1/p"
}

# One run; adds "round case peer requests per-second p50 p99 proxy-ticks redis-ticks" to the runs.
measure() {
    local round=$1 case=$2 peer=$3 count=$8 command=$4
    local proxy_before redis_before result served
    [[ $(ask "$redis_host" 6379 config resetstat) == OK ]] || fail "Redis does not answer"
    read_ticks "${pid[direct]}" && redis_before=$ticks
    read_ticks "${pid[$peer]}" && proxy_before=$ticks
    result=$(redis-benchmark -h "${host[$peer]}" -p 6379 -t "$command" -c "$5" -d "$6" -P "$7" \
        -n "$count" --csv 2>"$work/benchmark.log") ||
        fail "redis-benchmark failed on $peer: $(tail -n 3 "$work/benchmark.log")"
    read_ticks "${pid[$peer]}" && proxy_before=$((ticks - proxy_before))
    read_ticks "${pid[direct]}" && redis_before=$((ticks - redis_before))
    served=$(executed "$command")
    ((${served:-0} >= count)) ||
        fail "$peer, $case: Redis executed ${served:-0} of $count requests"
    # test, rps, avg, min, p50, p95, p99, max, all in quotes
    read -r rps p50 p99 < <(tr -d '"' <<<"$result" | awk -F, 'END { print $2, $5, $7 }')
    ((round == 0)) || printf '%s\t' "$round" "$case" "$peer" "$count" "$rps" "$p50" "$p99" \
        "$proxy_before" "$redis_before" >>"$dir/runs.tsv"
    ((round == 0)) || echo >>"$dir/runs.tsv"
}

# How busy others keep the processors while nothing of ours runs, in percent: what the figures that
# follow are worth.
sample_neighbours() {
    local before
    before=$(awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9, $5 + $6 }' /proc/stat)
    sleep 0.5
    awk -v before="$before" '/^cpu / {
        split(before, was, " ")
        busy = $2 + $3 + $4 + $7 + $8 + $9 - was[1]
        idle = $5 + $6 - was[2]
        printf "neighbours\t%.0f\n", 100 * busy / (busy + idle)
    }' /proc/stat >>"$dir/facts.tsv"
}

# Every case on every peer, starting with another peer in each round. Round 0 warms up and is not
# recorded.
run_round() {
    local round=$1 number=0 total case command conns bytes pipe times peer i
    total=$(grep -c '^case ' "$here/cases.txt")
    while read -r _ case command conns bytes pipe times _; do
        number=$((number + 1))
        if ((round == 0)); then
            printf 'warming up  %-9s' "$case"
        else
            printf 'round %d/%d, case %d/%d  %-9s' "$round" "$rounds" "$number" "$total" "$case"
        fi
        ((round == 0)) || sample_neighbours
        for ((i = 0; i < ${#peers[@]}; i++)); do
            peer=${peers[(i + round) % ${#peers[@]}]}
            measure "$round" "$case" "$peer" "$command" "$conns" "$bytes" "$pipe" \
                "$(awk -v n="$requests" -v t="$times" -v r="$round" \
                    'BEGIN { n *= t * (r ? 1 : 0.1); print n < 100 ? 100 : int(n) }')"
            printf '  %s %.0f/s' "$peer" "$rps"
        done
        echo
    done < <(grep '^case ' "$here/cases.txt")
}

# ---- memory ----

read_rss() {
    rss=$(awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$1/status")
}

# $rss once it has not moved by more than 64 KB for 3 s: Redis, for one, gives buffers back only
# after a few seconds. 20 s at most.
settled_rss() {
    local last still=0 i
    read_rss "$1" && last=$rss
    for ((i = 0; i < 40 && still < 6; i++)); do
        sleep 0.5
        read_rss "$1"
        if ((rss - last > 65536 || last - rss > 65536)); then
            last=$rss still=0
        else
            still=$((still + 1))
        fi
    done
}

# The word that the helper says when it has done its part.
expect() {
    local word=
    read -r -t 120 word <&"${IDLE_HELPER[0]}" || true
    [[ $word == "$1" ]] || fail "idle connections to $2: $(tail -n 3 "$work/idle.log")"
}

# Adds "peer connections bytes-when-opened bytes-when-used" to the memory figures.
measure_idle() {
    local peer=$1 before opened used
    printf 'memory of %d idle connections  %s' "$connections" "$peer"
    settled_rss "${pid[$peer]}" && before=$rss
    coproc IDLE_HELPER { exec "$idle" "${host[$peer]}" 6379 "$connections" 2>"$work/idle.log"; }
    helper=$IDLE_HELPER_PID
    expect opened "$peer"
    settled_rss "${pid[$peer]}" && opened=$((rss - before))
    echo >&"${IDLE_HELPER[1]}"
    expect used "$peer"
    settled_rss "${pid[$peer]}" && used=$((rss - before))
    kill -KILL "$helper"
    wait "$helper" 2>/dev/null || true
    helper=
    printf '  %d bytes each, %d once used\n' $((opened / connections)) $((used / connections))
    printf '%s\t%s\t%s\t%s\n' "$peer" "$connections" "$opened" "$used" >>"$dir/memory.tsv"
}

# Redis must have seen the last ones go before it can take as many again.
wait_closed() {
    local started=$SECONDS
    until (($(ask "$redis_host" 6379 info clients |
        sed -n 's/^connected_clients:\([0-9]*\).*/\1/p') < 100)); do
        ((SECONDS - started < 30)) || fail "connections to Redis stay open"
        sleep 0.2
    done
}

# ---- the report ----

version_of() {
    local name
    name=$(basename "$1")
    case $name in
    haproxy) "$1" -v | awk 'NR == 1 { sub(/-.*/, "", $3); print $3 }' ;;
    nutcracker) "$1" -V 2>&1 | sed -n '1s/.*nutcracker-//p' ;;
    redisproxy) "$1" --version | awk 'NR == 1 { print $NF }' ;;
    esac
}

write_facts() {
    local peer
    printf 'when\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    printf 'machine\t%s, %s processors, Linux %s\n' \
        "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)"
    printf 'rounds\t%s\nrequests\t%s\nhz\t%s\n' "$rounds" "$requests" "$hz"
    printf 'peer\tdirect\tRedis %s\n' "$(redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')"
    for peer in "${peers[@]:1}"; do
        printf 'peer\t%s\t%s\n' "$peer" "$(version_of "${program[$peer]}")"
    done
}

report() {
    awk -f "$here/figures.awk" -f "$here/$1.awk" \
        "$here/cases.txt" "$dir/facts.tsv" "$dir/runs.tsv" "$dir/memory.tsv"
}

choose_peers
check_everything
raise_limit
dir=$(mktemp -d "${TMPDIR:-/tmp}/redisproxy-bench-XXXXXX")
write_facts >"$dir/facts.tsv"

start_all throughput
for ((round = 0; round <= rounds; round++)); do run_round "$round"; done
kill_all
start_all memory
for peer in "${peers[@]}"; do
    measure_idle "$peer"
    wait_closed
done
kill_all

report json >"$out/bench.json"
report chart >"$out/bench.svg"
echo
report table
say "written: $out/bench.json, $out/bench.svg"
