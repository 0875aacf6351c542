#!/bin/bash
# redisproxy on a Redis trio of its own: three redis-server and three redis-sentinel on 127.0.1.1 to
# 127.0.1.3 with the redis-ha chart's settings, and the proxy in front of them with conf/local.conf.
# Ctrl-C stops everything; nothing is left behind.
#
#   tests/local.sh [PATH-OF-REDISPROXY]        ("make run" calls it)
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
proxy=${1:-${REDISPROXY:-$top/build/redisproxy}}
conf=$top/conf/local.conf
hosts=(127.0.1.1 127.0.1.2 127.0.1.3)
group=mymaster
pids=()
proxy_pid=
dir=

say() { printf '%s\n' "$*"; }
fail() {
    printf 'make run: %s\n' "$*" >&2
    exit 1
}

# ---- the end, whatever leads to it ----

cleanup() {
    trap '' INT TERM HUP
    if [[ -n $proxy_pid ]]; then
        kill "$proxy_pid" 2>/dev/null || true
        wait "$proxy_pid" 2>/dev/null || true
    fi
    local pid
    for pid in ${pids[@]+"${pids[@]}"}; do kill -KILL "$pid" 2>/dev/null || true; done
    for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" 2>/dev/null || true; done
    [[ -z $dir ]] || rm -rf "$dir"
}

# Ctrl-C: the proxy finishes what is in flight; a second one ends it at once (its own rule). The
# servers do not see the terminal's Ctrl-C (setsid): they stay until the proxy has gone.
stop_proxy() {
    if [[ -n $proxy_pid ]]; then
        kill -TERM "$proxy_pid" 2>/dev/null || true
    else
        exit 130
    fi
}

trap cleanup EXIT
trap stop_proxy INT TERM HUP

# A child that ends with this script even if that is killed; its pid is in $! afterwards.
server() { setsid setpriv --pdeathsig KILL "$@" & }

# ---- before anything starts ----

# Who listens on a port, as "pid 123 (name)"; nothing when the system does not tell.
listener_of() {
    command -v ss >/dev/null || return 0
    ss -H -ltnp "sport = :$2" 2>/dev/null | awk -v a="$1:$2" -v w="0.0.0.0:$2" -v s="*:$2" \
        '$4 == a || $4 == w || $4 == s' |
        sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/pid \2 (\1)/p' | head -n 1
}

check_port() {
    local who
    if ! (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; then return 0; fi
    who=$(listener_of "$1" "$2")
    case $who in
    *redis-server* | *redis-sentinel*)
        say "$1:$2 is taken by $who: stop it (systemctl stop redis-server, or kill ${who//[^0-9]/})"
        ;;
    ?*) say "$1:$2 is taken by $who: stop it (kill ${who//[^0-9]/})" ;;
    *) say "$1:$2 is taken: find out by whom (ss -ltnp 'sport = :$2', as root) and stop it" ;;
    esac
    return 1
}

# The proxy's own addresses, as its configuration has them.
proxy_ports() {
    sed -n 's/^\[listen *\([^]]*\):\([0-9]*\)\].*/\1 \2/p; s/^http *= *\([^ ;]*\):\([0-9]*\).*/\1 \2/p' \
        "$conf"
}

check_everything() {
    local program host port taken=0
    for program in redis-server redis-sentinel redis-cli setsid setpriv; do
        command -v "$program" >/dev/null || fail "$program is missing: run make deps"
    done
    [[ -x $proxy ]] || fail "$proxy is missing: run make"
    [[ -r $conf ]] || fail "$conf is missing"
    for host in "${hosts[@]}"; do
        check_port "$host" 6379 >&2 || taken=1
        check_port "$host" 26379 >&2 || taken=1
    done
    while read -r host port; do
        check_port "$host" "$port" >&2 || taken=1
    done < <(proxy_ports)
    ((taken == 0)) || fail "nothing was started"
}

# ---- the trio ----

start_node() {
    local host=$1 follow=
    [[ $host == "${hosts[0]}" ]] || follow="replicaof ${hosts[0]} 6379"
    cat >"$dir/redis-$host.conf" <<EOF
bind $host
port 6379
dir $dir
dbfilename redis-$host.rdb
logfile $dir/redis-$host.log
save ""
appendonly no
replica-announce-ip $host
min-replicas-to-write 1
min-replicas-max-lag 5
repl-diskless-sync yes
$follow
EOF
    server redis-server "$dir/redis-$host.conf"
    pids+=($!)
}

start_sentinel() {
    local host=$1
    cat >"$dir/sentinel-$host.conf" <<EOF
bind $host
port 26379
dir $dir
logfile $dir/sentinel-$host.log
sentinel announce-ip $host
sentinel monitor $group ${hosts[0]} 6379 2
sentinel down-after-milliseconds $group 10000
sentinel failover-timeout $group 180000
sentinel parallel-syncs $group 5
EOF
    server redis-sentinel "$dir/sentinel-$host.conf"
    pids+=($!)
}

ask() { redis-cli -h "$1" -p "$2" "${@:3}" 2>/dev/null | tr -d '\r' || true; }

nodes_whole() {
    local host
    [[ $(ask "${hosts[0]}" 6379 info replication) == *"connected_slaves:2"* ]] || return 1
    for host in "${hosts[@]:1}"; do
        [[ $(ask "$host" 6379 info replication) == *"master_link_status:up"* ]] || return 1
    done
}

sentinels_whole() {
    local host
    for host in "${hosts[@]}"; do
        [[ $(ask "$host" 26379 info sentinel) == *"status=ok"*"slaves=2,sentinels=3"* ]] || return 1
    done
}

# Polls a condition for a minute, with a line that shows that something goes on.
wait_for() {
    local what=$1 condition=$2 started=$SECONDS
    until "$condition"; do
        ((SECONDS - started < 60)) || fail "$what: not within 60 s; the logs: $(tail -n 5 "$dir"/*.log)"
        [[ ! -t 1 ]] || printf '\r%s ... %d s' "$what" $((SECONDS - started))
        sleep 0.1
    done
    [[ ! -t 1 ]] || printf '\r'
    printf '%s: done after %d s\n' "$what" $((SECONDS - started))
}

start_trio() {
    local host
    dir=$(mktemp -d /tmp/redisproxy-run-XXXXXX)
    for host in "${hosts[@]}"; do start_node "$host"; done
    # The first synchronisation need not wait for more replicas; later ones have the default.
    until [[ $(ask "${hosts[0]}" 6379 config set repl-diskless-sync-delay 0) == OK ]]; do
        kill -0 "${pids[0]}" 2>/dev/null || fail "redis-server ended: $(tail -n 5 "$dir"/*.log)"
        sleep 0.1
    done
    wait_for "three redis-server, replicating" nodes_whole
    ask "${hosts[0]}" 6379 config set repl-diskless-sync-delay 5 >/dev/null
    for host in "${hosts[@]}"; do start_sentinel "$host"; done
    wait_for "three redis-sentinel, knowing each other" sentinels_whole
}

# ---- the proxy ----

proxy_listens() {
    local host port
    kill -0 "$proxy_pid" 2>/dev/null || return 0
    while read -r host port; do
        (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null || return 1
    done < <(proxy_ports)
}

explain() {
    cat <<EOF

  127.0.0.1:6379   master    everything goes to the elected master
  127.0.0.1:6380   replica   reads only, from the replicas
  127.0.0.1:6381   split     reads from the replicas, everything else to the master
  127.0.0.1:8888   health    /healthz, /readyz
  127.0.1.1-3      behind it: Redis on port 6379, Sentinel on port 26379

  Try, in another terminal:
    redis-cli -p 6379 set greeting hello                               a write
    redis-cli -p 6380 get greeting                                     a read
    redis-cli -p 6380 set greeting stray                               a stray write: refused
    redis-cli -h 127.0.1.1 -p 26379 sentinel failover $group         a switchover
    while redis-cli -p 6379 incr n; do sleep 0.1; done                 ... and who would notice it
    curl http://127.0.0.1:8888/readyz                                  health
    build/redisproxy ctl -s $dir/admin.sock status        what the proxy knows ("ctl help": every verb)
    build/redisproxy doctor -c conf/local.conf                         what is wrong with the deployment

  Ctrl-C stops everything.

EOF
}

run_proxy() {
    local status=0
    sed "s,^\[proxy\]\$,&\nadmin = $dir/admin.sock," "$conf" >"$dir/local.conf"
    server "$proxy" -c "$dir/local.conf"
    proxy_pid=$!
    wait_for "redisproxy, listening" proxy_listens
    if kill -0 "$proxy_pid" 2>/dev/null; then explain; fi
    # wait returns early, with more than 128, when a signal's trap ran
    while :; do
        status=0
        wait "$proxy_pid" || status=$?
        kill -0 "$proxy_pid" 2>/dev/null || break
    done
    proxy_pid=
    return "$status"
}

check_everything
start_trio
run_proxy
