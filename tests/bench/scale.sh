#!/bin/bash
# What many connections, replicas and groups, and a busy neighbour, cost. ("make bench-scale" calls it;
# bench.sh has the plain figures.)
#
#   tests/bench/scale.sh [BUILD-FOLDER]
#
#   ROWS="..."   only these:
#                connections   50 to 8,000, a tenth of them active
#                crowd         the same, 50 of them active
#                replicas      1 to 3 of them, through the read port, 400 clients
#                groups        1 to 8 of them, 400 clients in all
#                pipeline      50 clients alone, then beside one that sends 10,000 requests at once
#                fetch         the same, beside one that fetches 100 MB; both again and again
#   ROUNDS, N, ONLY, PEER   as in bench.sh; N=50000
#
# What is measured is the CPU time of the proxy per GET; for the last two, p99 of the 50. All peers
# run one after the other in each round. Results: a table, and build/bench-scale.json.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -s "${1:-$here/../../build}")
redisproxy=${REDISPROXY:-$out/redisproxy}
load=$out/tests/bench/load
rounds=${ROUNDS:-3}
requests=${N:-50000}
all_rows="connections crowd replicas groups pipeline fetch"
rows=${ROWS:-$all_rows}
connections=8000
clients=400 # of the rows replicas and groups
big=104857600
tool="make bench-scale"

. "$here/servers.sh"
. "$here/peers.sh"

check_everything() {
    local row
    check_number ROUNDS "$rounds"
    check_number N "$requests"
    for row in $rows; do
        [[ " $all_rows " == *" $row "* ]] ||
            fail "ROWS: there is no $row"
    done
    [[ -x $load ]] || fail "$load is missing: run make bench-scale"
}

has_row() { [[ " $rows " == *" $1 "* ]]; }

# ---- instances with other configurations, of every redisproxy that takes part ----

# Group g1 to g8, one listener each; r1 to r3 have so many replicas.
conf_groups() {
    local i
    for ((i = 1; i <= $1; i++)); do
        printf '[master g%d]\nsentinels = @SENTINEL@\n' "$i"
        printf '[listen @HOST@:%d]\nmaster = g%d\nroute = master\n' $((6378 + i)) "$i"
    done
}

conf_replicas() {
    printf '[master r%d]\nsentinels = @SENTINEL@\n' "$1"
    printf '[listen @HOST@:6379]\nroute = master\n[listen @HOST@:6380]\nroute = replica\n'
}

# The instance of peer $1 for row $2 with so many ($3) of them.
add_instance() {
    local name=$1-$2-$3
    template[$name]=$dir/$name.conf
    workers[$name]=${workers[$1]:-}
    program[$name]=${program[$1]}
    host[$name]=$net.$((100 + ${#instances[@]}))
    { conf_proxy_section "$name" && "conf_$2" "$3"; } >"${template[$name]}"
    instances+=("$name")
}

add_instances() {
    local peer count
    for peer in "${peers[@]}"; do
        [[ $(basename "${program[$peer]:-}") == redisproxy ]] || continue
        if has_row replicas; then
            for count in 1 2 3; do add_instance "$peer" replicas "$count"; done
        fi
        if has_row groups; then
            for count in 1 2 4 8; do add_instance "$peer" groups "$count"; done
        fi
    done
}

# Their Redis servers, which must be there before Sentinel is.
name_groups() {
    local i
    if has_row groups; then
        for ((i = 1; i <= 8; i++)); do groups+=("g$i" "$net.$((30 + i))"); done
    fi
    if has_row replicas; then
        for ((i = 1; i <= 3; i++)); do groups+=("r$i" "$net.$((40 + i))"); done
    fi
}

start_groups() {
    local i j number=0
    for ((i = 0; i < ${#groups[@]}; i += 2)); do
        start_redis "${groups[i]}" "${groups[i + 1]}"
        wait_ready "${groups[i]}"
        put_value "${groups[i + 1]}" 6379 bench:load 3
        [[ ${groups[i]} == r* ]] || continue
        for ((j = 1; j <= ${groups[i]#r}; j++)); do
            start_redis "${groups[i]}-$j" "$net.$((50 + ++number))" \
                --replicaof "${groups[i + 1]}" 6379 --replica-announce-ip "$net.$((50 + number))"
        done
    done
}

# The read port answers, and reads from as many replicas as there are.
wait_replicas() {
    local instance=$1 count=$2 started=$SECONDS i at
    for ((i = 1; i <= count; i++)); do
        at=${host[r$count-$i]}
        until [[ $(ask "$at" 6379 info replication) == *master_link_status:up* ]]; do
            ((SECONDS - started < 30)) || fail "replica $at does not follow its master"
            sleep 0.2
        done
        ask "$at" 6379 config resetstat >/dev/null
    done
    for ((i = 1; i <= count; i++)); do
        until "$load" -c 12 -w 1 -n 24 "${host[$instance]}:6380" >/dev/null 2>&1 &&
            ask "${host[r$count-$i]}" 6379 info commandstats | grep -q '^cmdstat_get:'; do
            ((SECONDS - started < 30)) || fail "$instance does not read from replica $i of $count"
            sleep 0.2
        done
    done
}

# ---- the runs ----

# Adds a line to the runs: row, setting, peer, then what load.c says.
record() {
    local round=$1 row=$2 setting=$3 peer=$4 process=$5 figures
    figures=$("$load" -P "${pid[$process]}" -P "${pid[direct]}" "${@:6}" 2>"$work/load.log") ||
        fail "$row, $setting, $peer: $(cat "$work/load.log")"
    ((round == 0)) || printf '%s %s %s %s %s\n' "$round" "$row" "$setting" "$peer" "$figures" \
        >>"$dir/runs"
    printf '  %s %s' "$setting" "$(awk -v row="$row" '{
        if (row == "pipeline" || row == "fetch") printf "%.1f ms", $3
        else printf "%.2f us", $5 }' <<<"$figures")"
}

# A tenth of N in round 0, which warms up.
count_for() { echo $(((round == 0 ? requests / 10 : requests) + 1)); }

# $1 connections are open, $2 of them active.
run_connections() {
    local conns
    for conns in 50 500 2000 "$connections"; do
        record "$round" "$row" "$conns" "$peer" "$peer" -c "$conns" \
            -a "$([[ $row == crowd ]] && echo 50 || echo $((conns / 10)))" -n "$(count_for)" \
            "${host[$peer]}:6379"
    done
}

run_replicas() {
    local count
    for count in 1 2 3; do
        record "$round" replicas "$count" "$peer" "$peer-replicas-$count" -c "$clients" \
            -n "$(count_for)" "${host[$peer-replicas-$count]}:6380"
    done
}

run_groups() {
    local count i addresses
    for count in 1 2 4 8; do
        addresses=()
        for ((i = 0; i < count; i++)); do addresses+=("${host[$peer-groups-$count]}:$((6379 + i))"); done
        record "$round" groups "$count" "$peer" "$peer-groups-$count" -c "$clients" \
            -n "$(count_for)" "${addresses[@]}"
    done
}

# A load without an end, until stop_neighbour.
start_neighbour() {
    local word=
    coproc NEIGHBOUR { exec "$load" -e -c 1 "$@" 2>"$work/neighbour.log"; }
    helper=$NEIGHBOUR_PID
    read -r -t 60 word <&"${NEIGHBOUR[0]}" || true
    [[ $word == running ]] || fail "neighbour on $peer: $(cat "$work/neighbour.log")"
}

stop_neighbour() {
    kill -KILL "$helper"
    wait "$helper" 2>/dev/null || true
    helper=
    "$load" -c 1 -w 1 -n 100 "${host[$peer]}:6379" >/dev/null 2>"$work/load.log" ||
        fail "$peer, after its neighbour: $(cat "$work/load.log")"
}

# 50 clients alone, then beside a neighbour.
run_beside() {
    local options=(-c 50 -n "$(count_for)" "${host[$peer]}:6379")
    record "$round" "$row" alone "$peer" "$peer" "${options[@]}"
    start_neighbour "$@" "${host[$peer]}:6379"
    record "$round" "$row" beside "$peer" "$peer" "${options[@]}"
    stop_neighbour
}

run_pipeline() { run_beside -p 10000; }
run_fetch() { run_beside -k bench:big -d "$big"; }

# A row on every peer that it is for, starting with another one in each round.
run_row() {
    local row=$1 i peer
    ((round == 0)) || sample_neighbours
    for ((i = 0; i < ${#peers[@]}; i++)); do
        peer=${peers[(i + round) % ${#peers[@]}]}
        case $row in
        replicas | groups) [[ -n ${host[$peer-$row-1]:-} ]] || continue ;;
        esac
        if ((round == 0)); then printf 'warming up  '; else printf 'round %d/%d  ' "$round" "$rounds"; fi
        printf '%-12s %-16s' "$row" "$peer"
        case $row in
        connections | crowd) run_connections ;;
        *) "run_$row" ;;
        esac
        echo
    done
}

# ---- the whole ----

start_everything() {
    local instance
    start_all scale
    put_value "$redis_host" 6379 bench:load 3
    ! has_row fetch || put_value "$redis_host" 6379 bench:big "$big"
    for instance in ${instances[@]+"${instances[@]}"}; do start_peer "$instance"; done
    for instance in ${instances[@]+"${instances[@]}"}; do
        wait_ready "$instance"
        [[ $instance != *-replicas-* ]] || wait_replicas "$instance" "${instance##*-}"
    done
}

choose_peers
check_everything
raise_limit
dir=$(mktemp -d "${TMPDIR:-/tmp}/redisproxy-bench-XXXXXX")
write_facts >"$dir/facts.tsv"
echo '# round row setting peer per-second p50 p99 p99.9 us-of-the-proxy us-of-redis' >"$dir/runs"
instances=()
add_instances
name_groups
say "starting $((${#groups[@]} / 2 + ${#peers[@]} + ${#instances[@]})) groups and proxies"
start_everything
for ((round = 0; round <= rounds; round++)); do
    for one in $rows; do run_row "$one"; done
done
kill_all
report() { awk -v what="$1" -f "$here/scale.awk" "$dir/facts.tsv" "$dir/runs"; }
report json >"$out/bench-scale.json"
echo
report table
say "written: $out/bench-scale.json"
