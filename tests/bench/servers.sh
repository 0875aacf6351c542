# What bench.sh, scale.sh and profile.sh share: Redis, a Sentinel and the peers in front of them,
# started in a temporary folder on 127.0.5.x (or .6, .7 ... when another run is there), and their end.
# Whoever sources it sets `tool` (for messages) and `connections` (how many clients at most).

net=
for ((third = 5; third < 20; third++)); do
    net=127.0.$third
    (exec 3<>"/dev/tcp/$net.1/6379") 2>/dev/null || break
done
redis_host=$net.1
redis=$redis_host:6379
sentinel=$redis_host:26379

dir=
helper=                # a process of the tool's own
pids=()                # of everything that start_all started
peers=()               # names, in the order of the table; the first is "direct"
declare -A program     # of a peer: the binary
declare -A template    # its configuration file, or nothing
declare -A workers     # of a redisproxy: how many, where it can be told
declare -A host        # where it listens, on port 6379
declare -A pid         # whose CPU and memory count
wrapper=()             # what the peers run under
groups=()              # beside mymaster: name and address of the master, one after the other

say() { printf '%s\n' "$*"; }
fail() {
    printf '\n%s: %s\n' "$tool" "$*" >&2
    exit 1
}

# ---- the end, whatever leads to it ----

kill_all() {
    local one
    for one in ${pids[@]+"${pids[@]}"}; do kill -KILL "$one" 2>/dev/null || true; done
    for one in ${pids[@]+"${pids[@]}"}; do wait "$one" 2>/dev/null || true; done
    pids=()
}

cleanup() {
    trap '' INT TERM HUP
    [[ -z $helper ]] || kill -KILL "$helper" 2>/dev/null || true
    kill_all
    [[ -z $dir ]] || rm -rf "$dir"
}

trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# A child that ends with this script even if that is killed, and that does not see the terminal's
# Ctrl-C: it would die before what is measuring it. Its pid is in $! afterwards.
server() { setsid setpriv --pdeathsig KILL "$@" </dev/null & }

# ---- starting them ----

conf_redis() {
    cat <<END
bind $1
port 6379
dir $2
save ""
appendonly no
maxclients $((connections + 500))
tcp-backlog 4096
END
}

conf_sentinel() {
    cat <<END
bind $redis_host
port 26379
dir $work
sentinel monitor mymaster $redis_host 6379 1
END
    ((!${#groups[@]})) || printf 'sentinel monitor %s %s 6379 1\n' "${groups[@]}"
}

# Only what a fair run needs: no log, no idle timeout worth the name, no health checks; HAProxy's
# connect timeout is for a connection that it opens for a client. Buffers stay at their defaults.
conf_haproxy() {
    cat <<END
global
    nbthread 1
    maxconn $((connections + 400))
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen bench
    bind @LISTEN@ backlog 4096
    server redis @REDIS@
END
}

# One connection to the server is twemproxy's default and its best case.
conf_nutcracker() {
    cat <<END
bench:
  listen: @LISTEN@
  redis: true
  hash: fnv1a_64
  distribution: ketama
  auto_eject_hosts: false
  preconnect: true
  backlog: 4096
  server_connections: 1
  servers:
   - @REDIS@:1
END
}

conf_proxy_section() {
    cat <<END
[proxy]
http = off
log = warn
max_clients = $((connections + 400))
${workers[$1]:+workers = ${workers[$1]}}
END
}

conf_redisproxy() {
    conf_proxy_section "$1"
    cat <<END
[master mymaster]
sentinels = @SENTINEL@
[listen @LISTEN@]
route = master
END
}

write_conf() {
    local peer=$1 kind
    kind=$(basename "${program[$peer]}")
    if [[ -n ${template[$peer]} ]]; then
        cat "${template[$peer]}"
    elif declare -F "conf_$kind" >/dev/null; then
        "conf_$kind" "$peer"
    else
        fail "$kind: there is no configuration for it here: give one after the colon"
    fi | sed "s/@LISTEN@/${host[$peer]}:6379/g; s/@HOST@/${host[$peer]}/g; s/@PORT@/6379/g
        s/@REDIS@/$redis/g; s/@SENTINEL@/$sentinel/g" >"$work/$peer.conf"
}

start_peer() {
    local peer=$1 run=${program[$1]} conf=$work/$1.conf log=$work/$1.log
    case $(basename "$run") in floor) ;; *) write_conf "$peer" ;; esac
    case $(basename "$run") in
    floor) server "$run" "${host[$peer]}" 6379 >"$log" 2>&1 ;;
    haproxy) server "$run" -db -f "$conf" >"$log" 2>&1 ;;
    nutcracker) server "$run" -c "$conf" -o "$log" -v 0 -a "${host[$peer]}" -i 3600000 \
        -p "$work/$peer.pid" ;;
    redisproxy) server "${wrapper[@]}" "$run" -c "$conf" >"$log" 2>&1 ;;
    *) server "$run" "$conf" >"$log" 2>&1 ;;
    esac
    pids+=($!)
    pid[$peer]=$!
}

ask() { timeout 5 redis-cli -h "$1" -p "$2" "${@:3}" 2>/dev/null | tr -d '\r' || true; }

# A value of so many bytes of x.
put_value() {
    local at=$1 port=$2 key=$3 size=$4
    [[ $(head -c "$size" /dev/zero | tr '\0' x |
        redis-cli -h "$at" -p "$port" -x set "$key" 2>&1) == OK ]] ||
        fail "cannot set $key on $at:$port"
}

# A write through it works: it listens, and knows the master.
wait_ready() {
    local peer=$1 started=$SECONDS
    until [[ $(ask "${host[$peer]}" 6379 set bench:ready yes) == OK ]]; do
        kill -0 "${pid[$peer]}" 2>/dev/null ||
            fail "$peer ended: $(tail -n 5 "$work/$peer.log")"
        ((SECONDS - started < 30)) ||
            fail "$peer does not answer within 30 s: $(tail -n 5 "$work/$peer.log")"
        sleep 0.1
    done
}

# Its pid is in pid[NAME].
start_redis() {
    local name=$1 at=$2
    mkdir "$work/$name"
    conf_redis "$at" "$work/$name" >"$work/$name.conf"
    server redis-server "$work/$name.conf" "${@:3}" >"$work/$name.log" 2>&1
    pids+=($!)
    pid[$name]=$!
    host[$name]=$at
}

# The masters in groups; a tool that has replicas has its own.
start_groups() { :; }

# All of them in a new folder, with nothing that an earlier load left in their memory.
start_all() {
    local peer
    work=$dir/$1
    mkdir "$work"
    start_redis direct "$redis_host"
    wait_ready direct
    start_groups
    conf_sentinel >"$work/sentinel.conf"
    server redis-sentinel "$work/sentinel.conf" >"$work/sentinel.log" 2>&1
    pids+=($!)
    for peer in "${peers[@]:1}"; do start_peer "$peer"; done
    for peer in "${peers[@]:1}"; do wait_ready "$peer"; done
}
