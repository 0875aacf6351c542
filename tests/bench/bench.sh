#!/bin/bash
# redisproxy beside its peers, in one run: direct, HAProxy in TCP mode with one thread, twemproxy,
# and redisproxy with one worker and with as many as it takes by itself, all in front of the same
# Redis, and floor.c, which has no Redis: what the sockets alone cost. ("make bench" calls it.)
#
#   tests/bench/bench.sh [BUILD-FOLDER]
#
#   ROUNDS=3     rounds; in each, every case runs against every peer before the next case starts, so
#   N=100000     that a busy neighbour hits them all; N is the number of requests in a run
#   IDLE=8000    idle connections, for the memory column
#   ROWS="..."   only these: names from cases.txt, and "memory"
#   ONLY="..."   only these peers beside direct: haproxy, twemproxy, redisproxy, redisproxy-auto, floor
#   TLS=1        everybody speaks TLS: direct, HAProxy and redisproxy-front with TLS in front and plain behind, redisproxy with
#                TLS on both sides; the rows are those of cases-tls.txt, "handshakes", and "flood": how long 50
#                sessions wait beside 1,000 handshakes at once
#   PEER=/path/to/binary:config [...]
#                more peers. In the configuration (a copy is used) @LISTEN@, @HOST@, @PORT@, @REDIS@
#                and @SENTINEL@ stand for the addresses to use. Nothing after the colon: what its
#                kind has here (redisproxy, haproxy, nutcracker), to compare two builds.
#
# cases.txt says what runs, and the goals. Every run is checked: Redis must have executed all of its
# requests. Results: a table, build/bench.json and build/bench.svg. Everything that it starts
# listens on 127.0.5.x or after, lives in a temporary folder, and is gone afterwards, after Ctrl-C too.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -s "${1:-$here/../../build}")
redisproxy=${REDISPROXY:-$out/redisproxy}
idle=$out/tests/bench/idle
floor=$out/tests/bench/floor
load=$out/tests/bench/load
rounds=${ROUNDS:-3}
requests=${N:-100000}
connections=${IDLE:-8000}
handshakes=$out/tests/bench/handshakes
cases=$here/cases${TLS:+-tls}.txt
rows=${ROWS:-$(awk '$1 == "case" { printf "%s ", $2 }' "$cases")$([[ -n ${TLS:-} ]] &&
    echo handshakes flood || echo memory)}
tool="make bench"

. "$here/servers.sh"
. "$here/peers.sh"

check_rows() {
    local row
    for row in $rows; do
        [[ $row == memory && -z $secure || $row == handshakes && -n $secure || $row == flood && -n $secure ]] ||
            grep -q "^case $row " "$cases" || fail "ROWS: $row is not in $cases, and not memory"
    done
}

check_everything() {
    local needed
    check_rows
    check_number ROUNDS "$rounds"
    check_number N "$requests"
    check_number IDLE "$connections"
    for needed in redis-server redis-sentinel redis-cli redis-benchmark setsid setpriv; do
        command -v "$needed" >/dev/null || fail "$needed is missing: run make deps"
    done
    for needed in "$idle" "$load" "$floor" "$handshakes"; do
        [[ -x $needed ]] || fail "$needed is missing: run make bench"
    done
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

# redis-benchmark's requests per second, and p50, p99 and p99.9 in milliseconds. Only the distribution,
# whose steps halve what is left, comes near the last: it has 99.902 %.
run_benchmark() {
    redis-benchmark ${client_tls[@]+"${client_tls[@]}"} -h "$1" -p 6379 -t "$2" -c "$3" -d "$4" -P "$5" -n "$6" 2>"$work/benchmark.log" |
        tr '\r' '\n' | awk '
            /% <= .*cumulative count/ && $1 + 0 >= 99.9 && p999 == "" { p999 = $3 }
            /throughput summary:/ { rate = $3 }
            /avg +min +p50 +p95 +p99 +max/ { getline; p50 = $3; p99 = $5 }
            END { print rate, p50, p99, p999 }'
}

# The same from load.c: the clock of redis-benchmark has steps of 4 us, and one client waits for 30.
run_load() {
    "$load" -m "$2" -c "$3" -d "$4" -p "$5" -w 1 -n "$6" -k key:__rand_int__ "$1:6379" \
        2>"$work/benchmark.log" || true
}

# One run; adds a line to the runs.
measure() {
    local round=$1 case=$2 peer=$3 command=$4 conns=$5 bytes=$6 pipe=$7 count=$8 with=run_benchmark
    local proxy_before redis_before served p50 p99 p999
    [[ $(ask "$redis_host" 6379 config resetstat) == OK ]] || fail "Redis does not answer"
    ((conns > 1)) || with=run_load
    read_ticks "${pid[direct]}" && redis_before=$ticks
    read_ticks "${pid[$peer]}" && proxy_before=$ticks
    read -r rps p50 p99 p999 < <("$with" "${host[$peer]}" "$command" "$conns" "$bytes" "$pipe" "$count") ||
        true
    [[ -n $p999 ]] || fail "$peer, $case: $(tail -n 3 "$work/benchmark.log")"
    read_ticks "${pid[$peer]}" && proxy_before=$((ticks - proxy_before))
    read_ticks "${pid[direct]}" && redis_before=$((ticks - redis_before))
    served=$(executed "$command")
    [[ $peer == floor ]] || ((${served:-0} >= count)) ||
        fail "$peer, $case: Redis executed ${served:-0} of $count requests"
    ((round == 0)) || printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$round" "$case" "$peer" \
        "$count" "$rps" "$p50" "$p99" "$p999" "$proxy_before" "$redis_before" >>"$dir/runs.tsv"
}

# Every case on every peer, starting with another peer in each round. Round 0 warms up and is not
# recorded.
run_round() {
    local round=$1 number=0 total case command conns bytes pipe times peer i
    total=$(grep -c '^case ' "$cases")
    while read -r _ case command conns bytes pipe times _; do
        [[ " $rows " == *" $case "* ]] || continue
        number=$((number + 1))
        if ((round == 0)); then
            printf 'warming up  %-9s' "$case"
        else
            printf 'round %d/%d, case %d/%d  %-9s' "$round" "$rounds" "$number" "$total" "$case"
        fi
        ((round == 0)) || sample_neighbours
        put_value "$redis_host" 6379 key:__rand_int__ "$bytes" # what the GET cases ask for
        [[ -z ${host[floor]:-} ]] || put_value "${host[floor]}" 6379 key:__rand_int__ "$bytes"
        for ((i = 0; i < ${#peers[@]}; i++)); do
            peer=${peers[(i + round) % ${#peers[@]}]}
            measure "$round" "$case" "$peer" "$command" "$conns" "$bytes" "$pipe" \
                "$(awk -v n="$requests" -v t="$times" -v r="$round" \
                    'BEGIN { n *= t * (r ? 1 : 0.1); print n < 100 ? 100 : int(n) }')"
            printf '  %s %.0f/s' "$peer" "$rps"
        done
        echo
    done < <(grep '^case ' "$cases")
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

# Adds a line to the memory figures.
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

# ---- handshakes ----

# How many a second, in full and resumed, and what one costs the peer: of every peer in each round. In the table of
# them is the best round: what others took of the processors makes them fewer.
measure_handshakes() {
    local peer kind before rate
    for peer in "${peers[@]}"; do
        for kind in full resumed; do
            read_ticks "${pid[$peer]}" && before=$ticks
            rate=$("$handshakes" -n 2000 $([[ $kind == full ]] || echo -r) "${host[$peer]}:6379") ||
                fail "$peer: no handshakes"
            read_ticks "${pid[$peer]}"
            printf '%s\t%s\t%s\t%s\n' "$peer" "$kind" "$rate" $(((ticks - before) * 10000 / 2000)) \
                >>"$dir/handshakes.tsv"
        done
    done
}

measure_floods() {
    local peer
    for peer in "${peers[@]}"; do
        printf '%s\t%s\n' "$peer" "$("$handshakes" -n 1000 -c 1000 -e 50 "${host[$peer]}:6379")" |
            tr ' ' '\t' >>"$dir/floods.tsv"
    done
}

tell_handshakes() {
    [[ ! -e $dir/handshakes.tsv ]] || awk -F '\t' '
        !($1 in seen) { seen[$1]; order[++n] = $1 }
        $3 > rate[$1, $2] { rate[$1, $2] = $3 }
        { us[$1, $2] += $4; times[$1, $2]++ }
        END {
            print "Handshakes a second (the best round), and what one costs the peer (us of CPU)"
            printf "  %-20s %10s %8s %10s %8s\n", "", "full", "us", "resumed", "us"
            for (i = 1; i <= n; i++) {
                p = order[i]
                printf "  %-20s %10d %8d %10d %8d\n", p, rate[p, "full"], us[p, "full"] / times[p, "full"],
                    rate[p, "resumed"], us[p, "resumed"] / times[p, "resumed"]
            }
            print ""
        }' "$dir/handshakes.tsv"
    [[ ! -e $dir/floods.tsv ]] || awk -F '\t' '
        !($1 in seen) { seen[$1]; order[++n] = $1; quiet[$1] = $3; flood[$1] = $5 }
        $3 < quiet[$1] { quiet[$1] = $3 }
        $5 < flood[$1] { flood[$1] = $5 }
        END {
            print "1,000 handshakes at once beside 50 sessions that are served: their p99 (ms), the lowest of the rounds"
            printf "  %-20s %10s %10s %8s   (goal: at most 3 times)\n", "", "without", "with", "times"
            for (i = 1; i <= n; i++)
                printf "  %-20s %10.3f %10.3f %8.2f\n", order[i], quiet[order[i]], flood[order[i]],
                    flood[order[i]] / quiet[order[i]]
            print ""
        }' "$dir/floods.tsv"
}

# Shared connections to the node: it decrypts and encrypts less than for its own clients.
tell_redis_cpu() {
    awk -F '\t' '$1 > 0 { us[$2, $3] += $10; n[$2, $3] += $4; cases[$2] }
        END {
            for (c in cases)
                if (us[c, "direct"] && n[c, "redisproxy"])
                    printf "Redis\047 CPU per request with TLS, %s: %.2f of what its own clients cost (goal: below 1)\n", c,
                        us[c, "redisproxy"] / n[c, "redisproxy"] / (us[c, "direct"] / n[c, "direct"])
        }' "$dir/runs.tsv"
}

# ---- the report ----

report() {
    awk -f "$here/figures.awk" -f "$here/$1.awk" \
        "$cases" "$dir/facts.tsv" "$dir/runs.tsv" "$dir/memory.tsv"
}

choose_peers
[[ -n $secure ]] || ! wanted floor || add_peer floor "$floor" ''
check_everything
raise_limit
dir=$(mktemp -d "${TMPDIR:-/tmp}/redisproxy-bench-XXXXXX")
write_facts >"$dir/facts.tsv"
# Never empty: figures.awk counts the files by their first lines.
echo '# round case peer requests per-second p50 p99 p99.9 proxy-ticks redis-ticks' >"$dir/runs.tsv"
echo '# peer connections bytes-when-opened bytes-when-used' >"$dir/memory.tsv"

[[ -z $secure ]] || make_certificates
if [[ $rows != memory ]]; then
    start_all throughput
    for ((round = 0; round <= rounds; round++)); do
        run_round "$round"
        ((round > 0)) || continue
        [[ " $rows " != *" handshakes "* ]] || measure_handshakes
        [[ " $rows " != *" flood "* ]] || measure_floods
    done
    kill_all
fi
if [[ " $rows " == *" memory "* ]]; then
    start_all memory
    for peer in "${peers[@]}"; do
        [[ $peer != floor ]] || continue
        measure_idle "$peer"
        wait_closed
    done
    kill_all
fi

name=bench${secure:+-tls}
report json >"$out/$name.json"
report chart >"$out/$name.svg"
echo
report table
if [[ -n $secure ]]; then
    tell_redis_cpu
    tell_handshakes
fi
say "written: $out/$name.json, $out/$name.svg"
