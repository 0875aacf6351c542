# Who takes part in bench.sh and scale.sh, which source it after servers.sh, and what their reports say
# of the machine. Reads ONLY, PEER, $redisproxy and $rounds.

check_number() {
    [[ $2 =~ ^[1-9][0-9]*$ ]] || fail "$1=$2: must be a number of at least 1"
}

add_peer() {
    local name=$1
    peers+=("$name")
    program[$name]=$2
    template[$name]=$3
    host[$name]=$net.$((10 + ${#peers[@]}))
    ! has_workers "$2" || workers[$name]=1
}

has_workers() {
    [[ $(basename "$1") == redisproxy ]] && "$1" --help | grep -q '^  workers = '
}

wanted() { [[ -z ${ONLY:-} || " $ONLY " == *" $1 "* ]]; }

add_if_there() {
    local path
    wanted "$1" || return 0
    if path=$(PATH=$PATH:/usr/sbin command -v "$2"); then
        add_peer "$1" "$path" ''
    else
        say "$1 is left out: $2 is missing (apt-get install $2)"
    fi
}

add_redisproxy() {
    [[ -x $redisproxy ]] || fail "$redisproxy is missing: run make"
    ! wanted redisproxy || add_peer redisproxy "$redisproxy" ''
    if [[ -n $secure ]]; then
        # As HAProxy has it: TLS in front, plain behind.
        ! wanted redisproxy-front || add_peer redisproxy-front "$redisproxy" ''
    elif has_workers "$redisproxy" && wanted redisproxy-auto; then
        add_peer redisproxy-auto "$redisproxy" ''
        workers[redisproxy-auto]=auto
    fi
}

# PEER="/path/to/binary:config ...", nothing after the colon for its kind's configuration.
add_others() {
    local one name path count
    for one in ${PEER:-}; do
        path=${one%%:*}
        [[ $one == *:* && -x $path ]] || fail "PEER=$one: must be /path/to/binary:config"
        [[ -z ${one#*:} || -r ${one#*:} ]] || fail "PEER=$one: cannot read ${one#*:}"
        name=$(basename "$path") count=1
        while [[ -n ${host[$name]:-} || $name == redisproxy ]]; do
            name=$(basename "$path")-$((++count))
        done
        add_peer "$name" "$path" "${one#*:}"
    done
}

choose_peers() {
    peers=(direct)
    host[direct]=$redis_host
    add_if_there haproxy haproxy
    [[ -n $secure ]] || add_if_there twemproxy nutcracker
    add_redisproxy
    add_others
}

# HAProxy needs two descriptors for a connection.
raise_limit() {
    local needed=$((2 * connections + 1000))
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
    if (($(ulimit -n) < needed)); then
        connections=$((($(ulimit -n) - 1000) / 2))
        ((connections > 0)) || fail "ulimit -n is $(ulimit -n): must be above 1000"
        say "connections: $connections at most, because ulimit -n is $(ulimit -n)"
    fi
}

# ---- for the report ----

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
    printf 'rounds\t%s\nrequests\t%s\nhz\t%s\n' "$rounds" "$requests" "$(getconf CLK_TCK)"
    printf 'peer\tdirect\tRedis %s\n' "$(redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')"
    for peer in "${peers[@]:1}"; do
        printf 'peer\t%s\t%s\n' "$peer" "$(version_of "${program[$peer]}")"
    done
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
